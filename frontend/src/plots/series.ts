/** The spectra of a run as lines: one a checkpoint, cut where the values are no longer known. */
import { type ArrayReply, floats } from "../data/decode";
import type { SpectraCheckpoint, SpectraInfo } from "../data/types";

export interface SpectrumLine {
  checkpoint: string;
  step: number | null;
  state: SpectraCheckpoint["state"];
  /** Known values, descending; empty where not computed. */
  sigma: Float64Array;
  /** Values that follow, below what double precision can tell: only bounds, not shown. */
  n_null: number;
  /** Share of each in Σσ², and the sum so far. */
  share: Float64Array;
  cumulative: Float64Array;
  /** Of values that a sample of the rows tells of: how many rows, and by what share the first value may be off. */
  sample: { rows: number; error: number } | null;
}

export interface Spectra {
  lines: SpectrumLine[];
  /** Length of the longest line. */
  length: number;
}

function shares(sigma: Float64Array): { share: Float64Array; cumulative: Float64Array } {
  const share = new Float64Array(sigma.length);
  const cumulative = new Float64Array(sigma.length);
  let total = 0;
  for (const value of sigma) total += value * value;
  let sum = 0;
  for (let at = 0; at < sigma.length; at++) {
    share[at] = total > 0 ? (sigma[at] * sigma[at]) / total : 0;
    sum += share[at];
    cumulative[at] = Math.min(sum, 1);
  }
  return { share, cumulative };
}

/** A line ends at the first value that is not a positive number or whose error bound is infinite. */
export function lineOf(
  values: ArrayLike<number>,
  bounds: ArrayLike<number>,
): Pick<SpectrumLine, "sigma" | "n_null" | "share" | "cumulative"> {
  let n = 0;
  while (n < values.length && values[n] > 0 && bounds[n] !== Infinity) n += 1;
  let end = n;
  while (end < values.length && !Number.isNaN(values[end])) end += 1;
  const sigma = Float64Array.from({ length: n }, (_, at) => values[at]);
  return { sigma, n_null: end - n, ...shares(sigma) };
}

export function spectraOf(reply: ArrayReply<SpectraInfo>, centered: boolean): Spectra {
  const prefix = centered ? "centered_" : "";
  const values = floats(reply, `${prefix}singular_values`);
  const bounds = floats(reply, centered ? "centered_error_bound" : "error_bound");
  const k = reply.arrays[`${prefix}singular_values`].shape[1];
  const lines = reply.info.checkpoints.map(({ checkpoint, step, state, rows_sampled: rows }, at) => {
    const line = lineOf(values.subarray(at * k, (at + 1) * k), bounds.subarray(at * k, (at + 1) * k));
    const sample = rows !== undefined && line.sigma.length > 0 ? { rows, error: bounds[at * k] } : null;
    return { checkpoint, step, state, ...line, sample };
  });
  return { lines, length: Math.max(0, ...lines.map((line) => line.sigma.length)) };
}

/** Which indices (from 0) are drawn: all of a short line, of a long one the first and then evenly in the logarithm. */
export function shownIndices(length: number, most: number): number[] {
  if (length <= most) return Array.from({ length }, (_, at) => at);
  const head = Math.floor(most / 4);
  const shown = new Set(Array.from({ length: head }, (_, at) => at));
  for (let at = 0; at <= most - head; at++) {
    shown.add(Math.min(Math.round(head * (length / head) ** (at / (most - head))), length - 1));
  }
  return [...shown].sort((a, b) => a - b);
}

/** A line at the drawn indices; null where it has no value. */
export function sampled(line: Float64Array, indices: readonly number[]): (number | null)[] {
  return indices.map((index) => (index < line.length ? line[index] : null));
}
