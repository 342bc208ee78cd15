/** What the spec names, found in the catalogue; and the spec made whole where it names nothing that exists. */
import type { Catalogue, CheckpointEntry, MatrixEntry, RunEntry } from "../data/types";
import { evaluate, isMade } from "./derived";
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

/** As a checkpoint lists it, or as it follows from what is listed of its parts. */
export function matrixIn(catalogue: Catalogue, checkpoint: CheckpointEntry, name: string): MatrixEntry | undefined {
  const listed = catalogue.signatures[checkpoint.signature] ?? [];
  const find = (wanted: string) => listed.find((entry) => entry.matrix === wanted);
  return find(name) ?? (isMade(name) ? evaluate(name, find) : undefined);
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

export interface Series {
  run: string;
  matrix: MatrixEntry;
}

/** What the log directory is looked at for: the embeddings of every run, or all matrices where no run has one. */
export function mainSeries(catalogue: Catalogue): Series[] {
  const all = catalogue.runs.flatMap((run) => matricesOf(catalogue, run).map((matrix) => ({ run: run.run, matrix })));
  const embeddings = all.filter(({ matrix }) => matrix.role === "embedding");
  return embeddings.length > 0 ? embeddings : all;
}

/** The screen that a spec asks for: where it names nothing, the only series there is, or else the overview. Null: not known yet. */
export function screenOf(spec: Spec, catalogue: Catalogue): "overview" | "view" | null {
  const n = mainSeries(catalogue).length;
  if (n === 0) return null;
  if (spec.screen === "overview") return "overview";
  if (spec.run !== "" || spec.matrix !== "") return "view";
  if (n > 1) return "overview";
  return catalogue.state === "scanning" ? null : "view";
}

/**
 * The spec with run, matrix, checkpoint and axes that exist, or null where nothing can be shown (yet); a run that does not exist
 * leaves a spec that names nothing. While the first scan runs, a name that is not there is waited for.
 */
export function settle(spec: Spec, catalogue: Catalogue): Spec | null {
  const isNamed = spec.run !== "" || spec.matrix !== "";
  const main = mainSeries(catalogue)[0];
  const { run: runName, matrix: matrixName } = isNamed || !main ? spec : { run: main.run, matrix: main.matrix.matrix };
  const run = catalogue.runs.find((entry) => entry.run === runName && matricesOf(catalogue, entry).length > 0);
  const waiting = catalogue.state === "scanning";
  if (!run) return waiting || !isNamed ? null : { ...spec, run: "", matrix: "", checkpoint: "", axes: "" };
  const keepsMatrix = matrixName !== "" && stepsOf(catalogue, run, matrixName).length > 0;
  if (waiting && spec.matrix && !keepsMatrix) return null;
  const matrix = keepsMatrix ? matrixName : matricesOf(catalogue, run)[0].matrix;
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
