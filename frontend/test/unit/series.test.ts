import { describe, expect, it } from "vitest";
import type { ArrayReply } from "../../src/data/decode";
import type { SpectraInfo } from "../../src/data/types";
import { lineOf, sampled, shownIndices, spectraOf } from "../../src/plots/series";
import { logSplits, logTick } from "../../src/plots/spectrum";

describe("a spectrum as a line", () => {
  it("has shares of the energy that add up to one", () => {
    const line = lineOf([2, 1, 1], [1e-15, 1e-15, 1e-15]);
    expect([...line.share]).toEqual([4 / 6, 1 / 6, 1 / 6]);
    expect(line.cumulative[2]).toBeCloseTo(1, 12);
    expect(line.n_null).toBe(0);
  });

  it("ends where only bounds are known, and counts those", () => {
    expect(lineOf([3, 1e-9, 1e-9], [1e-15, Infinity, Infinity])).toMatchObject({ n_null: 2 });
    expect([...lineOf([3, 0, 0], [0, 0, 0]).sigma]).toEqual([3]);
  });

  it("ends where a checkpoint has fewer values than the longest, without counting them", () => {
    expect(lineOf([3, 2, NaN], [0, 0, NaN])).toMatchObject({ n_null: 0 });
    expect(lineOf([NaN, NaN], [NaN, NaN]).sigma.length).toBe(0);
  });

  it("comes one a checkpoint, centred or as stored", () => {
    const array = (values: number[]) => ({ shape: [2, 2], values: Float64Array.from(values) });
    const state = { error: null, rows_used: 1, rows_skipped: 0, passes: 1, metrics: null };
    const reply: ArrayReply<SpectraInfo> = {
      info: {
        run: "r",
        matrix: "m",
        transform: null,
        shape: [9, 2],
        n_pending: 1,
        checkpoints: [
          { checkpoint: "a", step: 0, state: "done", ...state },
          { checkpoint: "b", step: 1, state: "pending", ...state },
        ],
      },
      arrays: {
        singular_values: array([5, 4, NaN, NaN]),
        error_bound: array([0, 0, NaN, NaN]),
        centered_singular_values: array([3, 2, NaN, NaN]),
        centered_error_bound: array([0, Infinity, NaN, NaN]),
      },
      n_bytes: 0,
    };
    const centred = spectraOf(reply, true);
    expect(centred.lines.map((line) => [...line.sigma])).toEqual([[3], []]);
    expect(centred.length).toBe(1);
    expect([...spectraOf(reply, false).lines[0].sigma]).toEqual([5, 4]);
    expect(centred.lines.map((line) => line.sample)).toEqual([null, null]);
  });
});

it("says of a line from a sample how many rows that had and how far off it may be, where there is a line", () => {
  const array = (values: number[]) => ({ shape: [1, 2], values: Float64Array.from(values) });
  const entry = { error: null, rows_used: null, rows_skipped: null, passes: null, metrics: {} };
  const reply: ArrayReply<SpectraInfo> = {
    info: {
      run: "r",
      matrix: "m",
      transform: null,
      shape: [9000, 2],
      n_pending: 1,
      checkpoints: [{ checkpoint: "a", step: 0, state: "estimated", rows_sampled: 800, ...entry }],
    },
    arrays: {
      singular_values: array([NaN, NaN]),
      error_bound: array([NaN, NaN]),
      centered_singular_values: array([3, 2]),
      centered_error_bound: array([0.02, 0.03]),
    },
    n_bytes: 0,
  };
  expect(spectraOf(reply, true).lines[0].sample).toEqual({ rows: 800, error: 0.02 });
  expect(spectraOf(reply, false).lines[0].sample).toBeNull();
});

it("draws every value of a short line and a bounded number of a long one, ends included", () => {
  expect(shownIndices(5, 10)).toEqual([0, 1, 2, 3, 4]);
  const shown = shownIndices(100_000, 800);
  expect(shown.length).toBeLessThanOrEqual(801);
  expect([shown[0], shown[1], shown[shown.length - 1]]).toEqual([0, 1, 99_999]);
  expect(new Set(shown).size).toBe(shown.length);
  expect(sampled(Float64Array.from([9, 8]), [0, 1, 2])).toEqual([9, 8, null]);
});

describe("the log axis", () => {
  it("has as many round places as fit", () => {
    expect(logSplits(1, 30, 12)).toEqual([1, 2, 3, 5, 10, 20, 30]);
    expect(logSplits(4.1, 5.3, 4)).toEqual([4.5, 5]);
    expect(logSplits(0.9, 100, 8)).toEqual([1, 2, 5, 10, 20, 50, 100]);
    expect(logSplits(1e-12, 1, 5).length).toBeLessThanOrEqual(5);
  });

  it("writes powers of ten that are far from one as such", () => {
    expect([1e-9, 0.02, 1, 500, 1e6].map(logTick)).toEqual(["10⁻⁹", "0.02", "1", "500", "10⁶"]);
  });
});
