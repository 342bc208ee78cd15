/** Which panels stand side by side, from the width of the tab and the chosen view. */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { Spec, View } from "../state/spec";

export type Layout = "wide" | Exclude<View, "auto">;

const WIDE_PIXELS = 1600;
/** Both of our panels above one another need this much beside the projector; otherwise it waits for its turn. */
const SPLIT_PIXELS = { width: 1200, height: 900 };

export function layoutOf(width: number, height: number, view: View): Layout {
  if (width >= WIDE_PIXELS) return "wide";
  if (view !== "auto") return view;
  return width >= SPLIT_PIXELS.width && height >= SPLIT_PIXELS.height ? "split" : "factors";
}

export function followLayout(spec: ReadonlySignal<Spec>): ReadonlySignal<Layout> {
  const size = signal({ width: window.innerWidth, height: window.innerHeight });
  window.addEventListener("resize", () => {
    const { innerWidth: width, innerHeight: height } = window;
    // TensorBoard makes the frame of a hidden tab vanish; the layout waits for it to come back.
    if (width > 0 && height > 0) size.value = { width, height };
  });
  return computed(() => layoutOf(size.value.width, size.value.height, spec.value.view));
}
