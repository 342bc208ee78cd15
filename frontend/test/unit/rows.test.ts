import { describe, expect, it } from "vitest";
import type { OverviewItem, Sentence } from "../../src/data/types";
import { filterItems, isComing, keepUnchanged, orderItems, rankShare, steadyOrder } from "../../src/state/rows";
import { fallenFrom, fallenSince } from "../../src/state/troubles";

const verdict = (code: string): Sentence => ({ code, params: {}, text: code });
const item = (matrix: string, patch: Partial<OverviewItem> = {}): OverviewItem => ({
  run: "r",
  matrix,
  shape: [1000, 32],
  dtype: "float32",
  role: "embedding",
  layer: null,
  checkpoint: "c",
  step: 10,
  n_checkpoints: 3,
  state: "done",
  error: null,
  metrics: { effective_rank: 16 },
  verdicts: [verdict("verdict_fine")],
  trend: { steps: [0, 5, 10], effective_rank: [32, 20, 16] },
  ...patch,
});
const names = (items: readonly OverviewItem[]) => items.map(({ matrix }) => matrix).join("");
const [a, b, c, d] = ["a", "b", "c", "d"].map((matrix) => item(matrix));

describe("rows", () => {
  it("are those of one run with the text in their name, in any case and width", () => {
    const items = [item("Tok/词"), item("pos", { run: "other/Ｔok" }), item("x")];
    const choose = (find: string, onlyRun = "") => filterItems(items, { find, onlyRun }).length;
    expect([choose(" tok "), choose("词"), choose("", "r"), choose("tok", "r"), choose("none")]).toEqual([
      2, 1, 2, 1, 0,
    ]);
  });

  it("are sorted by the share of the directions that they use, those without a number last either way", () => {
    const items = [
      item("a", { metrics: { effective_rank: 8 }, shape: [100, 8] }),
      item("b", { metrics: {} }),
      item("c", { metrics: { effective_rank: 10 } }),
      item("d", { metrics: { effective_rank: null } }),
    ];
    expect(rankShare(items[2])).toBeCloseTo(10 / 32);
    expect(names(orderItems(items, { sort: "rank", descending: false }))).toBe("cabd");
    expect(names(orderItems(items, { sort: "rank", descending: true }))).toBe("acbd");
  });

  it("are not done while an estimate stands for the exact answer", () => {
    const states = ["done", "estimated", "pending", "failed", "waiting"] as const;
    expect(states.filter((state) => isComing(item("a", { state })))).toEqual(["estimated", "pending"]);
  });

  it("are sorted by names as people count", () => {
    const items = ["layer.10", "layer.9", "layer.1"].map((name) => item(name));
    expect(orderItems(items, { sort: "matrix", descending: false }).map(({ matrix }) => matrix)).toEqual([
      "layer.1",
      "layer.9",
      "layer.10",
    ]);
  });

  it("stand in the server's order unless another one is chosen", () => {
    expect(names(orderItems([c, a, b], { sort: "trouble", descending: false }))).toBe("cab");
    expect(names(orderItems([c, a, b], { sort: "trouble", descending: true }))).toBe("bac");
  });

  it("keep their places, and new ones come behind them", () => {
    expect(names(steadyOrder([d, c, b, a], [a, c]))).toBe("acdb");
    expect(names(steadyOrder([b, a], [a, c, b]))).toBe("ab");
  });

  it("that say what they said are the same objects", () => {
    const before = [a, b];
    const next = keepUnchanged([item("b", { step: 11 }), item("a")], before);
    expect(next[1]).toBe(a);
    expect(next[0]).not.toBe(b);
  });
});

describe("a fall", () => {
  const collapsed = { verdicts: [verdict("verdict_collapsed")], metrics: { effective_rank: 3 } };

  it("is told where a collapsed matrix had more directions at its first checkpoint", () => {
    expect(fallenFrom(item("a", collapsed))).toEqual({ step: 0, rank: 32 });
  });

  it("is not told of one that was born so, that did not collapse, or that has one checkpoint", () => {
    const flat = { steps: [0, 10], effective_rank: [3.1, 3] };
    expect(fallenFrom(item("a", { ...collapsed, trend: flat }))).toBeNull();
    expect(fallenFrom(item("a"))).toBeNull();
    expect(fallenFrom(item("a", { ...collapsed, n_checkpoints: 1 }))).toBeNull();
  });

  it("is told at the checkpoints after it only", () => {
    const at = (checkpoint: string, rank: number, code: string) => ({
      checkpoint,
      step: Number(checkpoint),
      state: "done" as const,
      error: null,
      rows_used: 1,
      rows_skipped: 0,
      passes: 1,
      metrics: { effective_rank: rank },
      verdicts: [verdict(code)],
    });
    const checkpoints = [at("0", 32, "verdict_initial"), at("5", 30, "verdict_fine"), at("9", 3, "verdict_collapsed")];
    const info = {
      run: "r",
      matrix: "m",
      transform: null,
      shape: [9, 32] as [number, number],
      n_pending: 0,
      checkpoints,
    };
    expect(["0", "5", "9", "none"].map((checkpoint) => fallenSince(info, checkpoint)?.step ?? null)).toEqual([
      null,
      null,
      0,
      null,
    ]);
  });
});
