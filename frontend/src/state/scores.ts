/** The scores of rows on factors, as columns of a points reply. */
import { floats } from "../data/decode";
import type { LabelColumn } from "../data/types";
import type { PointsReply } from "./requests";

/** The scores of all rows on a factor (from 1) as a column of numbers; null where the reply does not have it. */
export function scoreColumn(reply: PointsReply, factor: number, name: string): LabelColumn | null {
  const [n, k] = reply.arrays.points.shape;
  if (factor > k) return null;
  const points = floats(reply, "points");
  const values = Array.from({ length: n }, (_, row) => {
    const score = points[row * k + factor - 1];
    return Number.isNaN(score) ? null : score;
  });
  return { name, kind: "number", values };
}

/** Root mean square of the scores on each factor: the unit in which factors can be compared. */
export function scoreUnits(reply: PointsReply): Float64Array {
  const [n, k] = reply.arrays.points.shape;
  const points = floats(reply, "points");
  const sums = new Float64Array(k);
  let nKnown = 0;
  for (let row = 0; row < n; row++) {
    if (Number.isNaN(points[row * k])) continue;
    nKnown += 1;
    for (let factor = 0; factor < k; factor++) sums[factor] += points[row * k + factor] ** 2;
  }
  return sums.map((sum) => Math.sqrt(sum / nKnown));
}

/** How much of each factor the rows have on average, in its unit; null where it is not known. */
export function carriedBy(reply: PointsReply, units: Float64Array, rows: readonly number[]): (number | null)[] {
  const [n, k] = reply.arrays.points.shape;
  const points = floats(reply, "points");
  const known = rows.filter((row) => row < n && !Number.isNaN(points[row * k]));
  return Array.from({ length: k }, (_, factor) => {
    if (known.length === 0 || !(units[factor] > 0)) return null;
    const sum = known.reduce((total, row) => total + points[row * k + factor], 0);
    return sum / known.length / units[factor];
  });
}
