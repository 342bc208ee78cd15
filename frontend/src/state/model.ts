/** What the points panel shows, derived from the store: names, colours, hits, axes. */
import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { floats } from "../data/decode";
import type { LabelColumn } from "../data/types";
import type { Theme } from "../host/theme";
import { type Spectra, type SpectrumLine, spectraOf } from "../plots/series";
import { type Colouring, colourPoints, type Rgb } from "../points/palette";
import { pickComponents } from "../points/positions";
import { findTokens, foldAll, type Hits, NO_HITS } from "../points/search";
import type { PointsReply } from "./requests";
import { carriedBy, scoreColumn, scoreUnits } from "./scores";
import type { PointsAre } from "./selection";
import { AUTO_COLOUR, factorOf, groupOf, NO_COLOUR, type Spec } from "./spec";
import type { Store } from "./store";
import { factoredAre } from "./transform";

const MAX_HITS = 100_000;
const PLAIN: Record<Theme, Rgb> = { light: [66, 110, 170], dark: [129, 172, 224] };

/** The column that says most at first sight: categories, then signed numbers (a polarity), then other numbers. */
function tellingColumn(columns: readonly LabelColumn[]): LabelColumn | null {
  const numbers = columns.filter((column) => column.kind === "number");
  const isSigned = ({ values }: LabelColumn) => values.some((value) => typeof value === "number" && value < 0);
  return columns.find((column) => column.kind === "category") ?? numbers.find(isSigned) ?? numbers[0] ?? null;
}

export interface PointsScene {
  reply: PointsReply;
  /** Positions move to the next ones while this stays the same. */
  seriesKey: string;
  key: string;
  positions: Float32Array;
  dims: 2 | 3;
  n: number;
  pointsAre: PointsAre;
}

export class Model {
  readonly query: Signal<string> = signal("");
  readonly scene: ReadonlySignal<PointsScene | null>;
  /** What lists of factors, neighbours and changes name: rows of the matrix, or its columns where it is transposed. */
  readonly listedAre: ReadonlySignal<PointsAre>;
  readonly pointsAre: ReadonlySignal<PointsAre>;
  /** The column that names the points; null where rows have numbers only. */
  readonly nameColumn: ReadonlySignal<LabelColumn | null>;
  readonly colourColumn: ReadonlySignal<LabelColumn | null>;
  readonly colouring: ReadonlySignal<Colouring>;
  /** How much of each factor the selected rows have, in its root mean square. */
  readonly carried: ReadonlySignal<readonly (number | null)[]>;
  readonly hits: ReadonlySignal<Hits>;
  readonly spectra: ReadonlySignal<Spectra | null>;
  readonly line: ReadonlySignal<SpectrumLine | null>;
  private readonly scores: ReadonlySignal<PointsReply | null>;
  private readonly centeredSpectra: ReadonlySignal<Spectra | null>;
  private readonly folded: ReadonlySignal<string[] | null>;
  /** Parts of the spec by themselves, so that a move of the slider recomputes none of what depends on them only. */
  private readonly shown: ReadonlySignal<Spec["components"]>;
  private readonly dims: ReadonlySignal<2 | 3>;
  private readonly axes: ReadonlySignal<string>;
  private readonly transform: ReadonlySignal<string>;

  constructor(store: Store, theme: ReadonlySignal<Theme>) {
    this.shown = computed(() => store.spec.value.components);
    this.dims = computed(() => store.spec.value.dims);
    this.axes = computed(() => store.spec.value.axes);
    this.listedAre = computed(() => factoredAre(this.transform.value));
    this.transform = computed(() => store.spec.value.transform);
    const centered = computed(() => store.spec.value.centered);
    const spectraReply = computed(() => store.series.spectra.state.value.value);
    const pointsReply = computed(() => store.series.points.state.value.value);
    const pointsKey = computed(() => store.series.points.state.value.valueKey);
    const checkpoint = computed(() => store.name.value?.checkpoint);
    this.scene = computed(() => this.sceneOf(pointsReply.value, pointsKey.value));
    this.pointsAre = computed(() => this.scene.value?.pointsAre ?? "rows");
    this.scores = computed(() => store.series.scores.state.value.value);
    const columns = computed(() => store.series.labels.state.value.value?.columns ?? []);
    this.nameColumn = computed(() => columns.value[0] ?? null);
    this.colourColumn = computed(() => {
      const wanted = store.spec.value.colour;
      if (wanted === NO_COLOUR) return null;
      const factor = factorOf(wanted);
      const isScored = this.pointsAre.value === this.listedAre.value;
      const scores = isScored ? this.scores.value : null;
      if (factor !== null) return scores && scoreColumn(scores, factor, wanted);
      if (this.pointsAre.value === "columns") return null;
      if (wanted !== AUTO_COLOUR) return columns.value.find((column) => column.name === wanted) ?? null;
      return tellingColumn(columns.value.slice(1));
    });
    const units = computed(() => this.scores.value && scoreUnits(this.scores.value));
    this.carried = computed(() => {
      void store.selection.current.value;
      const rows = store.selection.of(this.listedAre.value);
      return this.scores.value && units.value && rows.length > 0 ? carriedBy(this.scores.value, units.value, rows) : [];
    });
    const n = computed(() => this.scene.value?.n ?? 0);
    this.colouring = computed(() => colourPoints(this.colourColumn.value, n.value, theme.value, PLAIN[theme.value]));
    this.folded = computed(() => (this.nameColumn.value ? foldAll(this.nameColumn.value.values) : null));
    this.hits = computed(() =>
      this.query.value.trim() === "" ? NO_HITS : findTokens(this.query.value, this.foldedNames(), n.value, MAX_HITS),
    );
    this.spectra = computed(() => spectraReply.value && spectraOf(spectraReply.value, centered.value));
    this.line = computed(() => this.spectra.value?.lines.find((line) => line.checkpoint === checkpoint.value) ?? null);
    this.centeredSpectra = computed(() => spectraReply.value && spectraOf(spectraReply.value, true));
  }

  private foldedNames(): string[] | null {
    return this.pointsAre.value === "rows" ? this.folded.value : null;
  }

  /** Share of the variance on the first three components of a checkpoint as stored, from its exact spectrum, where that is shown. */
  exactShare(checkpoint: string): number | null {
    if (this.transform.value !== "") return null;
    const line = this.centeredSpectra.value?.lines.find((entry) => entry.checkpoint === checkpoint);
    if (!line || line.sample) return null;
    return line.cumulative[Math.min(2, line.cumulative.length - 1)] ?? null;
  }

  /** The label of a row, or null where it has none; columns have none. */
  labelOf(index: number, kind: PointsAre): string | null {
    if (kind !== "rows") return null;
    const value = this.nameColumn.value?.values[index];
    return value === null || value === undefined || value === "" ? null : String(value);
  }

  private sceneOf(reply: PointsReply | null, replyKey: string | null): PointsScene | null {
    if (!reply || !replyKey) return null;
    const dims = this.dims.value;
    const components = this.shown.value;
    const { shape } = reply.arrays.points;
    const { run, matrix, method } = reply.info;
    const transform = this.transform.value;
    // A map of neighbours has no axes, so nothing moves from one to the next.
    const map = groupOf(method) === "maps" ? replyKey : "";
    return {
      reply,
      seriesKey: JSON.stringify([
        run,
        matrix,
        method,
        map,
        transform,
        dims,
        method === "pca" ? this.axes.value : "",
        components,
      ]),
      key: `${replyKey} ${dims} ${components}`,
      positions: pickComponents(floats(reply, "points"), shape, components, dims),
      dims,
      n: shape[0],
      pointsAre: reply.info.points_are,
    };
  }
}
