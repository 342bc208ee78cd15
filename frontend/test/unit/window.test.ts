import { expect, it } from "vitest";
import { windowOf } from "../../src/ui/overview/useRowWindow";

it("makes the rows in view and some around them", () => {
  expect(windowOf(3800, 760, 38, 3000)).toEqual({ first: 88, end: 132, rowPixels: 38 });
});

it("makes no row that there is not", () => {
  expect(windowOf(-200, 760, 38, 9)).toEqual({ first: 0, end: 9, rowPixels: 38 });
  expect(windowOf(0, 760, 38, 0)).toEqual({ first: 0, end: 0, rowPixels: 38 });
  // A filter has taken away the rows that were in view.
  expect(windowOf(100_000, 760, 38, 5)).toEqual({ first: 4, end: 5, rowPixels: 38 });
});
