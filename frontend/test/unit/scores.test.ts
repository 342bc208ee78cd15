import { describe, expect, it } from "vitest";
import type { PointsReply } from "../../src/state/requests";
import { carriedBy, scoreColumn, scoreUnits } from "../../src/state/scores";
import { colourByFactor, factorOf } from "../../src/state/spec";
import { prunable } from "../../src/ui/Sparsity";

const SCORES = [3, 0, -3, 0, NaN, NaN, 0, 4];
const reply = () =>
  ({
    arrays: { points: { shape: [4, 2], values: new Float32Array(SCORES) } },
    info: {},
    n_bytes: 32,
  }) as unknown as PointsReply;

describe("scores", () => {
  it("are a column of numbers for a factor that the reply has", () => {
    expect(scoreColumn(reply(), 2, "two")).toEqual({ name: "two", kind: "number", values: [0, 0, null, 4] });
    expect(scoreColumn(reply(), 3, "three")).toBeNull();
  });

  it("are counted in the root mean square of the rows that have them", () => {
    const units = scoreUnits(reply());
    expect(units[0]).toBeCloseTo(Math.sqrt(18 / 3));
    expect(units[1]).toBeCloseTo(Math.sqrt(16 / 3));
    expect(carriedBy(reply(), units, [0, 3])[0]).toBeCloseTo(1.5 / Math.sqrt(6));
    expect(carriedBy(reply(), units, [0, 3])[1]).toBeCloseTo(2 / Math.sqrt(16 / 3));
  });

  it("are not known of rows that are not there", () => {
    expect(carriedBy(reply(), scoreUnits(reply()), [2, 9])).toEqual([null, null]);
  });
});

it("names a factor as a colour", () => {
  expect(factorOf(colourByFactor(3))).toBe(3);
  expect(["", "polarity", "@none", "@factor-0", "@factor-99", "@factor-1x"].map(factorOf)).toEqual(Array(6).fill(null));
});

it("tells how much can be pruned at an error", () => {
  const reply = { pruned: [0, 0.25, 0.5, 1], error: [0, 0.01, 0.2, 1] };
  expect([0, 0.01, 0.19, 0.2, 1].map((error) => prunable(reply, error))).toEqual([0, 0.25, 0.25, 0.5, 1]);
  expect(prunable({ pruned: [0, 1], error: [null, null] }, 1)).toBe(0);
});
