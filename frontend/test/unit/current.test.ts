import { describe, expect, it } from "vitest";
import type { Catalogue, MatrixEntry } from "../../src/data/types";
import { findCurrent, mainSeries, matricesOf, screenOf, settle } from "../../src/state/current";
import { DEFAULT_SPEC, OWN_AXES } from "../../src/state/spec";

const matrix = (name: string, rows: number, role: MatrixEntry["role"]): MatrixEntry => ({
  matrix: name,
  shape: [rows, 4],
  dtype: "float32",
  role,
  layer: null,
  has_bias: false,
  labels: null,
});
const checkpoint = (id: string, signature: number) => ({
  checkpoint: id,
  step: 0,
  wall_time: 0,
  format: "x",
  path: id,
  signature,
  fingerprint: `f-${id}`,
  gone: false,
  skipped: [],
});
const catalogue = (state: Catalogue["state"] = "ready"): Catalogue => ({
  version: "1",
  state,
  logdir: "logs",
  error: null,
  scanned: { n_runs: 2, n_directories: 1, n_files: 1, n_checkpoints: 4 },
  signatures: [
    [matrix("kernel", 900, "kernel"), matrix("pos", 10, "embedding"), matrix("tok", 100, "embedding")],
    [matrix("kernel", 900, "kernel")],
    [],
  ],
  runs: [
    { run: "empty", checkpoints: [checkpoint("e/1", 2)] },
    { run: "a", checkpoints: [checkpoint("a/1", 0), checkpoint("a/2", 0), checkpoint("a/3", 1)] },
  ],
  problems: [],
  hints: [],
});

describe("settling the spec", () => {
  it("starts at the largest embedding of the first run that has one, with axes of its last step", () => {
    expect(settle(DEFAULT_SPEC, catalogue())).toEqual({ ...DEFAULT_SPEC, run: "a", matrix: "tok", axes: "a/2" });
  });

  it("takes the first matrix of a run that is named alone", () => {
    expect(settle({ ...DEFAULT_SPEC, run: "a", matrix: "gone" }, catalogue())).toMatchObject({ matrix: "tok" });
  });

  it("leaves a spec alone that names what exists", () => {
    const spec = { ...DEFAULT_SPEC, run: "a", matrix: "kernel", checkpoint: "a/1", axes: OWN_AXES };
    expect(settle(spec, catalogue())).toBe(spec);
  });

  it("replaces what the run does not have", () => {
    const spec = { ...DEFAULT_SPEC, run: "a", matrix: "tok", checkpoint: "a/9", axes: "b/1" };
    expect(settle(spec, catalogue())).toMatchObject({ run: "a", matrix: "tok", checkpoint: "", axes: "a/2" });
  });

  it("names nothing where the run does not exist", () => {
    const spec = { ...DEFAULT_SPEC, run: "nowhere", matrix: "tok", checkpoint: "a/2", axes: "a/2", dims: 3 as const };
    expect(settle(spec, catalogue())).toEqual({ ...DEFAULT_SPEC, dims: 3 });
  });

  it("waits while the first scan runs", () => {
    expect(settle({ ...DEFAULT_SPEC, run: "later" }, catalogue("scanning"))).toBeNull();
    expect(settle(DEFAULT_SPEC, catalogue("scanning"))?.run).toBe("a");
  });

  it("is null where nothing can be shown", () => {
    expect(settle(DEFAULT_SPEC, { ...catalogue(), runs: [] })).toBeNull();
  });
});

describe("the screen", () => {
  const one = (state: Catalogue["state"]) => ({
    ...catalogue(state),
    signatures: [[matrix("tok", 9, "embedding")], [], []],
  });

  it("is the overview where there are several embeddings and none is named", () => {
    expect(screenOf(DEFAULT_SPEC, catalogue("scanning"))).toBe("overview");
  });

  it("is the view of what is named", () => {
    expect(screenOf({ ...DEFAULT_SPEC, run: "a" }, catalogue())).toBe("view");
  });

  it("is the view of the only embedding, once it is known that there is no other", () => {
    expect(screenOf(DEFAULT_SPEC, one("scanning"))).toBeNull();
    expect(screenOf(DEFAULT_SPEC, one("ready"))).toBe("view");
    expect(screenOf({ ...DEFAULT_SPEC, screen: "overview" }, one("ready"))).toBe("overview");
  });

  it("is none where there is nothing", () => {
    expect(screenOf({ ...DEFAULT_SPEC, run: "a" }, { ...catalogue(), runs: [] })).toBeNull();
  });

  it("counts all matrices where no run has an embedding", () => {
    const kernels = { ...catalogue(), signatures: [[matrix("k", 9, "kernel"), matrix("l", 9, "kernel")], [], []] };
    expect(mainSeries(kernels).map((series) => series.matrix.matrix)).toEqual(["k", "l"]);
  });
});

it("lists embeddings first, then the larger matrices", () => {
  expect(matricesOf(catalogue(), catalogue().runs[1]).map((entry) => entry.matrix)).toEqual(["tok", "pos", "kernel"]);
});

it("finds the steps that hold the matrix, and the latest where none is named", () => {
  const spec = { ...DEFAULT_SPEC, run: "a", matrix: "tok" };
  const current = findCurrent(spec, catalogue());
  expect(current?.steps.map((step) => step.checkpoint)).toEqual(["a/1", "a/2"]);
  expect([current?.checkpoint.checkpoint, current?.index]).toEqual(["a/2", 1]);
  expect(findCurrent({ ...spec, checkpoint: "a/3" }, catalogue())).toBeNull();
});
