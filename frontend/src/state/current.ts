/** What the spec names, found in the catalogue; and the spec made whole where it names nothing that exists. */
import type { Catalogue, CheckpointEntry, MatrixEntry, RunEntry } from "../data/types";
import { OWN_AXES, type Spec } from "./spec";

export interface Current {
  run: RunEntry;
  matrix: MatrixEntry;
  checkpoint: CheckpointEntry;
  /** Checkpoints of the run that hold the matrix, in order. */
  steps: CheckpointEntry[];
  /** Place of `checkpoint` among `steps`. */
  index: number;
}

export function matrixIn(catalogue: Catalogue, checkpoint: CheckpointEntry, name: string): MatrixEntry | undefined {
  return catalogue.signatures[checkpoint.signature]?.find((entry) => entry.matrix === name);
}

export function stepsOf(catalogue: Catalogue, run: RunEntry, matrix: string): CheckpointEntry[] {
  return run.checkpoints.filter((checkpoint) => matrixIn(catalogue, checkpoint, matrix));
}

const ROLE_ORDER = { embedding: 0, kernel: 1, other: 2 } as const;

/** Every matrix of a run once, as its last checkpoint has it: embeddings first, then the larger ones. */
export function matricesOf(catalogue: Catalogue, run: RunEntry): MatrixEntry[] {
  const byName = new Map<string, MatrixEntry>();
  for (const signature of new Set(run.checkpoints.map((checkpoint) => checkpoint.signature))) {
    for (const entry of catalogue.signatures[signature] ?? []) byName.set(entry.matrix, entry);
  }
  const size = (entry: MatrixEntry) => entry.shape[0] * entry.shape[1];
  return [...byName.values()].sort(
    (a, b) => ROLE_ORDER[a.role] - ROLE_ORDER[b.role] || size(b) - size(a) || a.matrix.localeCompare(b.matrix),
  );
}

function runHolds(catalogue: Catalogue, run: RunEntry, matrix: string): boolean {
  return stepsOf(catalogue, run, matrix).length > 0;
}

function chooseRun(catalogue: Catalogue, spec: Spec): RunEntry | undefined {
  const usable = catalogue.runs.filter((run) => matricesOf(catalogue, run).length > 0);
  return usable.find((run) => run.run === spec.run) ?? usable[0];
}

/**
 * The spec with run, matrix, checkpoint and axes that exist, or null where nothing can be shown (yet).
 * While the first scan runs, a name that is not there is waited for.
 */
export function settle(spec: Spec, catalogue: Catalogue): Spec | null {
  const run = chooseRun(catalogue, spec);
  if (!run) return null;
  const waiting = catalogue.state === "scanning";
  if (waiting && spec.run && run.run !== spec.run) return null;
  const keepsMatrix = spec.matrix !== "" && runHolds(catalogue, run, spec.matrix);
  if (waiting && spec.matrix && !keepsMatrix) return null;
  const matrix = keepsMatrix ? spec.matrix : matricesOf(catalogue, run)[0].matrix;
  const steps = stepsOf(catalogue, run, matrix);
  const known = (id: string) => steps.some((step) => step.checkpoint === id);
  if (waiting && spec.checkpoint && !known(spec.checkpoint)) return null;
  const checkpoint = known(spec.checkpoint) ? spec.checkpoint : "";
  const last = steps[steps.length - 1].checkpoint;
  const axes = spec.axes === OWN_AXES || known(spec.axes) ? spec.axes : last;
  const unchanged =
    run.run === spec.run && matrix === spec.matrix && checkpoint === spec.checkpoint && axes === spec.axes;
  return unchanged ? spec : { ...spec, run: run.run, matrix, checkpoint, axes };
}

export function findCurrent(spec: Spec, catalogue: Catalogue): Current | null {
  const run = catalogue.runs.find((entry) => entry.run === spec.run);
  if (!run) return null;
  const steps = stepsOf(catalogue, run, spec.matrix);
  const at = spec.checkpoint === "" ? steps.length - 1 : steps.findIndex((step) => step.checkpoint === spec.checkpoint);
  const checkpoint = steps[at];
  const matrix = checkpoint && matrixIn(catalogue, checkpoint, spec.matrix);
  return matrix ? { run, matrix, checkpoint, steps, index: at } : null;
}
