/** The signals of one tab: the spec, what it names in the catalogue, and the series that is shown. Renderers and panels read them. */
import { batch, computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { type Api, type MatrixName, ownSentence } from "../data/api";
import type { Catalogue, MetricEntry, Sentence } from "../data/types";
import { type Current, findCurrent, screenOf, settle, stepsOf } from "./current";
import { type Poll, poll } from "./poll";
import { nameOf } from "./requests";
import { type Resource, resource, sentenceOf } from "./resource";
import { keyOf } from "./rows";
import { SelectionStore } from "./selection";
import { Series } from "./series";
import type { Spec } from "./spec";

const CATALOGUE_MS = 5000;
const SCANNING_MS = 800;
/** What belongs to one matrix of one run and not to the next one. */
const UNPLACED: Partial<Spec> = {
  screen: "",
  checkpoint: "",
  axes: "",
  transform: "",
  column: "",
  between: "",
  otherRun: "",
  otherMatrix: "",
  otherCheckpoint: "",
  match: "",
};

/** What a spec named that is not there, so that something else is shown. */
function unknownIn({ run, matrix, checkpoint }: Spec, settled: Spec): Sentence | null {
  if (settled.run === "") return ownSentence("client_unknown_run", { run });
  if (matrix !== "" && settled.matrix !== matrix) return ownSentence("client_unknown_matrix", { run, matrix });
  if (checkpoint !== "" && settled.checkpoint === "") return ownSentence("client_unknown_checkpoint", { checkpoint });
  return null;
}

export interface SpecLink {
  read: () => Spec;
  write: (spec: Spec, how: "push" | "replace") => void;
  /** The address of the tab with another spec, for links. */
  href: (spec: Spec) => string;
  /** Called when the address changed from outside (back, forward, a pasted link). */
  listen: (changed: () => void) => void;
}

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
  readonly metrics: Resource<MetricEntry[]>;
  readonly series: Series;
  readonly catalogueFeed: Poll;

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
    this.metrics = resource(computed(() => ({ key: "metrics", load: (asking) => this.api.metrics(asking) })));
    this.catalogueFeed = poll(() => this.askCatalogue());
    this.settleSpec();
    this.series = new Series(this);
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

  /** Another run, with the same matrix where it has it. */
  goToRun(name: string): void {
    const catalogue = this.catalogue.peek();
    const run = catalogue?.runs.find((entry) => entry.run === name);
    const { matrix } = this.spec.peek();
    const hasIt = catalogue && run && stepsOf(catalogue, run, matrix).length > 0;
    this.goTo({ run: name, matrix: hasIt ? matrix : "" });
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
      const unknown = unknownIn(this.spec.peek(), settled);
      if (unknown) this.notice.value = unknown;
      this.update(settled);
    });
  }
}
