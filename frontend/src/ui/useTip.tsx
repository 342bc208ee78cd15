/** An explanation beside what is pointed at or has the focus; Escape closes it. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

const WIDTH = 300;
const EDGE = 8;
const GAP = 6;

interface Place {
  left: string;
  top?: string;
  bottom?: string;
}

/** Below an element, or above it where there is more room; or beside it, where it stands in a list. */
function placeOf(element: HTMLElement, isListed: boolean): Place {
  const box = element.getBoundingClientRect();
  if (isListed && box.right + WIDTH + 2 * GAP < window.innerWidth) {
    return { left: `${box.right + 2 * GAP}px`, top: `${box.top}px` };
  }
  const left = `${Math.min(Math.max(box.left, EDGE), window.innerWidth - WIDTH - EDGE)}px`;
  const isLow = box.bottom > window.innerHeight - box.top;
  return isLow ? { left, bottom: `${window.innerHeight - box.top + GAP}px` } : { left, top: `${box.bottom + GAP}px` };
}

export function useTip(isListed = false) {
  const id = useId();
  const place = useSignal<Place | null>(null);
  const show = (event: { currentTarget: HTMLElement }) => {
    place.value = placeOf(event.currentTarget, isListed);
  };
  const hide = () => {
    place.value = null;
  };
  return {
    handlers: {
      "aria-describedby": id,
      onMouseEnter: show,
      onMouseLeave: hide,
      onFocus: show,
      onBlur: hide,
      onKeyDown: (event: KeyboardEvent) => event.key === "Escape" && hide(),
    },
    tip: (content: ComponentChildren) => (
      <span id={id} role="tooltip" class="tip" hidden={!place.value} style={{ width: `${WIDTH}px`, ...place.value }}>
        {content}
      </span>
    ),
  };
}
