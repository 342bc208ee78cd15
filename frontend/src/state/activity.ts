/** What the worker does for the screen that is shown, asked while something on it is missing. */
import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Sentence, Status } from "../data/types";
import type { Overview } from "./overview";
import { poll } from "./poll";
import { sentenceOf } from "./resource";
import type { Store } from "./store";

const BUSY_MS = 1000;
const IDLE_MS = 5000;

export class Activity {
  /** How many answers the screen still waits for. */
  readonly nPending: ReadonlySignal<number>;
  readonly status: Signal<Status | null> = signal(null);
  /** Why the last wish could not be passed on. */
  readonly error: Signal<Sentence | null> = signal(null);

  constructor(
    private readonly store: Store,
    overview: Overview,
  ) {
    this.nPending = computed(() => {
      if (store.screen.value === "overview") return overview.nPending.value;
      return store.screen.value === "view" ? (store.series.spectra.state.value.value?.info.n_pending ?? 0) : 0;
    });
    const isMissing = computed(() => this.nPending.value > 0);
    const feed = poll(() => this.ask());
    effect(() => {
      if (isMissing.value) feed.now();
    });
  }

  /** Stops and goes on with what is computed unasked. */
  async pause(on: boolean): Promise<void> {
    await this.tell(async () => {
      this.status.value = await this.store.api.pause(on);
    });
  }

  async cancel(job: string): Promise<void> {
    await this.tell(() => this.store.api.cancel(job));
  }

  private async ask(): Promise<number> {
    if (this.nPending.peek() === 0) return IDLE_MS;
    await this.tell(async () => {
      this.status.value = await this.store.api.status();
    });
    return BUSY_MS;
  }

  private async tell(wish: () => Promise<void>): Promise<void> {
    try {
      await wish();
      this.error.value = null;
    } catch (error) {
      this.error.value = sentenceOf(error);
    }
  }
}
