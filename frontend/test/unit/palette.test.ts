import { describe, expect, it } from "vitest";
import type { LabelColumn } from "../../src/data/types";
import { colourPoints, diverging, parseColour, scaleOf, sequential, stepColour } from "../../src/points/palette";

const PLAIN: [number, number, number] = [1, 2, 3];
const rgbOf = (colours: Uint8Array, row: number) => [...colours.subarray(row * 3, row * 3 + 3)];
const brightness = (colour: string) => parseColour(colour).reduce((sum, value) => sum + value, 0);

describe("colours", () => {
  it("are read as the style sheet writes them", () => {
    expect(parseColour("#ff8000")).toEqual([255, 128, 0]);
    expect(parseColour(" #f80 ")).toEqual([255, 136, 0]);
    expect(parseColour("rgb(1, 2, 3)")).toEqual([1, 2, 3]);
    expect(parseColour("nonsense")).toEqual([128, 128, 128]);
  });

  it("of high numbers and late steps stand out from the ground of either theme", () => {
    expect(brightness(sequential(1, "light"))).toBeLessThan(brightness(sequential(0, "light")));
    expect(brightness(sequential(1, "dark"))).toBeGreaterThan(brightness(sequential(0, "dark")));
    expect(brightness(stepColour(1, "light"))).toBeLessThan(brightness(stepColour(0, "light")));
    expect(brightness(stepColour(1, "dark"))).toBeGreaterThan(brightness(stepColour(0, "dark")));
  });

  it("of numbers far from zero stand out more than those near it, in either theme", () => {
    for (const end of [0, 1]) {
      expect(brightness(diverging(end, "light"))).toBeLessThan(brightness(diverging(0.5, "light")));
      expect(Math.max(...parseColour(diverging(end, "dark")))).toBeGreaterThan(
        1.4 * Math.max(...parseColour(diverging(0.5, "dark"))),
      );
    }
  });
});

describe("the scale of a column of numbers", () => {
  it("is symmetric about zero where numbers have both signs", () => {
    const scale = scaleOf([-1, 0, 3]);
    expect([scale?.signed, scale?.low, scale?.high, scale?.place(0)]).toEqual([true, -3, 3, 0.5]);
  });

  it("is logarithmic for a long tail, and not moved by one outlier", () => {
    const counts = Array.from({ length: 1000 }, (_, at) => Math.round(50_000 / (at + 1)));
    expect(scaleOf(counts)?.logarithmic).toBe(true);
    const even = Array.from({ length: 1000 }, (_, at) => at);
    const scale = scaleOf([...even, 1e9]);
    expect([scale?.logarithmic, scale?.high]).toEqual([false, 990]);
    expect(scale?.place(1e9)).toBe(1);
  });

  it("answers for one value and for none", () => {
    expect(scaleOf([4, 4])?.place(4)).toBe(0.5);
    expect(scaleOf([])).toBeNull();
  });
});

describe("points coloured by a column", () => {
  it("by category: the frequent ones have a colour each, the rest and the missing one together", () => {
    const values = [..."aaabbcdefghijkl", null];
    const column: LabelColumn = { name: "kind", kind: "category", values };
    const { colours, legend } = colourPoints(column, values.length, "light", PLAIN);
    expect(legend?.kind === "category" && [legend.entries.length, legend.n_other, legend.entries[0].name]).toEqual([
      9,
      3,
      "a",
    ]);
    expect(rgbOf(colours, 0)).toEqual(rgbOf(colours, 2));
    expect(rgbOf(colours, 0)).not.toEqual(rgbOf(colours, 3));
    expect(rgbOf(colours, 14)).toEqual(rgbOf(colours, 15));
  });

  it("by number, with a grey for rows without one", () => {
    const column: LabelColumn = { name: "n", kind: "number", values: [0, 1, null] };
    const { colours, legend } = colourPoints(column, 4, "dark", PLAIN);
    expect(legend?.kind).toBe("number");
    expect(rgbOf(colours, 2)).toEqual(rgbOf(colours, 3));
    expect(rgbOf(colours, 0)).not.toEqual(rgbOf(colours, 1));
  });

  it.each([
    ["text", { name: "word", kind: "text", values: ["a", "b"] }],
    ["numbers of which there are none", { name: "n", kind: "number", values: [null, null] }],
    ["nothing", null],
  ] as [string, LabelColumn | null][])("by %s: one plain colour", (_, column) => {
    const { colours, legend } = colourPoints(column, 2, "light", PLAIN);
    expect(legend).toBeNull();
    expect([...colours]).toEqual([...PLAIN, ...PLAIN]);
  });
});
