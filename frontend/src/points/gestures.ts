/** Pointer, wheel and keys of the points: pan, orbit, zoom, hover, select. */
import type { PointsView } from "./view";

export interface GestureEvents {
  onHover: (index: number | null) => void;
  /** `more` adds to the selection. A click beside every point gives null. */
  onSelect: (index: number | null, more: boolean) => void;
}

const CLICK_PIXELS = 4;
const KEY_PIXELS = 40;
const ARROWS: Record<string, [number, number]> = {
  ArrowLeft: [1, 0],
  ArrowRight: [-1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

export function connectGestures(view: PointsView, target: HTMLElement, events: GestureEvents): () => void {
  let last: { x: number; y: number } | null = null;
  let moved = 0;
  let hoverRequest = 0;

  const place = (event: MouseEvent) => {
    const box = target.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const hover = (x: number, y: number) => {
    cancelAnimationFrame(hoverRequest);
    hoverRequest = requestAnimationFrame(() => events.onHover(view.pick(x, y)));
  };
  const listeners = {
    pointerdown: (event: PointerEvent) => {
      if (event.button > 1 && event.button !== 2) return;
      target.setPointerCapture(event.pointerId);
      last = place(event);
      moved = 0;
    },
    pointermove: (event: PointerEvent) => {
      const { x, y } = place(event);
      if (!last) {
        hover(x, y);
        return;
      }
      moved += Math.abs(x - last.x) + Math.abs(y - last.y);
      if (moved > CLICK_PIXELS) {
        events.onHover(null);
        view.dragBy(x - last.x, y - last.y, event.shiftKey || event.buttons === 2);
      }
      last = { x, y };
    },
    pointerup: (event: PointerEvent) => {
      const { x, y } = place(event);
      if (last && moved <= CLICK_PIXELS)
        events.onSelect(view.pick(x, y), event.shiftKey || event.ctrlKey || event.metaKey);
      last = null;
      view.endDrag();
    },
    pointercancel: () => {
      last = null;
      view.endDrag();
    },
    pointerleave: () => {
      cancelAnimationFrame(hoverRequest);
      events.onHover(null);
    },
    contextmenu: (event: MouseEvent) => event.preventDefault(),
    dblclick: () => view.home(),
    wheel: (event: WheelEvent) => {
      event.preventDefault();
      const { x, y } = place(event);
      const lines = event.deltaMode === 1 ? 16 : 1;
      view.zoomAt(Math.exp(-event.deltaY * lines * 0.0016), x, y);
    },
    keydown: (event: KeyboardEvent) => {
      const arrow = ARROWS[event.key];
      const box = target.getBoundingClientRect();
      if (arrow) view.dragBy(arrow[0] * KEY_PIXELS, arrow[1] * KEY_PIXELS, event.shiftKey);
      else if (event.key === "+" || event.key === "=") view.zoomAt(1.25, box.width / 2, box.height / 2);
      else if (event.key === "-") view.zoomAt(0.8, box.width / 2, box.height / 2);
      else if (event.key === "0" || event.key === "Home") view.home();
      else if (event.key === "Escape") events.onSelect(null, false);
      else return;
      event.preventDefault();
      view.endDrag();
    },
  };
  for (const [name, listener] of Object.entries(listeners)) {
    target.addEventListener(name, listener as EventListener, { passive: false });
  }
  return () => {
    cancelAnimationFrame(hoverRequest);
    for (const [name, listener] of Object.entries(listeners)) {
      target.removeEventListener(name, listener as EventListener);
    }
  };
}
