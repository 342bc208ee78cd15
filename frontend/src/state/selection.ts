/** The one selection: rows (or columns) chosen anywhere, shared by our points, the search and the standard projector. */
import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";

export type PointsAre = "rows" | "columns";
/** Who changed the selection last, so that it is not sent back there. */
export type Origin = "points" | "search" | "projector" | "host";

export interface Selection {
  kind: PointsAre;
  indices: readonly number[];
  origin: Origin;
}

export const MAX_SELECTED = 10_000;

const NOTHING: Selection = { kind: "rows", indices: [], origin: "host" };

export class SelectionStore {
  private readonly held: Signal<Selection> = signal(NOTHING);
  readonly current: ReadonlySignal<Selection> = computed(() => this.held.value);
  /** The point under the pointer, in our points or in the standard projector. */
  readonly hovered: Signal<number | null> = signal(null);

  set(indices: Iterable<number>, origin: Origin, kind: PointsAre = "rows"): void {
    const unique = [...new Set(indices)].filter((index) => Number.isInteger(index) && index >= 0);
    const next = unique.slice(0, MAX_SELECTED);
    const { indices: before, kind: kindBefore } = this.held.value;
    const same = kind === kindBefore && next.length === before.length && next.every((row, at) => row === before[at]);
    if (!same) this.held.value = { kind, indices: next, origin };
  }

  add(indices: Iterable<number>, origin: Origin, kind: PointsAre = "rows"): void {
    const before = this.held.value.kind === kind ? this.held.value.indices : [];
    this.set([...before, ...indices], origin, kind);
  }

  toggle(index: number, origin: Origin, kind: PointsAre = "rows"): void {
    const before = this.held.value.kind === kind ? this.held.value.indices : [];
    const rest = before.filter((other) => other !== index);
    this.set(rest.length < before.length ? rest : [...before, index], origin, kind);
  }

  clear(origin: Origin = "host"): void {
    this.set([], origin, this.held.value.kind);
    this.hovered.value = null;
  }

  /** The indices selected among points of this kind. */
  of(kind: PointsAre): readonly number[] {
    const { kind: held, indices } = this.held.value;
    return held === kind ? indices : [];
  }
}
