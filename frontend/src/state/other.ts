/** What the matrix on the screen is compared with: what the spec names, or what suits it. */
import type { Catalogue, RunEntry } from "../data/types";
import { type Current, matricesOf, matrixIn, stepsOf } from "./current";
import type { Match, Spec } from "./spec";

export interface Other extends Pick<Current, "run" | "matrix" | "checkpoint" | "steps"> {
  match: Match;
  /** Whether both have labels, so that rows of two matrices may belong together by them; rows of one series are the same rows. */
  isLabelled: boolean;
}

interface Place {
  run: RunEntry;
  matrix: string;
}

/** Another matrix of the run with as many rows, else the same matrix in another run; where there is neither, the matrix itself. */
function otherPlace(catalogue: Catalogue, { run, matrix }: Current): Place {
  const beside = matricesOf(catalogue, run).find(
    (entry) => entry.matrix !== matrix.matrix && entry.shape[0] === matrix.shape[0],
  );
  if (beside) return { run, matrix: beside.matrix };
  const elsewhere = catalogue.runs.find(
    (entry) => entry.run !== run.run && stepsOf(catalogue, entry, matrix.matrix).length > 0,
  );
  return { run: elsewhere ?? run, matrix: matrix.matrix };
}

/** The named place, with the matrix that is most like the one on the screen where the spec names none that is there. */
function placeOf({ otherRun, otherMatrix }: Spec, catalogue: Catalogue, now: Current): Place {
  const named = catalogue.runs.find((entry) => entry.run === otherRun && matricesOf(catalogue, entry).length > 0);
  const isFree = !named && otherMatrix === "";
  if (isFree && now.steps.length === 1) return otherPlace(catalogue, now);
  const run = named ?? now.run;
  const isThere = (matrix: string) => matrix !== "" && stepsOf(catalogue, run, matrix).length > 0;
  const matrix = [otherMatrix, now.matrix.matrix].find(isThere);
  if (matrix) return { run, matrix };
  const entries = matricesOf(catalogue, run);
  return { run, matrix: (entries.find(({ shape }) => shape[0] === now.matrix.shape[0]) ?? entries[0]).matrix };
}

/** Steps of one series are compared with its beginning (its beginning with its end); of another, with the same step or the last one. */
function stepOf(wanted: string, now: Current, isSame: boolean, steps: Current["steps"]): Current["checkpoint"] {
  const named = steps.find((step) => step.checkpoint === wanted);
  const last = steps[steps.length - 1];
  if (named) return named;
  if (isSame) return now.index === 0 ? last : steps[0];
  return steps.find(({ step }) => step !== null && step === now.checkpoint.step) ?? last;
}

export function findOther(spec: Spec, catalogue: Catalogue, now: Current): Other | null {
  const { run, matrix: name } = placeOf(spec, catalogue, now);
  const steps = stepsOf(catalogue, run, name);
  const isSame = run.run === now.run.run && name === now.matrix.matrix;
  const checkpoint = stepOf(spec.otherCheckpoint, now, isSame, steps);
  const matrix = matrixIn(catalogue, checkpoint, name);
  if (!matrix) return null;
  const isLabelled = !isSame && now.matrix.labels !== null && matrix.labels !== null;
  const match = isLabelled ? spec.match || "label" : "index";
  return { run, matrix, checkpoint, steps, match, isLabelled };
}
