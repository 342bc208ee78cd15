import { describe, expect, it } from "vitest";
import type { Catalogue, LabelSource, MatrixEntry } from "../../src/data/types";
import { type Current, findCurrent } from "../../src/state/current";
import { findOther } from "../../src/state/other";
import { DEFAULT_SPEC, type Spec } from "../../src/state/spec";

const labels: LabelSource = { source: "vocab.txt", n_rows: 9, columns: ["word"], offset: 0 };
const matrix = (name: string, rows: number, named: LabelSource | null = null): MatrixEntry => ({
  matrix: name,
  shape: [rows, 4],
  dtype: "float32",
  role: "embedding",
  layer: null,
  has_bias: false,
  labels: named,
});
const checkpoint = (id: string, step: number, signature: number) => ({
  checkpoint: id,
  step,
  wall_time: 0,
  format: "x",
  path: id,
  signature,
  fingerprint: id,
  gone: false,
  skipped: [],
});
const catalogue: Catalogue = {
  version: "1",
  state: "ready",
  logdir: "logs",
  error: null,
  scanned: { n_runs: 3, n_directories: 1, n_files: 1, n_checkpoints: 7 },
  signatures: [
    [matrix("tok", 9, labels), matrix("pos", 5)],
    [matrix("words", 9, labels), matrix("tags", 3)],
    [matrix("tok", 9), matrix("twin", 9)],
  ],
  runs: [
    { run: "a", checkpoints: [checkpoint("a/0", 0, 0), checkpoint("a/10", 10, 0), checkpoint("a/20", 20, 0)] },
    { run: "b", checkpoints: [checkpoint("b/0", 0, 1), checkpoint("b/10", 10, 1), checkpoint("b/30", 30, 1)] },
    { run: "single", checkpoints: [checkpoint("s/10", 10, 2)] },
  ],
  problems: [],
  hints: [],
};

function otherOf(patch: Partial<Spec>) {
  const spec = { ...DEFAULT_SPEC, run: "a", matrix: "tok", ...patch };
  const found = findOther(spec, catalogue, findCurrent(spec, catalogue) as Current);
  return found && [found.run.run, found.matrix.matrix, found.checkpoint.checkpoint, found.match];
}

describe("what a matrix is compared with", () => {
  it("is itself at its first step, and at its last one where the first is shown", () => {
    expect(otherOf({})).toEqual(["a", "tok", "a/0", "index"]);
    expect(otherOf({ checkpoint: "a/0" })).toEqual(["a", "tok", "a/20", "index"]);
  });

  it("is, in another run, the matrix of its name or with as many rows, at its step or the last one, by labels where both have some", () => {
    expect(otherOf({ checkpoint: "a/10", otherRun: "b" })).toEqual(["b", "words", "b/10", "label"]);
    expect(otherOf({ otherRun: "b" })).toEqual(["b", "words", "b/30", "label"]);
    expect(otherOf({ otherRun: "single" })).toEqual(["single", "tok", "s/10", "index"]);
  });

  it("is what the spec names, as far as it is there", () => {
    const named = { otherRun: "b", otherMatrix: "tags", otherCheckpoint: "b/0" };
    expect(otherOf(named)).toEqual(["b", "tags", "b/0", "index"]);
    expect(otherOf({ otherRun: "b", match: "index" })?.[3]).toBe("index");
    expect(otherOf({ otherRun: "b", otherMatrix: "tags", match: "label" })?.[3]).toBe("index");
    expect(otherOf({ otherRun: "gone", otherMatrix: "gone", otherCheckpoint: "gone" })).toEqual([
      "a",
      "tok",
      "a/0",
      "index",
    ]);
  });

  it("is another matrix with as many rows where there is one step only", () => {
    expect(otherOf({ run: "single" })).toEqual(["single", "twin", "s/10", "index"]);
    expect(otherOf({ run: "single", otherMatrix: "tok" })).toEqual(["single", "tok", "s/10", "index"]);
  });
});
