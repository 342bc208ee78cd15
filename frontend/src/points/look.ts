/** How points look and move. */
import type { Viewport } from "./camera";

export const TRANSITION_MS = 650;

/** Slow at both ends. */
export function ease(t: number): number {
  return t < 0.5 ? 4 * t * t * t : 1 - (-2 * t + 2) ** 3 / 2;
}

/** Points shrink and thin out as there are more of them, and grow a little with the view. */
export function pointLook(n: number, { width, height }: Viewport): { size: number; opacity: number } {
  const room = Math.min(Math.max(Math.sqrt((width * height) / 420_000), 0.85), 1.5);
  const size = Math.min(Math.max(11 - 1.75 * Math.log10(Math.max(n, 1)), 1.6), 8) * room;
  return { size, opacity: n > 50_000 ? 0.55 : n > 5_000 ? 0.75 : 0.85 };
}
