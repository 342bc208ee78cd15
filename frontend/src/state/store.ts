/** The signals of one tab: spec -> what it names -> what is fetched for it. Renderers and panels read them. */
import { batch, computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { type Api, type MatrixName, ownSentence } from "../data/api";
import { ByteCache } from "../data/cache";
import type { Catalogue, FactorsReply, Labels, MetricEntry, RanksReply, Sentence } from "../data/types";
import { type Current, findCurrent, screenOf, settle } from "./current";
import { type Poll, poll } from "./poll";
import {
  factorsOf,
  labelsOf,
  nameOf,
  type PointsReply,
  pointsOf,
  qualityOf,
  ranksOf,
  type SpectraReply,
  scoresOf,
  spectraOf,
} from "./requests";
import { type Resource, resource, sentenceOf, type Wanted } from "./resource";
import { keyOf } from "./rows";
import { SelectionStore } from "./selection";
import { factorOf, groupOf, type Spec } from "./spec";

const CACHE_BYTES = 192 * 1024 * 1024;
const CATALOGUE_MS = 5000;
const SCANNING_MS = 800;
const SPECTRA_MS = 1200;
/** Factors listed at first. */
const FACTORS = 8;

/** From here on a matrix may be one that the server does not compute unasked. */
const LARGE = { bytes: 1e9, bytesEach: 4 };

/** What belongs to one matrix of one run and not to the next one. */
const UNPLACED: Partial<Spec> = { screen: "", checkpoint: "", axes: "", transform: "", column: "", between: "" };

export interface SpecLink {
  read: () => Spec;
  write: (spec: Spec, how: "push" | "replace") => void;
  /** The address of the tab with another spec, for links. */
  href: (spec: Spec) => string;
  /** Called when the address changed from outside (back, forward, a pasted link). */
  listen: (changed: () => void) => void;
}

type Build<Value> = (now: Current, spec: Spec) => Wanted<Value> | null;

export class Store {
  readonly spec: Signal<Spec>;
  readonly catalogue: Signal<Catalogue | null> = signal(null);
  readonly catalogueError: Signal<Sentence | null> = signal(null);
  /** What was done with a link that names what is not there; until the user goes on. */
  readonly notice: Signal<Sentence | null> = signal(null);
  /** Null while it is not known what there is. */
  readonly screen: ReadonlySignal<"overview" | "view" | null>;
  /** What the view shows; null on the overview. */
  readonly current: ReadonlySignal<Current | null>;
  readonly name: ReadonlySignal<MatrixName | null>;
  /** Label columns whose values make groups of rows. */
  readonly groupColumns: ReadonlySignal<readonly string[]>;
  /** The spec with a column of groups where it names none. */
  private readonly settled: ReadonlySignal<Spec>;
  readonly selection = new SelectionStore();
  readonly playing = signal(false);
  /** The row of the overview that was opened last: the focus comes back to it. */
  readonly opened: Signal<string | null> = signal(null);
  /** Whether a view was just opened from the overview: the focus goes to its steps. */
  readonly hasArrived = signal(false);
  /** True once our own first points are on the screen: then the standard projector may start. */
  readonly hasDrawn = signal(false);
  readonly spectra: Resource<SpectraReply>;
  readonly points: Resource<PointsReply>;
  /** The scores of the rows on the factors of the current step, where something shows them. */
  readonly scores: Resource<PointsReply>;
  readonly factors: Resource<FactorsReply>;
  readonly nFactors = signal(FACTORS);
  /** How far the points keep the neighbours of the rows, once somebody has asked. */
  readonly quality: Resource<PointsReply>;
  readonly asksQuality = signal(false);
  readonly labels: Resource<Labels>;
  readonly ranks: Resource<RanksReply>;
  readonly metrics: Resource<MetricEntry[]>;
  readonly catalogueFeed: Poll;
  private readonly cache = new ByteCache<PointsReply>(CACHE_BYTES);
  private readonly spectraTurn = signal(0);
  /** The series whose large matrices somebody has asked to compute. */
  private readonly asked: Signal<string | null> = signal(null);
  /** The current matrix is so large that nothing of it is computed before somebody asks. */
  readonly isWaiting: ReadonlySignal<boolean>;

  constructor(
    readonly api: Api,
    private readonly link: SpecLink,
  ) {
    this.spec = signal(link.read());
    link.listen(() => {
      this.playing.value = false;
      this.spec.value = link.read();
    });
    this.screen = computed(() => this.catalogue.value && screenOf(this.spec.value, this.catalogue.value));
    this.current = computed(() => {
      const catalogue = this.catalogue.value;
      return catalogue && this.screen.value === "view" ? findCurrent(this.spec.value, catalogue) : null;
    });
    this.name = computed(() => this.current.value && nameOf(this.current.value));
    this.spectra = resource(
      this.wanted((now, spec) => {
        const turn = `${this.catalogue.value?.version} ${this.spectraTurn.value}`;
        return spectraOf(api, spec, now, this.hasAsked(now), turn);
      }),
    );
    this.isWaiting = computed(() => {
      const now = this.current.value;
      if (!now || this.hasAsked(now)) return false;
      const { value } = this.spectra.state.value;
      const here = value?.info.checkpoints.find((entry) => entry.checkpoint === now.checkpoint.checkpoint);
      if (here) return here.state === "waiting";
      // Until the server has said which ones wait, a matrix that may be one of them is not asked for.
      return now.matrix.shape[0] * now.matrix.shape[1] * LARGE.bytesEach > LARGE.bytes;
    });
    const cached = { cache: this.cache, bytesOf: (reply: PointsReply) => reply.n_bytes };
    this.labels = resource(this.wanted((now, spec) => labelsOf(api, spec, now)));
    this.groupColumns = computed(() => {
      const columns = this.labels.state.value.value?.columns ?? [];
      return columns.filter(({ kind }) => kind === "category").map(({ name }) => name);
    });
    this.settled = computed(() => {
      const spec = this.spec.value;
      return spec.column === "" ? { ...spec, column: this.groupColumns.value[0] ?? "" } : spec;
    });
    const unlessLarge = <Value>(build: Build<Value>) =>
      this.wanted((now, spec) => (this.isWaiting.value ? null : build(now, spec)));
    this.points = resource(
      unlessLarge((now) => pointsOf(api, this.settled.value, now, this.nFactors.value)),
      cached,
    );
    this.quality = resource(
      unlessLarge((now) =>
        this.asksQuality.value ? qualityOf(api, this.settled.value, now, this.nFactors.value) : null,
      ),
    );
    const nScores = computed(() => {
      const selects = this.selection.current.value.indices.length > 0 && this.selection.current.value.kind === "rows";
      return Math.max(factorOf(this.spec.value.colour) ?? 0, selects ? this.nFactors.value : 0);
    });
    this.scores = resource(
      unlessLarge((now, spec) =>
        nScores.value > 0 ? scoresOf(api, spec, now, nScores.value, this.nFactors.value) : null,
      ),
      cached,
    );
    this.factors = resource(unlessLarge((now, spec) => factorsOf(api, spec, now, this.nFactors.value)));
    this.ranks = resource(unlessLarge((now, spec) => ranksOf(api, spec, now)));
    this.metrics = resource(computed(() => ({ key: "metrics", load: (asking) => this.api.metrics(asking) })));
    this.catalogueFeed = poll(() => this.askCatalogue());
    this.settleSpec();
    this.askSpectraAgain();
    this.prefetchNeighbours();
  }

  private wanted<Value>(build: Build<Value>): ReadonlySignal<Wanted<Value> | null> {
    return computed(() => this.current.value && build(this.current.value, this.spec.value));
  }

  private hasAsked(now: Current): boolean {
    return this.asked.value === keyOf({ run: now.run.run, matrix: now.matrix.matrix });
  }

  /** Changes the spec. "push" makes a step of the browser's history of it. */
  update(patch: Partial<Spec>, how: "push" | "replace" = "replace"): void {
    this.spec.value = { ...this.spec.peek(), ...patch };
    this.link.write(this.spec.peek(), how);
  }

  /** Goes to another run or matrix: axes belong to one, the selection to the rows of one. */
  goTo(patch: Partial<Pick<Spec, "screen" | "run" | "matrix">>): void {
    batch(() => {
      this.playing.value = false;
      this.selection.clear();
      this.notice.value = null;
      this.update({ ...UNPLACED, ...patch }, "push");
    });
  }

  /** Opens the view of a row of the overview, at its last checkpoint. */
  open(run: string, matrix: string): void {
    batch(() => {
      this.opened.value = keyOf({ run, matrix });
      this.hasArrived.value = true;
      this.goTo({ run, matrix });
    });
  }

  hrefOf(spec: Spec): string {
    return this.link.href(spec);
  }

  goToOverview(): void {
    this.goTo({ screen: "overview", run: "", matrix: "" });
  }

  goToStep(index: number): void {
    const now = this.current.peek();
    const checkpoint = now?.steps[Math.min(Math.max(index, 0), now.steps.length - 1)];
    if (checkpoint) this.update({ checkpoint: checkpoint.checkpoint });
  }

  private async askCatalogue(): Promise<number> {
    try {
      const reply = await this.api.catalogue(this.catalogue.peek()?.version);
      this.catalogueError.value = null;
      const held = this.catalogue.peek();
      if (!("unchanged" in reply)) this.catalogue.value = reply;
      else if (held && held.state !== reply.state) this.catalogue.value = { ...held, state: reply.state };
      return reply.state === "scanning" ? SCANNING_MS : CATALOGUE_MS;
    } catch (error) {
      this.catalogueError.value = sentenceOf(error);
      return CATALOGUE_MS;
    }
  }

  private settleSpec(): void {
    effect(() => {
      const catalogue = this.catalogue.value;
      const settled = catalogue && this.screen.value === "view" ? settle(this.spec.value, catalogue) : null;
      if (!settled || settled === this.spec.peek()) return;
      const { run } = this.spec.peek();
      if (settled.run === "") this.notice.value = ownSentence("client_unknown_run", { run });
      this.update(settled);
    });
  }

  /** Computes what waits because it is large. */
  askForLarge(): void {
    const name = this.name.peek();
    if (name) this.asked.value = keyOf(name);
  }

  private askSpectraAgain(): void {
    effect(() => {
      const { value, loading } = this.spectra.state.value;
      if (loading || !value || value.info.n_pending === 0) return;
      const timer = setTimeout(() => {
        this.spectraTurn.value += 1;
      }, SPECTRA_MS);
      return () => clearTimeout(timer);
    });
  }

  /** The steps beside the one shown are fetched when it is there, so that the slider finds them ready. */
  private prefetchNeighbours(): void {
    let controller: AbortController | null = null;
    effect(() => {
      const { value, valueKey, key } = this.points.state.value;
      const now = this.current.value;
      controller?.abort();
      if (!now || !value || valueKey !== key || value.n_bytes > CACHE_BYTES / 8) return;
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
