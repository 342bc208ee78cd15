/** What is fetched of the series on the screen, and what of it waits until somebody asks. */
import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Api } from "../data/api";
import { ByteCache } from "../data/cache";
import type { CompareReply, FactorsReply, Labels, NeighborsReply, RanksReply, SparsityReply } from "../data/types";
import type { Current } from "./current";
import { findOther, type Other } from "./other";
import {
  comparisonOf,
  factorsOf,
  labelsOf,
  neighborsOf,
  type PointsReply,
  pointsOf,
  qualityOf,
  ranksOf,
  type SpectraReply,
  scoresOf,
  sparsityOf,
  spectraOf,
} from "./requests";
import { type Resource, resource, type Wanted } from "./resource";
import { keyOf } from "./rows";
import { factorOf, groupOf, type Spec } from "./spec";
import type { Store } from "./store";
import { factoredAre } from "./transform";

const CACHE_BYTES = 192 * 1024 * 1024;
const SPECTRA_MS = 1200;
/** Factors listed at first. */
const FACTORS = 8;
/** How many of the selected rows are asked for their neighbours. */
const QUERIED = 5;
/** From here on a matrix may be one that the server does not compute unasked. */
const LARGE = { bytes: 1e9, bytesEach: 4 };

type Build<Value> = (now: Current, spec: Spec) => Wanted<Value> | null;

export class Series {
  readonly spectra: Resource<SpectraReply>;
  readonly points: Resource<PointsReply>;
  readonly labels: Resource<Labels>;
  readonly ranks: Resource<RanksReply>;
  readonly factors: Resource<FactorsReply>;
  readonly nFactors = signal(FACTORS);
  /** The scores of the rows on the factors of the current step, where something shows them. */
  readonly scores: Resource<PointsReply>;
  /** How far the points keep the neighbours of the rows, and what pruning would cost: once somebody has asked. */
  readonly quality: Resource<PointsReply>;
  readonly asksQuality = signal(false);
  readonly sparsity: Resource<SparsityReply>;
  readonly asksSparsity = signal(false);
  /** What the matrix is compared with, and how alike they are where that is shown. */
  readonly other: ReadonlySignal<Other | null>;
  readonly comparison: Resource<CompareReply>;
  /** The rows nearest to those that were selected last, where that is shown. */
  readonly neighbors: Resource<NeighborsReply>;
  /** The current matrix is so large that nothing of it is computed before somebody asks. */
  readonly isWaiting: ReadonlySignal<boolean>;
  /** Label columns whose values make groups of rows. */
  readonly groupColumns: ReadonlySignal<readonly string[]>;
  /** The spec with a column of groups where it names none. */
  private readonly settled: ReadonlySignal<Spec>;
  private readonly api: Api;
  private readonly cache = new ByteCache<PointsReply>(CACHE_BYTES);
  private readonly turn = signal(0);
  /** The series whose large matrices somebody has asked to compute. */
  private readonly asked: Signal<string | null> = signal(null);

  constructor(private readonly store: Store) {
    const { api } = store;
    this.api = api;
    const cached = { cache: this.cache, bytesOf: (reply: PointsReply) => reply.n_bytes };
    this.spectra = this.resource((now, spec) => {
      const turn = `${store.catalogue.value?.version} ${this.turn.value}`;
      return spectraOf(api, spec, now, this.hasAsked(now), turn);
    });
    this.isWaiting = computed(() => store.current.value !== null && this.waits(store.current.value));
    this.labels = this.resource((now) => labelsOf(api, now));
    this.groupColumns = computed(() => {
      const columns = this.labels.state.value.value?.columns ?? [];
      return columns.filter(({ kind }) => kind === "category").map(({ name }) => name);
    });
    this.settled = computed(() => {
      const spec = store.spec.value;
      return spec.column === "" ? { ...spec, column: this.groupColumns.value[0] ?? "" } : spec;
    });
    const unlessLarge = <Value>(build: Build<Value>): Build<Value> => {
      return (now) => (this.isWaiting.value ? null : build(now, this.settled.value));
    };
    this.points = this.resource(
      unlessLarge((now, spec) => pointsOf(api, spec, now, this.nFactors.value)),
      cached,
    );
    this.ranks = this.resource(unlessLarge((now, spec) => ranksOf(api, spec, now)));
    this.factors = this.resource(unlessLarge((now, spec) => factorsOf(api, spec, now, this.nFactors.value)));
    const nScores = computed(() => this.neededScores());
    this.scores = this.resource(
      unlessLarge((now, spec) =>
        nScores.value > 0 ? scoresOf(api, spec, now, nScores.value, this.nFactors.value) : null,
      ),
      cached,
    );
    this.quality = this.resource(
      unlessLarge((now, spec) => (this.asksQuality.value ? qualityOf(api, spec, now, this.nFactors.value) : null)),
    );
    this.sparsity = this.resource(
      unlessLarge((now, spec) => (this.asksSparsity.value ? sparsityOf(api, spec, now) : null)),
    );
    this.other = computed(() => {
      const [now, catalogue] = [store.current.value, store.catalogue.value];
      return now && catalogue && findOther(store.spec.value, catalogue, now);
    });
    this.comparison = this.resource(
      unlessLarge((now, spec) => {
        const other = spec.beside === "compare" ? this.other.value : null;
        return other && comparisonOf(api, spec, now, other);
      }),
    );
    this.neighbors = this.resource(
      unlessLarge((now, spec) => {
        void store.selection.current.value;
        const rows = spec.beside === "nearest" ? store.selection.of(factoredAre(spec.transform)).slice(-QUERIED) : [];
        return rows.length > 0 ? neighborsOf(api, spec, now, rows.reverse()) : null;
      }),
    );
    this.askSpectraAgain();
    this.prefetchNeighbours();
  }

  /** Computes what waits because it is large. */
  askForLarge(): void {
    const name = this.store.name.peek();
    if (name) this.asked.value = keyOf(name);
  }

  private resource<Value>(
    build: Build<Value>,
    options: { cache?: ByteCache<Value>; bytesOf?: (value: Value) => number } = {},
  ): Resource<Value> {
    const { current, spec } = this.store;
    return resource(
      computed(() => current.value && build(current.value, spec.value)),
      options,
    );
  }

  private hasAsked(now: Current): boolean {
    return this.asked.value === keyOf({ run: now.run.run, matrix: now.matrix.matrix });
  }

  private waits(now: Current): boolean {
    if (this.hasAsked(now)) return false;
    const { value } = this.spectra.state.value;
    const here = value?.info.checkpoints.find((entry) => entry.checkpoint === now.checkpoint.checkpoint);
    if (here) return here.state === "waiting";
    // Until the server has said which ones wait, a matrix that may be one of them is not asked for.
    return now.matrix.shape[0] * now.matrix.shape[1] * LARGE.bytesEach > LARGE.bytes;
  }

  /** On how many factors the scores of rows are shown: as colours, or those of the selected ones. */
  private neededScores(): number {
    const { kind, indices } = this.store.selection.current.value;
    const { transform, colour } = this.store.spec.value;
    const ofSelected = kind === factoredAre(transform) && indices.length > 0 ? this.nFactors.value : 0;
    return Math.max(factorOf(colour) ?? 0, ofSelected);
  }

  private askSpectraAgain(): void {
    effect(() => {
      const { value, loading } = this.spectra.state.value;
      if (loading || !value || value.info.n_pending === 0) return;
      const timer = setTimeout(() => {
        this.turn.value += 1;
      }, SPECTRA_MS);
      return () => clearTimeout(timer);
    });
  }

  /** The steps beside the one shown are fetched when it is there, so that the slider finds them ready. */
  private prefetchNeighbours(): void {
    let controller: AbortController | null = null;
    effect(() => {
      const { value, valueKey, key, loading } = this.points.state.value;
      const now = this.store.current.value;
      controller?.abort();
      if (!now || !value || loading || valueKey !== key || value.n_bytes > CACHE_BYTES / 8) return;
      const own = new AbortController();
      controller = own;
      const neighbours = [now.steps[now.index + 1], now.steps[now.index - 1]].filter((step) => step !== undefined);
      // What has to be searched for is not searched for unasked.
      const spec = this.settled.value;
      if (groupOf(spec.method) !== "factors") return;
      const wanted = neighbours.map((step) => pointsOf(this.api, spec, now, this.nFactors.value, step));
      void this.prefetch(
        wanted.filter((want) => want !== null),
        own,
      );
    });
  }

  private async prefetch(wanted: Wanted<PointsReply>[], own: AbortController): Promise<void> {
    for (const want of wanted) {
      if (own.signal.aborted || this.cache.has(want.key)) continue;
      try {
        // Not computed yet: it is now under way, and waiting for it would hold a connection.
        const reply = await want.load({ signal: own.signal, onPending: () => own.abort() });
        this.cache.set(want.key, reply, reply.n_bytes);
      } catch {
        // A step that cannot be read says so when somebody goes to it.
      }
    }
  }
}
