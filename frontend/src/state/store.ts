/** The signals of one tab: spec -> what it names -> what is fetched for it. Renderers and panels read them. */
import { batch, computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { type Api, type MatrixName, ownSentence } from "../data/api";
import { ByteCache } from "../data/cache";
import type { ArrayReply } from "../data/decode";
import type { Catalogue, Labels, MetricEntry, PointsInfo, RanksReply, Sentence, SpectraInfo } from "../data/types";
import { type Current, findCurrent, screenOf, settle } from "./current";
import { type Poll, poll } from "./poll";
import { type Resource, resource, sentenceOf, type Wanted } from "./resource";
import { keyOf } from "./rows";
import { SelectionStore } from "./selection";
import { MAX_COMPONENTS, OWN_AXES, type Spec } from "./spec";

const CACHE_BYTES = 192 * 1024 * 1024;
const CATALOGUE_MS = 5000;
const SCANNING_MS = 800;
const SPECTRA_MS = 1200;
/** Components fetched at first; fewer where each costs much. */
const COMPONENTS = { few: 4, many: 8, aboveRows: 200_000 };

/** From here on a matrix may be one that the server does not compute unasked. */
const LARGE = { bytes: 1e9, bytesEach: 4 };

/** What belongs to one matrix of one run and not to the next one. */
const UNPLACED: Partial<Spec> = { screen: "", checkpoint: "", axes: "", transform: "" };

export interface SpecLink {
  read: () => Spec;
  write: (spec: Spec, how: "push" | "replace") => void;
  /** The address of the tab with another spec, for links. */
  href: (spec: Spec) => string;
  /** Called when the address changed from outside (back, forward, a pasted link). */
  listen: (changed: () => void) => void;
}

export type PointsReply = ArrayReply<PointsInfo>;
export type SpectraReply = ArrayReply<SpectraInfo>;

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
    this.name = computed(() => {
      const now = this.current.value;
      if (!now) return null;
      const { checkpoint, fingerprint } = now.checkpoint;
      return { run: now.run.run, matrix: now.matrix.matrix, checkpoint, fingerprint };
    });
    this.spectra = resource(computed(() => this.wantedSpectra()));
    this.isWaiting = computed(() => {
      const now = this.current.value;
      if (!now || this.asked.value === JSON.stringify([now.run.run, now.matrix.matrix])) return false;
      const { value } = this.spectra.state.value;
      const here = value?.info.checkpoints.find((entry) => entry.checkpoint === now.checkpoint.checkpoint);
      if (here) return here.state === "waiting";
      // Until the server has said which ones wait, a matrix that may be one of them is not asked for.
      return now.matrix.shape[0] * now.matrix.shape[1] * LARGE.bytesEach > LARGE.bytes;
    });
    this.points = resource(
      computed(() => (this.isWaiting.value ? null : this.wantedPoints(this.current.value))),
      { cache: this.cache, bytesOf: (reply) => reply.n_bytes },
    );
    this.ranks = resource(computed(() => (this.isWaiting.value ? null : this.wantedRanks())));
    this.labels = resource(computed(() => this.wantedLabels()));
    this.metrics = resource(computed(() => ({ key: "metrics", load: (asking) => this.api.metrics(asking) })));
    this.catalogueFeed = poll(() => this.askCatalogue());
    this.settleSpec();
    this.askSpectraAgain();
    this.prefetchNeighbours();
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

  private wantedSpectra(): Wanted<SpectraReply> | null {
    const name = this.name.value;
    if (!name) return null;
    const { run, matrix } = name;
    const { transform } = this.spec.value;
    const series = JSON.stringify([run, matrix, transform]);
    const asks = this.asked.value === JSON.stringify([run, matrix]);
    return {
      key: `${series} ${this.catalogue.value?.version} ${this.spectraTurn.value} ${asks}`,
      keeps: (earlier) => earlier.startsWith(`${series} `),
      load: (asking) =>
        this.api.spectra({ run, matrix, transform, first: name.checkpoint, ask: asks ? 1 : undefined }, asking),
    };
  }

  /** Computes what waits because it is large. */
  askForLarge(): void {
    const name = this.name.peek();
    if (name) this.asked.value = JSON.stringify([name.run, name.matrix]);
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

  /** What `points` is asked for at one checkpoint of the current series. */
  wantedPoints(now: Current | null, at?: Current["checkpoint"]): Wanted<PointsReply> | null {
    if (!now) return null;
    const { method, axes, components, transform } = this.spec.value;
    const checkpoint = at ?? now.checkpoint;
    const onAxesOf = method === "pca" && axes !== OWN_AXES && axes !== checkpoint.checkpoint ? axes : "";
    const axesCheckpoint = now.steps.find((step) => step.checkpoint === onAxesOf);
    const enough = now.matrix.shape[0] > COMPONENTS.aboveRows ? COMPONENTS.few : COMPONENTS.many;
    const query = {
      run: now.run.run,
      checkpoint: checkpoint.checkpoint,
      matrix: now.matrix.matrix,
      fingerprint: checkpoint.fingerprint,
      method,
      transform,
      nComponents: Math.min(Math.max(enough, ...components.map((component) => component + 1)), MAX_COMPONENTS),
      axes: axesCheckpoint && { checkpoint: axesCheckpoint.checkpoint, fingerprint: axesCheckpoint.fingerprint },
    };
    const series = JSON.stringify([query.run, query.matrix, method, transform]);
    return {
      key: `${series} ${JSON.stringify([checkpoint.checkpoint, query.fingerprint, query.nComponents, query.axes])}`,
      keeps: (earlier) => earlier.startsWith(`${series} `),
      load: (asking) => this.api.points(query, asking),
    };
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
      const wanted = neighbours.map((step) => this.wantedPoints(now, step)).filter((want) => want !== null);
      void this.prefetch(wanted, own);
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

  private wantedRanks(): Wanted<RanksReply> | null {
    const name = this.name.value;
    if (!name) return null;
    const { transform } = this.spec.value;
    const series = JSON.stringify([name.run, name.matrix, transform]);
    return {
      key: `${series} ${name.fingerprint}`,
      keeps: (earlier) => earlier.startsWith(`${series} `),
      load: (asking) => this.api.ranks(name, transform, asking),
    };
  }

  private wantedLabels(): Wanted<Labels> | null {
    const now = this.current.value;
    const name = this.name.value;
    if (!now?.matrix.labels || !name) return null;
    // One label file serves every step, so its labels are fetched once a series.
    const key = JSON.stringify([name.run, name.matrix, now.matrix.shape[0], now.matrix.labels]);
    return { key, load: (asking) => this.api.labels(name, asking) };
  }
}
