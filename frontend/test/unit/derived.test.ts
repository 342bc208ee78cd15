import { describe, expect, it } from "vitest";
import type { MatrixEntry } from "../../src/data/types";
import { evaluate, partners } from "../../src/state/derived";
import { shortName } from "../../src/state/naming";
import { factoredAre, stepsIn, withoutStep, withStep } from "../../src/state/transform";

const matrix = (name: string, rows: number, columns: number, more: Partial<MatrixEntry> = {}): MatrixEntry => ({
  matrix: name,
  shape: [rows, columns],
  dtype: "float32",
  role: "kernel",
  layer: name,
  has_bias: false,
  labels: null,
  ...more,
});
const labels = { source: "vocab.txt", n_rows: 9, columns: ["word"], offset: 0 };
const ENTRIES = [
  matrix("words", 9, 4, { role: "embedding", labels }),
  matrix("hidden", 4, 3, { has_bias: true }),
  matrix("out", 3, 2),
  matrix("query", 4, 3),
  matrix("words @ hidden", 9, 3),
];
const find = (name: string) => ENTRIES.find((entry) => entry.matrix === name);

describe("a matrix made of others", () => {
  it("has the rows and labels of the first, and the columns that the operators give it", () => {
    expect(evaluate("words @ hidden @ out", find)).toMatchObject({
      shape: [9, 2],
      has_bias: true,
      role: "other",
      labels,
    });
    expect(evaluate("hidden | query", find)).toMatchObject({ matrix: "hidden | query", shape: [4, 6], labels: null });
  });

  it("takes @ before |, as the server does", () => {
    expect(evaluate("words | words @ hidden", find)?.shape).toEqual([9, 7]);
    expect(evaluate("words | hidden @ out", find)).toBeUndefined();
  });

  it("is none where a part is missing or does not fit, or where there are too many", () => {
    expect(evaluate("words @ gone", find)).toBeUndefined();
    expect(evaluate("words @ out", find)).toBeUndefined();
    expect(evaluate("words | hidden", find)).toBeUndefined();
    expect(evaluate(Array(17).fill("words").join(" | "), find)).toBeUndefined();
    expect(evaluate(Array(16).fill("words").join(" | "), find)?.shape).toEqual([9, 64]);
  });

  it("offers what fits, with what it makes", () => {
    expect([...partners("words", " @ ", ENTRIES).keys()]).toEqual(["hidden", "query"]);
    expect([...partners("hidden", " | ", ENTRIES).keys()]).toEqual(["words", "hidden", "query"].slice(1));
    expect(partners("words @ hidden", " @ ", ENTRIES).get("out")?.shape).toEqual([9, 2]);
    expect(partners("out", " @ ", ENTRIES).size).toBe(0);
  });

  it("is called by the short names of its parts", () => {
    expect(shortName("model/words/embeddings @ model/hidden/kernel", "model/")).toBe("words @ hidden");
  });
});

describe("the steps done to the rows", () => {
  it("follow one another, the transposition last", () => {
    expect(withStep("", "relu")).toBe("relu");
    expect(withStep("relu", "unit_rows")).toBe("relu,unit_rows");
    expect(withStep("relu,transpose", "center")).toBe("relu,center,transpose");
    expect(withStep("center", "transpose")).toBe("center,transpose");
  });

  it("stand there once", () => {
    expect(withStep("relu,without_top:1,unit_rows", "without_top:7")).toBe("relu,without_top:7,unit_rows");
    expect(withStep("relu", "relu")).toBe("relu");
  });

  it("can be taken away", () => {
    expect(withoutStep("relu,without_top:2", "without_top:2")).toBe("relu");
    expect(withoutStep("relu", "relu")).toBe("");
    expect(stepsIn("")).toEqual([]);
    expect([factoredAre("relu,transpose"), factoredAre("relu")]).toEqual(["columns", "rows"]);
  });
});
