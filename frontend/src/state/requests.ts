/** What is asked of the server for the series on the screen: a key, whether the value of an earlier key may stay, and how it is loaded. */
import type { Api, MatrixName, PointsQuery } from "../data/api";
import type { ArrayReply } from "../data/decode";
import type {
  CompareReply,
  FactorsReply,
  Labels,
  NeighborsReply,
  PointsInfo,
  RanksReply,
  SparsityReply,
  SpectraInfo,
} from "../data/types";
import type { Current } from "./current";
import { isLine } from "./line";
import type { Other } from "./other";
import type { Wanted } from "./resource";
import { factorMethodOf, groupOf, MAX_COMPONENTS, type Method, OWN_AXES, type Spec, scoreMethodOf } from "./spec";

export type PointsReply = ArrayReply<PointsInfo>;
export type SpectraReply = ArrayReply<SpectraInfo>;

/** Components fetched at first; fewer where each costs much. */
const COMPONENTS = { few: 4, many: 8, aboveRows: 200_000 };
/** Rows shown at either end of a factor. */
const N_TOP = 8;
/** Rows listed of those that changed most. */
const N_CHANGED = 20;

type Step = Current["checkpoint"];

type Named = Pick<Current, "run" | "matrix" | "checkpoint">;

export function nameOf(now: Named, { checkpoint, fingerprint }: Step = now.checkpoint): MatrixName {
  return { run: now.run.run, checkpoint, matrix: now.matrix.matrix, fingerprint };
}

function seriesKey(now: Current, ...parts: readonly unknown[]): string {
  return JSON.stringify([now.run.run, now.matrix.matrix, ...parts]);
}

/** A value of the same series stays until the wanted one is there. */
function within<Value>(series: string, rest: unknown, load: Wanted<Value>["load"]): Wanted<Value> {
  return { key: `${series} ${JSON.stringify(rest)}`, keeps: (earlier) => earlier.startsWith(`${series} `), load };
}

/** How many components of the points of a method are asked for; searched axes depend on how many are searched, and a map on its dimensions. */
function wantedComponents({ dims }: Spec, now: Current, method: Method, least: number, nFactors: number): number {
  const group = groupOf(method);
  if (group === "searched") return nFactors;
  if (group === "maps") return dims;
  const enough = now.matrix.shape[0] > COMPONENTS.aboveRows ? COMPONENTS.few : COMPONENTS.many;
  return Math.min(Math.max(enough, least), MAX_COMPONENTS);
}

function points(api: Api, now: Current, query: PointsQuery): Wanted<PointsReply> {
  const { method, transform, checkpoint, fingerprint, nComponents, axes, column, between, withQuality } = query;
  const series = seriesKey(now, method, transform, column, between);
  const rest = [checkpoint, fingerprint, nComponents, axes, withQuality];
  return within(series, rest, (asking) => api.points(query, asking));
}

/** The step on whose axes the points of another step are shown. */
function referenceOf({ method, axes }: Spec, now: Current, shown: Step): PointsQuery["axes"] {
  const isOther = method === "pca" && axes !== OWN_AXES && axes !== shown.checkpoint;
  const found = isOther ? now.steps.find((step) => step.checkpoint === axes) : undefined;
  return found && { checkpoint: found.checkpoint, fingerprint: found.fingerprint };
}

/** Null where the method must first be told what to tell apart. */
function pointsQuery(spec: Spec, now: Current, checkpoint: Step, nFactors: number): PointsQuery | null {
  const { method, transform, components } = spec;
  const column = method === "lda" ? spec.column : undefined;
  const between = method === "line" ? spec.between : undefined;
  if (column === "" || (between !== undefined && !isLine(between))) return null;
  const axes = referenceOf(spec, now, checkpoint);
  const nComponents = wantedComponents(spec, now, method, Math.max(...components) + 1, nFactors);
  return { ...nameOf(now, checkpoint), method, transform, nComponents, axes, column, between };
}

export function pointsOf(
  api: Api,
  spec: Spec,
  now: Current,
  nFactors: number,
  checkpoint: Step = now.checkpoint,
): Wanted<PointsReply> | null {
  const query = pointsQuery(spec, now, checkpoint, nFactors);
  if (!query) return null;
  // Where all points take long, those of a sample stand for them.
  return { ...points(api, now, query), load: (asking, onSample) => api.points(query, { ...asking, onSample }) };
}

/** How far the first components keep the neighbours of the rows: as many as are shown, or all that were searched together. */
export function qualityOf(api: Api, spec: Spec, now: Current, nFactors: number): Wanted<PointsReply> | null {
  const query = pointsQuery(spec, now, now.checkpoint, nFactors);
  if (!query) return null;
  const nComponents = groupOf(spec.method) === "searched" ? query.nComponents : spec.dims;
  return points(api, now, { ...query, nComponents, withQuality: true });
}

/** The scores of all rows on the factors of this step itself, of which the points may be others. */
export function scoresOf(api: Api, spec: Spec, now: Current, least: number, nFactors: number): Wanted<PointsReply> {
  const method = scoreMethodOf(spec.method);
  const nComponents = wantedComponents(spec, now, method, least, nFactors);
  return points(api, now, { ...nameOf(now), method, transform: spec.transform, nComponents });
}

export function factorsOf(api: Api, spec: Spec, now: Current, k: number): Wanted<FactorsReply> {
  const { transform } = spec;
  const method = factorMethodOf(spec.method);
  const reference = referenceOf(spec, now, now.checkpoint);
  const query = { ...nameOf(now), method, transform, k, nTop: N_TOP, reference };
  const { fingerprint } = now.checkpoint;
  return within(seriesKey(now, method, transform), [fingerprint, k, reference?.fingerprint], (asking) =>
    api.factors(query, asking),
  );
}

export function ranksOf(api: Api, { transform }: Spec, now: Current): Wanted<RanksReply> {
  return within(seriesKey(now, transform), now.checkpoint.fingerprint, (asking) =>
    api.ranks(nameOf(now), transform, asking),
  );
}

export function sparsityOf(api: Api, { transform }: Spec, now: Current): Wanted<SparsityReply> {
  return within(seriesKey(now, transform), now.checkpoint.fingerprint, (asking) =>
    api.sparsity(nameOf(now), transform, asking),
  );
}

export function neighborsOf(
  api: Api,
  { transform, distance }: Spec,
  now: Current,
  rows: readonly number[],
): Wanted<NeighborsReply> {
  const query = { rows, metric: distance, transform };
  return within(seriesKey(now, transform, distance), [now.checkpoint.fingerprint, rows], (asking) =>
    api.neighbors(nameOf(now), query, asking),
  );
}

export function comparisonOf(api: Api, { transform }: Spec, now: Current, other: Other): Wanted<CompareReply> {
  const { match } = other;
  const series = seriesKey(now, transform, other.run.run, other.matrix.matrix, match);
  const rest = [now.checkpoint.fingerprint, other.checkpoint.fingerprint];
  return within(series, rest, (asking) =>
    api.compare(nameOf(now), nameOf(other), { match, transform, nTop: N_CHANGED }, asking),
  );
}

/** `turn` makes another key of the same question, for an answer that was not complete. */
export function spectraOf(api: Api, spec: Spec, now: Current, asks: boolean, turn: string): Wanted<SpectraReply> {
  const { transform } = spec;
  const { run, matrix, checkpoint: first } = nameOf(now);
  return within(seriesKey(now, transform), [turn, asks], (asking) =>
    api.spectra({ run, matrix, transform, first, ask: asks ? 1 : undefined }, asking),
  );
}

/** One label file serves every step, so its labels are fetched once a series. */
export function labelsOf(api: Api, now: Current): Wanted<Labels> | null {
  const { labels, shape } = now.matrix;
  if (!labels) return null;
  return { key: seriesKey(now, shape[0], labels), load: (asking) => api.labels(nameOf(now), asking) };
}
