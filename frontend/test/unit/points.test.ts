import { describe, expect, it } from "vitest";
import {
  type Camera,
  type Camera2,
  drag,
  fitCamera,
  homeCamera,
  MARGIN,
  project,
  unitPixels,
  viewMatrix,
  zoomAt,
} from "../../src/points/camera";
import { type LabelWish, placeLabels } from "../../src/points/labels";
import { outermost, pickNearest } from "../../src/points/pick";
import { extentOf, mixPositions, pickComponents, unionOf } from "../../src/points/positions";
import { roundTicks, tickText } from "../../src/points/ticks";

const VIEW = { width: 400, height: 300 };
const POSITIONS = new Float32Array([-2, -1, 0, 2, 1, 0, 0, 0, 1]);
const EXTENT = extentOf(POSITIONS);
const scene = (stretch: boolean) => ({ extent: EXTENT, stretch });

function onScreen(camera: Camera, stretch = false): Float32Array {
  const matrix = viewMatrix(camera, scene(stretch), VIEW);
  return project(POSITIONS, matrix, VIEW, new Float32Array(POSITIONS.length));
}

describe("positions", () => {
  it("take the shown components, 0 where there is none", () => {
    const points = new Float32Array([1, 2, 3, 4, 5, 6]);
    expect([...pickComponents(points, [2, 3], [2, 0, 7], 3)]).toEqual([3, 1, 0, 6, 4, 0]);
    expect([...pickComponents(points, [2, 3], [0, 1, 2], 2)]).toEqual([1, 2, 0, 4, 5, 0]);
  });

  it("have an extent that ignores NaN and is never flat", () => {
    const extent = extentOf(new Float32Array([NaN, 0, 0, 1, 5, 0, 3, 5, 0]));
    expect([extent.min, extent.max]).toEqual([
      [1, 0, -2.5],
      [3, 5, 2.5],
    ]);
    expect(extentOf(new Float32Array(0)).max[0]).toBeGreaterThan(extentOf(new Float32Array(0)).min[0]);
    expect(unionOf(extent, EXTENT).min).toEqual([-2, -1, -2.5]);
  });

  it("are mixed on the way from one step to the next", () => {
    const into = new Float32Array(2);
    expect([...mixPositions(new Float32Array([0, 2]), new Float32Array([4, NaN]), 0.25, into)]).toEqual([1, NaN]);
    expect([...mixPositions(new Float32Array([0, 2]), new Float32Array([4, 3]), 1, into)]).toEqual([4, 3]);
  });
});

describe("the camera", () => {
  it("shows the whole extent in two dimensions, one scale for both axes", () => {
    const camera = homeCamera(2, EXTENT);
    const screen = onScreen(camera);
    expect(screen[0]).toBeCloseTo(MARGIN, 3);
    expect(screen[3]).toBeCloseTo(VIEW.width - MARGIN, 3);
    expect((screen[3] - screen[0]) / 4).toBeCloseTo((screen[1] - screen[4]) / 2, 3);
    expect(screen[1]).toBeGreaterThan(screen[4]);
  });

  it("fills the view on both axes when they are stretched", () => {
    const screen = onScreen(homeCamera(2, EXTENT), true);
    expect([screen[3] - screen[0], screen[1] - screen[4]].map(Math.round)).toEqual([312, 212]);
  });

  it("zooms about the pointer", () => {
    const camera = homeCamera(2, EXTENT) as Camera2;
    const before = onScreen(camera);
    const [x, y] = [before[3] - VIEW.width / 2, before[4] - VIEW.height / 2];
    const after = onScreen(zoomAt(camera, 3, x, y, unitPixels(camera, scene(false), VIEW)));
    expect(after[3]).toBeCloseTo(before[3], 2);
    expect(after[4]).toBeCloseTo(before[4], 2);
  });

  it("moves points with the pointer", () => {
    const camera = homeCamera(2, EXTENT) as Camera2;
    const before = onScreen(camera);
    const after = onScreen(drag(camera, 10, 20, unitPixels(camera, scene(false), VIEW), false));
    expect(after[0] - before[0]).toBeCloseTo(10, 2);
    expect(after[1] - before[1]).toBeCloseTo(20, 2);
  });

  it("keeps every point in view in three dimensions, and the pitch below the pole", () => {
    const camera = fitCamera(homeCamera(3, EXTENT), scene(false), VIEW, POSITIONS);
    const screen = onScreen(camera);
    for (let at = 0; at < screen.length; at += 3) {
      expect(screen[at]).toBeGreaterThan(0);
      expect(screen[at]).toBeLessThan(VIEW.width);
      expect(Math.abs(screen[at + 2])).toBeLessThan(1);
    }
    const turned = drag(camera, 0, 1e6, [1, 1], false);
    expect(turned.dims === 3 && turned.pitch).toBeLessThan(Math.PI / 2);
  });
});

describe("picking", () => {
  const screen = new Float32Array([10, 10, 0.5, 12, 10, 0, 12, 10, -0.5, NaN, NaN, NaN]);

  it("finds the nearest point, the front one of two at the same place", () => {
    expect(pickNearest(screen, 10.4, 10, 5)).toBe(0);
    expect(pickNearest(screen, 12, 10, 5)).toBe(2);
    expect(pickNearest(screen, 30, 10, 5)).toBeNull();
    expect(pickNearest(new Float32Array(0), 0, 0, 5)).toBeNull();
  });

  it("finds the outermost points, those in view only, the outermost first", () => {
    const square = new Float32Array([0, 0, 0, 9, 0, 0, 0, 9, 0, 4, 4, 0, 99, 0, 0, NaN, 0, 0]);
    const visible = (x: number, y: number) => x < 50 && y < 50;
    expect(outermost(square, 4, 1, visible).sort()).toEqual([0, 1, 2]);
    expect(outermost(square, 4, 2, visible)).toContain(3);
  });
});

describe("words beside points", () => {
  const wish = (index: number, always = false): LabelWish => ({ index, text: "word", always });
  const measure = (text: string) => text.length * 6;

  it("never cover one another, except those that must be shown", () => {
    const screen = new Float32Array([100, 100, 0, 103, 101, 0, 101, 99, 0, 99, 100, 0, 102, 100, 0, 100, 101, 0]);
    const free = placeLabels(
      [0, 1, 2, 3, 4, 5].map((at) => wish(at)),
      screen,
      VIEW,
      measure,
    );
    expect(free.length).toBeLessThan(6);
    const all = placeLabels(
      [0, 1, 2, 3, 4, 5].map((at) => wish(at, true)),
      screen,
      VIEW,
      measure,
    );
    expect(all.length).toBe(6);
  });

  it("stay inside the view and off what is written there already", () => {
    const screen = new Float32Array([398, 150, 0, 500, 20, 0, NaN, NaN, 0]);
    const [placed, ...rest] = placeLabels([wish(0), wish(1), wish(2)], screen, VIEW, measure);
    expect([placed.align, rest.length]).toEqual(["right", 0]);
    const reserved = [{ left: 0, top: 0, right: 400, bottom: 300 }];
    expect(placeLabels([wish(0)], screen, VIEW, measure, reserved)).toEqual([]);
  });
});

it("puts ticks at round numbers", () => {
  expect(roundTicks(-1.2, 3.1, 5)).toEqual([-1, 0, 1, 2, 3]);
  expect(roundTicks(0, 0.05, 5).map((tick) => tickText(tick, [0, 0.01]))).toEqual([
    "0.00",
    "0.01",
    "0.02",
    "0.03",
    "0.04",
    "0.05",
  ]);
  expect(roundTicks(1, 1, 5)).toEqual([]);
});
