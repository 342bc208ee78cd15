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

/** What the projector does to its data before it says how much variance three components describe (its data.ts). */
const FIGURE = { spherizeFromColumns: 50, randomAboveColumns: 200, sampleAboveRows: 50_000 };

export type FigureFact =
  | { kind: "scores" | "matrix" | "random" | "first" | "sample"; n: number }
  | { kind: "spherized" | "uncentered" };

/** What its figure describes; `spherizes` is what the projector itself says, where it can be asked. */
export function figureFacts(about: ProjectorAbout, spherizes: boolean | null): FigureFact[] {
  const { values, n_rows, n_columns } = about;
  const facts: FigureFact[] = [{ kind: values, n: n_columns }];
  if (spherizes ?? n_columns >= FIGURE.spherizeFromColumns) facts.push({ kind: "spherized" });
  else if (values === "matrix") facts.push({ kind: "uncentered" });
  if (n_columns > FIGURE.randomAboveColumns) facts.push({ kind: "random", n: FIGURE.randomAboveColumns });
  if (n_rows > MAX_ROWS) facts.push({ kind: "first", n: MAX_ROWS });
  if (n_rows > FIGURE.sampleAboveRows) facts.push({ kind: "sample", n: FIGURE.sampleAboveRows });
  return facts;
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
  /** Whether it is the only panel on the screen. */
  readonly alone: Signal<boolean> = signal(false);
  /** Our own points come first: the frame shares our main thread. */
  readonly mayStart: ReadonlySignal<boolean>;
  readonly about: Resource<ProjectorAbout>;
  readonly shown: Signal<Shown | null> = signal(null);
  readonly ready: Signal<boolean> = signal(false);
  /** What the projector says of its own variance. */
  readonly variance: Signal<string> = signal("");
  /** Whether it says that it spherizes the data. */
  readonly spherizes: Signal<boolean | null> = signal(null);
  readonly wanted: ReadonlySignal<string | null>;
  /** Whether the frame may load what is wanted without being asked. */
  readonly isQuick: ReadonlySignal<boolean>;

  constructor(private readonly store: Store) {
    this.mayStart = computed(
      () => store.hasDrawn.value || this.alone.value || store.series.points.state.value.error !== null,
    );
    this.wanted = computed(() => {
      const name = store.name.value;
      return name && projectorSelection(name, store.spec.value.projectorValues);
    });
    this.about = resource(
      computed(() => {
        const selection = this.wanted.value;
        if (!selection || !this.visible.value || !this.mayStart.value || store.playing.value) return null;
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
    this.spherizes.value = null;
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
