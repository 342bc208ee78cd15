/** What is done to the rows before they are factored: a comma-separated list of the server's steps; "" leaves them as stored. */

import type { PointsAre } from "./selection";

/** Lists that are offered by name. */
export const TRANSFORMS = [
  "",
  "unit_rows",
  "center,unit_rows",
  "without_top:1",
  "without_top:3",
  "bias",
  "bias,relu",
  "bias,gelu",
  "bias,tanh",
  "relu",
  "transpose",
] as const;
export type TransformName = (typeof TRANSFORMS)[number];

/** The steps of which any list can be made, each at most once. */
export const STEPS = [
  "bias",
  "relu",
  "leaky_relu",
  "elu",
  "gelu",
  "silu",
  "sigmoid",
  "tanh",
  "softplus",
  "center",
  "unit_rows",
  "without_top",
  "transpose",
] as const;
export type StepName = (typeof STEPS)[number];
export const MAX_TOP = 64;

const LAST: StepName = "transpose";

export function stepsIn(transform: string): string[] {
  return transform === "" ? [] : transform.split(",");
}

export function nameOfStep(step: string): string {
  return step.split(":")[0];
}

/** With a step behind the others (before the transposition, which is the last one), or in its place where it is there. */
export function withStep(transform: string, step: string): string {
  const steps = stepsIn(transform);
  const at = steps.findIndex((each) => nameOfStep(each) === nameOfStep(step));
  if (at >= 0) return steps.map((each, other) => (other === at ? step : each)).join();
  const others = steps.filter((each) => each !== LAST);
  return [...others, step, ...steps.slice(others.length)].join();
}

export function withoutStep(transform: string, step: string): string {
  return stepsIn(transform)
    .filter((each) => each !== step)
    .join();
}

/** What the rows that are factored are of the matrix as stored: its columns where it is transposed. */
export function factoredAre(transform: string): PointsAre {
  return stepsIn(transform).includes(LAST) ? "columns" : "rows";
}
