/** When the standard projector starts, what it is given and which checkpoint it shows. */
import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { projectorSelection } from "../data/api";
import type { ProjectorAbout } from "../data/types";
import { type Resource, resource } from "../state/resource";
import type { Store } from "../state/store";

/** Rows that the projector keeps; it drops the others. */
const MAX_ROWS = 100_000;
/** Fitted to what was measured: 30,522 rows take 21.6 s with 384 columns and about 5 s with 16. */
const SECONDS = { start: 1, row: 1.1e-4, value: 1.48e-6 };
/** Up to here it starts by itself: it shares our main thread. */
export const AUTO_SECONDS = 4;
const FIRST_MS = 150;
const FOLLOW_MS = 900;

export function estimateSeconds({ n_rows, n_columns }: Pick<ProjectorAbout, "n_rows" | "n_columns">): number {
  const rows = Math.min(n_rows, MAX_ROWS);
  return SECONDS.start + SECONDS.row * rows + SECONDS.value * rows * n_columns;
}

/** What the frame holds. */
export interface Shown {
  selection: string;
  checkpoint: string;
  about: ProjectorAbout;
  url: string;
}

export class FrameModel {
  readonly visible: Signal<boolean> = signal(false);
  readonly about: Resource<ProjectorAbout>;
  readonly shown: Signal<Shown | null> = signal(null);
  readonly ready: Signal<boolean> = signal(false);
  /** What the projector says of its own variance. */
  readonly variance: Signal<string> = signal("");
  readonly wanted: ReadonlySignal<string | null>;
  /** Whether the frame may load what is wanted without being asked. */
  readonly isQuick: ReadonlySignal<boolean>;

  constructor(private readonly store: Store) {
    this.wanted = computed(() => {
      const name = store.name.value;
      return name && projectorSelection(name, store.spec.value.projectorValues);
    });
    this.about = resource(
      computed(() => {
        const selection = this.wanted.value;
        if (!selection || !this.visible.value || !store.hasDrawn.value || store.playing.value) return null;
        return { key: selection, keeps: () => true, load: (asking) => store.api.projectorAbout(selection, asking) };
      }),
    );
    this.isQuick = computed(() => {
      const { value, valueKey } = this.about.state.value;
      return value !== null && valueKey === this.wanted.value && estimateSeconds(value) <= AUTO_SECONDS;
    });
    this.follow();
  }

  /** Loads what is wanted into the frame now. */
  start(): void {
    const { value, valueKey } = this.about.state.peek();
    const name = this.store.name.peek();
    if (!value?.available || valueKey === null || valueKey !== this.wanted.peek() || !name) return;
    this.ready.value = false;
    this.variance.value = "";
    this.shown.value = {
      selection: valueKey,
      checkpoint: name.checkpoint,
      about: value,
      url: this.store.api.projectorUrl(valueKey, "projector_binary.html").href,
    };
  }

  private follow(): void {
    effect(() => {
      const wanted = this.wanted.value;
      const shown = this.shown.value;
      const may = this.visible.value && this.isQuick.value && !this.store.playing.value;
      if (!may || !wanted || shown?.selection === wanted) return;
      const timer = setTimeout(() => this.start(), shown ? FOLLOW_MS : FIRST_MS);
      return () => clearTimeout(timer);
    });
  }
}
