/** Dark or light, as the host shows itself: TensorBoard puts the class `dark-mode` on its body. */
import { type ReadonlySignal, signal } from "@preact/signals";
import { hostWindow } from "./hash";

export type Theme = "light" | "dark";

const DARK_CLASS = "dark-mode";

export function followTheme(host: Window = hostWindow()): ReadonlySignal<Theme> {
  const theme = signal<Theme>("light");
  const apply = () => {
    theme.value = host.document.body?.classList.contains(DARK_CLASS) ? "dark" : "light";
    document.documentElement.dataset.theme = theme.value;
  };
  try {
    apply();
    new MutationObserver(apply).observe(host.document.body, { attributes: true, attributeFilter: ["class"] });
  } catch {
    document.documentElement.dataset.theme = theme.value;
  }
  return theme;
}

export function prefersReducedMotion(): boolean {
  return window.matchMedia?.("(prefers-reduced-motion: reduce)").matches ?? false;
}
