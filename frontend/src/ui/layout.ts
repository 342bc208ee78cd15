/** Which panels stand side by side, from the width of the tab and the chosen view. */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { Spec, View } from "../state/spec";

export type Layout = "wide" | Exclude<View, "auto">;

const WIDE_PIXELS = 1600;
const SPLIT_PIXELS = 1200;

export function layoutOf(width: number, view: View): Layout {
  if (width >= WIDE_PIXELS) return "wide";
  if (view !== "auto") return view;
  return width >= SPLIT_PIXELS ? "split" : "factors";
}

export function followLayout(spec: ReadonlySignal<Spec>): ReadonlySignal<Layout> {
  const width = signal(window.innerWidth);
  window.addEventListener("resize", () => {
    // TensorBoard makes the frame of a hidden tab vanish; the layout waits for it to come back.
    if (window.innerWidth > 0 && window.innerHeight > 0) width.value = window.innerWidth;
  });
  return computed(() => layoutOf(width.value, spec.value.view));
}
