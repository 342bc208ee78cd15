/** Names on the spectrum: levels that values exceed, places behind which they are not kept, and single values. */
import type uPlot from "uplot";

export type Mark =
  /** A line across, at a value. */
  | { kind: "level"; at: number; label: string }
  /** An upright line behind so many values. */
  | { kind: "rank"; at: number; label: string }
  /** A ring around the value at an index from 1. */
  | { kind: "value"; at: number; value: number; label: string };

export interface MarkStyle {
  ink: string;
  line: string;
  surface: string;
  font: string;
}

const LINE_PIXELS = 14;
const EDGE = 6;
const RING_PIXELS = 5;

/** Baselines of texts that want to stand at these heights, moved up until none covers another. */
export function spreadUp(wanted: readonly number[], gap: number): number[] {
  const order = wanted.map((_, at) => at).sort((a, b) => wanted[b] - wanted[a]);
  const placed = [...wanted];
  let ceiling = Infinity;
  for (const at of order) {
    placed[at] = Math.min(wanted[at], ceiling);
    ceiling = placed[at] - gap;
  }
  return placed;
}

function write(context: CanvasRenderingContext2D, text: string, x: number, y: number, style: MarkStyle, ratio: number) {
  context.lineWidth = 3 * ratio;
  context.strokeStyle = style.surface;
  context.strokeText(text, x, y);
  context.fillStyle = style.ink;
  context.fillText(text, x, y);
}

/** Draws the marks over a plot; its scales are x and y. */
export function drawMarks(plot: uPlot, marks: readonly Mark[], style: MarkStyle): void {
  const { ctx: context, bbox } = plot;
  const ratio = devicePixelRatio || 1;
  const right = bbox.left + bbox.width;
  const bottom = bbox.top + bbox.height;
  const stroke = (x0: number, y0: number, x1: number, y1: number) => {
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
    context.stroke();
  };
  context.save();
  context.font = style.font.replace(/(\d+)px/, (_, size) => `${Number(size) * ratio}px`);
  context.lineJoin = "round";
  context.textBaseline = "alphabetic";
  const levels = marks.filter(({ kind }) => kind === "level");
  const heights = levels.map(({ at }) => plot.valToPos(at, "y", true));
  const baselines = spreadUp(
    heights.map((height) => height - 4 * ratio),
    LINE_PIXELS * ratio,
  );
  const ranks = marks.filter(({ kind }) => kind === "rank");
  const places = ranks.map(({ at }) => plot.valToPos(at + 0.5, "x", true));
  context.lineWidth = ratio;
  context.strokeStyle = style.line;
  context.setLineDash([5 * ratio, 3 * ratio]);
  for (const height of heights) stroke(bbox.left, height, right, height);
  context.setLineDash([2 * ratio, 3 * ratio]);
  for (const x of places) stroke(x, bbox.top, x, bottom);
  context.setLineDash([]);
  context.textAlign = "right";
  levels.forEach(({ label }, at) => {
    write(context, label, right - EDGE * ratio, baselines[at], style, ratio);
  });
  ranks.forEach(({ label }, at) => {
    const fits = places[at] + context.measureText(label).width + 2 * EDGE * ratio < right;
    context.textAlign = fits ? "left" : "right";
    const x = places[at] + (fits ? EDGE : -EDGE) * ratio;
    write(context, label, x, bbox.top + LINE_PIXELS * ratio * (at + 1), style, ratio);
  });
  for (const mark of marks) {
    if (mark.kind !== "value") continue;
    const [x, y] = [plot.valToPos(mark.at, "x", true), plot.valToPos(mark.value, "y", true)];
    context.lineWidth = 1.5 * ratio;
    context.strokeStyle = style.ink;
    context.beginPath();
    context.arc(x, y, RING_PIXELS * ratio, 0, 2 * Math.PI);
    context.stroke();
    context.textAlign = "left";
    write(context, mark.label, x + (RING_PIXELS + 4) * ratio, y - 3 * ratio, style, ratio);
  }
  context.restore();
}
