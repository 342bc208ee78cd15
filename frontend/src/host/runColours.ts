/**
 * The colours of runs, as TensorBoard gives them by default: one of its palette for each run, in the order in which it met them.
 * (What a user recolours there by hand is kept in TensorBoard and not told to plugins.)
 */
import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Catalogue } from "../data/types";
import type { Theme } from "./theme";

const PALETTE: Record<Theme, readonly string[]> = {
  light: ["#425066", "#12b5cb", "#e52592", "#f9ab00", "#9334e6", "#7cb342", "#e8710a"],
  dark: ["#8e98a3", "#12b5cb", "#e52592", "#f9ab00", "#9334e6", "#7cb342", "#e8710a"],
};

export class RunColours {
  private readonly met: Signal<readonly string[]> = signal([]);
  private readonly places: ReadonlySignal<Map<string, number>>;

  constructor(
    catalogue: ReadonlySignal<Catalogue | null>,
    private readonly theme: ReadonlySignal<Theme>,
  ) {
    this.places = computed(() => {
      // Runs without event files are not TensorBoard's: they come behind its own.
      const ours = catalogue.value?.runs.map(({ run }) => run) ?? [];
      return new Map([...new Set([...this.met.value, ...ours])].map((run, at) => [run, at]));
    });
  }

  /** Takes in TensorBoard's runs; those met before keep their places. */
  meet(runs: readonly string[]): void {
    this.met.value = [...new Set([...this.met.peek(), ...runs])];
  }

  of(run: string): string {
    const palette = PALETTE[this.theme.value];
    return palette[(this.places.value.get(run) ?? 0) % palette.length];
  }
}
