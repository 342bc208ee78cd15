/** The first screen: every matrix of every run with what is known of it, as far as the server has got. */
import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { OverviewItem, Role, RunEntry, Sentence } from "../data/types";
import { mainSeries, matricesOf } from "./current";
import { sharedPrefix, shortName } from "./naming";
import { type Poll, poll } from "./poll";
import { sentenceOf } from "./resource";
import { filterItems, keepUnchanged, orderItems, steadyOrder } from "./rows";
import { ROLES } from "./spec";
import type { Store } from "./store";

const PENDING_MS = 1200;
const IDLE_MS = 5000;

export class Overview {
  /** In the server's order, most troubled first; null before the first reply. */
  readonly items: Signal<readonly OverviewItem[] | null> = signal(null);
  readonly nPending = signal(0);
  readonly error: Signal<Sentence | null> = signal(null);
  /** What the table shows. While somebody points at a row or has the focus on one, the rows keep their places. */
  readonly rows: Signal<readonly OverviewItem[]> = signal([]);
  readonly isHeld: ReadonlySignal<boolean>;
  /** The same for what stands above the table. */
  readonly isLeadHeld = signal(false);
  /** Whether the rows would stand in another order if nobody held them. */
  readonly isStale: ReadonlySignal<boolean>;
  readonly feed: Poll;
  /** What all names of a run's matrices begin with, by run. */
  /** The kinds of matrices shown: those chosen, or those that matter most in this log directory. */
  readonly roles: ReadonlySignal<readonly Role[]>;
  private readonly prefixes: ReadonlySignal<Map<string, string>>;
  private readonly holds = { pointer: signal(false), focus: signal(false) };
  private readonly wished: ReadonlySignal<readonly OverviewItem[]>;
  /** The choices of which the last reply was the answer. */
  private answered = "";

  constructor(private readonly store: Store) {
    const choice = computed(() => {
      const { find, onlyRun, sort, descending } = store.spec.value;
      return JSON.stringify([find, onlyRun, sort, descending]);
    });
    this.wished = computed(() => {
      void choice.value;
      const spec = store.spec.peek();
      return orderItems(filterItems(this.items.value ?? [], spec), spec);
    });
    this.prefixes = computed(() => {
      const { value: catalogue } = store.catalogue;
      const namesOf = (run: RunEntry) => (catalogue ? matricesOf(catalogue, run).map(({ matrix }) => matrix) : []);
      return new Map(catalogue?.runs.map((run) => [run.run, sharedPrefix(namesOf(run))]));
    });
    this.roles = computed(() => {
      const chosen = store.spec.value.roles;
      const main = store.catalogue.value ? mainSeries(store.catalogue.value).map(({ matrix }) => matrix.role) : [];
      return chosen.length > 0 ? chosen : ROLES.filter((role) => main.includes(role));
    });
    this.isHeld = computed(() => this.holds.pointer.value || this.holds.focus.value);
    let lastChoice = "";
    effect(() => {
      // A new filter or order is what somebody asks for now, so it is obeyed at once.
      const keeps = this.isHeld.value && choice.value === lastChoice;
      lastChoice = choice.value;
      this.rows.value = keeps ? steadyOrder(this.wished.value, this.rows.peek()) : this.wished.value;
    });
    this.isStale = computed(() => this.rows.value.some((item, at) => item !== this.wished.value[at]));
    this.feed = poll(() => this.ask());
    effect(() => {
      void this.wanted();
      if (store.screen.value === "overview") this.feed.now();
    });
  }

  nameOf({ run, matrix }: OverviewItem): string {
    return shortName(matrix, this.prefixes.value.get(run));
  }

  /** Tells that somebody is at the rows, or no longer is. */
  hold(by: "pointer" | "focus", on: boolean): void {
    this.holds[by].value = on;
  }

  /** Puts the rows into the order they would have. */
  sortAnew(): void {
    this.rows.value = this.wished.peek();
  }

  private wanted(): string {
    return `${this.store.catalogue.value?.version} ${this.roles.value}`;
  }

  private async ask(): Promise<number> {
    const wanted = this.wanted();
    const isKnown = wanted === this.answered && this.nPending.peek() === 0;
    if (this.store.screen.peek() !== "overview" || isKnown) return IDLE_MS;
    try {
      const reply = await this.store.api.overview(this.roles.peek());
      this.error.value = null;
      this.items.value = keepUnchanged(reply.items, this.items.peek() ?? []);
      this.nPending.value = reply.n_pending;
      this.answered = wanted;
      return reply.n_pending > 0 ? PENDING_MS : IDLE_MS;
    } catch (error) {
      this.error.value = sentenceOf(error);
      return IDLE_MS;
    }
  }
}
