/** Plays through the steps: the next one when the shown one is on the screen and has stayed there a moment. */
import { effect } from "@preact/signals";
import type { Store } from "./store";

const DWELL_MS = 1000;

export function connectPlayer(store: Store): () => void {
  return effect(() => {
    if (!store.playing.value) return;
    const { key, valueKey, error, loading } = store.series.points.state.value;
    const now = store.current.value;
    if (!now || (loading && valueKey !== key && !error)) return;
    const timer = setTimeout(() => {
      if (now.index + 1 < now.steps.length) store.goToStep(now.index + 1);
      if (now.index + 2 >= now.steps.length) store.playing.value = false;
    }, DWELL_MS);
    return () => clearTimeout(timer);
  });
}

export function togglePlay(store: Store): void {
  const now = store.current.peek();
  if (!now || now.steps.length < 2) return;
  const starts = !store.playing.peek();
  if (starts && now.index === now.steps.length - 1) store.goToStep(0);
  store.playing.value = starts;
}
