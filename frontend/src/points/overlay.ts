/** What is drawn over the points: axes, words, rings around what is selected, hit or hovered. */
import type { mat4 } from "gl-matrix";
import { type Camera, type Camera2, project, unitPixels, type Viewport } from "./camera";
import { LINE_HEIGHT, type PlacedLabel } from "./labels";
import type { Extent } from "./positions";
import { roundTicks, tickText } from "./ticks";

export interface OverlayColours {
  ink: string;
  faint: string;
  line: string;
  accent: string;
  surface: string;
}

export interface AxesScene {
  camera: Camera;
  extent: Extent;
  stretch: boolean;
  matrix: mat4;
  viewport: Viewport;
  axisNames: [string, string, string];
}

export interface OverlayScene extends AxesScene {
  screen: Float32Array;
  labels: PlacedLabel[];
  selected: readonly number[];
  hits: readonly number[];
  hovered: number | null;
  /** Diameter of a point, CSS pixels. */
  size: number;
}

const FONT = "Roboto, system-ui, sans-serif";
const EDGE = 22;
const MAX_RINGS = 80;
export const LABEL_FONT = `400 12px ${FONT}`;
export const AXIS_FONT = `500 11px ${FONT}`;

type Context = CanvasRenderingContext2D;

function line(context: Context, x0: number, y0: number, x1: number, y1: number): void {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

function drawPlaneAxes(context: Context, scene: OverlayScene, colours: OverlayColours): void {
  const camera = scene.camera as Camera2;
  const { width, height } = scene.viewport;
  const [unitX, unitY] = unitPixels(camera, scene, scene.viewport);
  const xOf = (value: number) => width / 2 + (value - camera.x) * unitX;
  const yOf = (value: number) => height / 2 - (value - camera.y) * unitY;
  const xTicks = roundTicks(camera.x - width / 2 / unitX, camera.x + width / 2 / unitX, width / 90);
  const yTicks = roundTicks(camera.y - height / 2 / unitY, camera.y + height / 2 / unitY, height / 70);
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  const zeroX = Math.round(xOf(0)) + 0.5;
  const zeroY = Math.round(yOf(0)) + 0.5;
  if (zeroX > 0 && zeroX < width) line(context, zeroX, 0, zeroX, height - EDGE);
  if (zeroY > 0 && zeroY < height) line(context, 0, zeroY, width, zeroY);
  context.fillStyle = colours.faint;
  context.font = `11px ${FONT}`;
  context.textBaseline = "middle";
  context.textAlign = "center";
  for (const tick of xTicks) {
    const x = Math.round(xOf(tick)) + 0.5;
    if (x < 34 || x > width - 12) continue;
    line(context, x, height - EDGE, x, height - EDGE + 4);
    context.fillText(tickText(tick, xTicks), x, height - 9);
  }
  context.textAlign = "left";
  for (const tick of yTicks) {
    const y = Math.round(yOf(tick)) + 0.5;
    if (y < 20 || y > height - EDGE - 8) continue;
    line(context, 0, y, 4, y);
    context.fillText(tickText(tick, yTicks), 8, y);
  }
}

/** The origin and the ends of the three axes on the screen, (x, y, depth) each. */
function axisEnds(scene: AxesScene): Float32Array {
  const { min, max } = scene.extent;
  const halves = max.map((high, axis) => ((high - min[axis]) / 2) * 0.55);
  const points = new Float32Array(12);
  for (let axis = 0; axis < 3; axis++) {
    points[(axis + 1) * 3 + axis] = scene.stretch ? halves[axis] : Math.max(...halves);
  }
  return project(points, scene.matrix, scene.viewport, new Float32Array(12));
}

/** Where the names of the axes stand. */
export function axisTexts(scene: AxesScene): Omit<PlacedLabel, "index">[] {
  const { width, height } = scene.viewport;
  const [x, y] = scene.axisNames;
  if (scene.camera.dims === 2) {
    return [
      { text: `${x} →`, x: width - 8, y: height - EDGE - 9, align: "right" },
      { text: `↑ ${y}`, x: 8, y: 10, align: "left" },
    ];
  }
  const ends = axisEnds(scene);
  return scene.axisNames.map((text, axis) => {
    const endX = ends[(axis + 1) * 3];
    const toLeft = endX < ends[0];
    return { text, x: endX + (toLeft ? -5 : 5), y: ends[(axis + 1) * 3 + 1], align: toLeft ? "right" : "left" };
  });
}

function drawAxisTexts(context: Context, scene: OverlayScene, colours: OverlayColours): void {
  context.font = AXIS_FONT;
  context.fillStyle = colours.ink;
  context.strokeStyle = colours.surface;
  context.lineWidth = 3;
  context.lineJoin = "round";
  context.textBaseline = "middle";
  for (const { text, x, y, align } of axisTexts(scene)) {
    context.textAlign = align;
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
  }
}

function drawSpaceAxes(context: Context, scene: OverlayScene, colours: OverlayColours): void {
  const ends = axisEnds(scene);
  context.strokeStyle = colours.faint;
  context.lineWidth = 1;
  for (let axis = 1; axis <= 3; axis++) line(context, ends[0], ends[1], ends[axis * 3], ends[axis * 3 + 1]);
}

function drawRings(context: Context, scene: OverlayScene, indices: readonly number[], radius: number): void {
  for (const index of indices) {
    const x = scene.screen[index * 3];
    const y = scene.screen[index * 3 + 1];
    if (!(x >= -radius && y >= -radius)) continue;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.stroke();
  }
}

function drawDots(context: Context, scene: OverlayScene, indices: readonly number[], radius: number): void {
  for (const index of indices) {
    const x = scene.screen[index * 3];
    const y = scene.screen[index * 3 + 1];
    if (!(x >= -radius && y >= -radius)) continue;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  }
}

function drawLabels(context: Context, scene: OverlayScene, colours: OverlayColours): void {
  const strong = new Set([...scene.selected, ...scene.hits, scene.hovered]);
  context.textBaseline = "middle";
  context.lineJoin = "round";
  for (const { index, text, x, y, align } of scene.labels) {
    const isStrong = strong.has(index);
    context.font = isStrong ? LABEL_FONT.replace("400", "500") : LABEL_FONT;
    context.textAlign = align;
    context.strokeStyle = colours.surface;
    context.lineWidth = 3;
    context.strokeText(text, x, y, LINE_HEIGHT * 20);
    context.fillStyle = isStrong ? colours.ink : colours.faint;
    context.fillText(text, x, y, LINE_HEIGHT * 20);
  }
}

export function drawOverlay(context: Context, ratio: number, scene: OverlayScene, colours: OverlayColours): void {
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, scene.viewport.width, scene.viewport.height);
  if (scene.camera.dims === 2) drawPlaneAxes(context, scene, colours);
  else drawSpaceAxes(context, scene, colours);
  drawAxisTexts(context, scene, colours);
  const radius = Math.max(scene.size / 2 + 1, 3.5);
  context.fillStyle = colours.accent;
  context.strokeStyle = colours.surface;
  context.lineWidth = 1.5;
  drawDots(context, scene, scene.selected, radius + 0.5);
  context.strokeStyle = colours.accent;
  // Many hits stand out by the others being faint; rings around them all would hide them.
  if (scene.hits.length <= MAX_RINGS) drawRings(context, scene, scene.hits, radius + 1);
  if (scene.hovered !== null) {
    context.strokeStyle = colours.ink;
    drawRings(context, scene, [scene.hovered], radius + 2);
  }
  drawLabels(context, scene, colours);
}
