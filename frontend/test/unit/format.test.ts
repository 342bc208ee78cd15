import { expect, it } from "vitest";
import { estimateSeconds, figureFacts } from "../../src/host/frame";
import { sharedPrefix, shortName } from "../../src/state/naming";
import {
  formatBytes,
  formatCosine,
  formatMetric,
  formatNumber,
  formatSeconds,
  formatShare,
  formatSigned,
} from "../../src/ui/format";
import { layoutOf } from "../../src/ui/layout";

it("writes numbers with three digits and a true minus", () => {
  expect([43.126, 0.01234, -1.5, 12345, 0, 1.2e-7, 3.4e9].map(formatNumber)).toEqual([
    "43.1",
    "0.0123",
    "−1.50",
    "12,345",
    "0",
    "1.2 × 10⁻⁷",
    "3.4 × 10⁹",
  ]);
  expect(formatNumber(NaN)).toBe("–");
});

it("never writes a share as nothing when it is something", () => {
  expect([0, 1e-9, 0.0042, 0.432, 0.9996, 1, null].map(formatShare)).toEqual([
    "0 %",
    "< 0.01 %",
    "0.42 %",
    "43.2 %",
    "100 %",
    "100 %",
    "–",
  ]);
});

it("writes every kind of named number", () => {
  const list = [1, 2.5, 3, 4, 99];
  expect([null, true, 7, [1, 2.5], list].map(formatMetric)).toEqual(["–", "yes", "7", "1 – 2.50", "1 – 3 – 99"]);
});

it("writes sizes in the unit that fits", () => {
  expect([0, 999, 4_700_000, 13.4e9, 2e15].map(formatBytes)).toEqual([
    "0 B",
    "999 B",
    "4.70 MB",
    "13.4 GB",
    "2,000 TB",
  ]);
});

it("leaves out what all names begin with", () => {
  expect(sharedPrefix(["model/seq/a/w", "model/seq/b/w"])).toBe("model/seq/");
  expect(sharedPrefix(["embed", "embed2"])).toBe("");
  expect(sharedPrefix(["only/one"])).toBe("");
});

it("leaves out what the role of a matrix already says", () => {
  expect(shortName("model/tok/embeddings", "model/")).toBe("tok");
  expect(shortName("bert.embeddings.word_embeddings.weight")).toBe("bert.embeddings.word_embeddings");
  expect(shortName("embeddings")).toBe("embeddings");
});

it("writes a cosine that is next to nothing as nothing", () => {
  expect([2.5e-5, -2.5e-5, 0.93456, -0.5].map(formatCosine)).toEqual(["0.000", "0.000", "0.935", "−0.500"]);
});

it("writes how much of something there is with its sign", () => {
  expect([0.04, -0.04, 4.26, -1].map(formatSigned)).toEqual(["0.0", "0.0", "+4.3", "−1.0"]);
});

it("writes long durations in minutes", () => {
  expect([0.2, 1, 40, 130, 7200].map(formatSeconds)).toEqual([
    "1 second",
    "1 second",
    "40 seconds",
    "2 minutes",
    "120 minutes",
  ]);
});

it("estimates the standard projector as it was measured", () => {
  expect(estimateSeconds({ n_rows: 30522, n_columns: 384 })).toBeCloseTo(21.6, 0);
  expect(estimateSeconds({ n_rows: 30522, n_columns: 16 })).toBeCloseTo(5, 0);
  expect(estimateSeconds({ n_rows: 1e7, n_columns: 16 })).toBe(estimateSeconds({ n_rows: 1e5, n_columns: 16 }));
});

it("puts as many panels side by side as there is room for", () => {
  expect(layoutOf(1600, 800, "factors")).toBe("wide");
  expect([layoutOf(1300, 1000, "auto"), layoutOf(1300, 700, "auto"), layoutOf(900, 1000, "auto")]).toEqual([
    "split",
    "factors",
    "factors",
  ]);
  expect(layoutOf(900, 700, "split")).toBe("split");
});

it("says what the projector's own figure describes", () => {
  const about = { n_rows: 30522, bytes: 0, share: null, available: true, error: null };
  const kinds = (facts: ReturnType<typeof figureFacts>) => facts.map((fact) => fact.kind);
  expect(kinds(figureFacts({ ...about, values: "scores", n_columns: 32 }, null))).toEqual(["scores"]);
  expect(kinds(figureFacts({ ...about, values: "matrix", n_columns: 32 }, false))).toEqual(["matrix", "uncentered"]);
  expect(kinds(figureFacts({ ...about, values: "matrix", n_columns: 384, n_rows: 250002 }, null))).toEqual([
    "matrix",
    "spherized",
    "random",
    "first",
    "sample",
  ]);
});
