/** A panel that opens beside what it belongs to; Escape or a click elsewhere closes it. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren, RefObject } from "preact";
import { useId, useRef } from "preact/hooks";
import { Icon } from "./icons";

const WIDTH = 330;
const EDGE = 8;
const GAP = 6;

interface Place {
  left: string;
  top?: string;
  bottom?: string;
}

/** Above an element in the lower half of the window, below one in the upper half. */
function placeBy(element: HTMLElement): Place {
  const box = element.getBoundingClientRect();
  const isLow = box.top + box.bottom > window.innerHeight;
  const wished = isLow ? box.right - WIDTH : box.left;
  const left = `${Math.max(Math.min(wished, window.innerWidth - WIDTH - EDGE), EDGE)}px`;
  return isLow ? { left, bottom: `${window.innerHeight - box.top + GAP}px` } : { left, top: `${box.bottom + GAP}px` };
}

export function usePopover(anchor: RefObject<HTMLElement | null>, onToggle?: (isOpen: boolean) => void) {
  const id = useId();
  const element = useRef<HTMLDivElement>(null);
  const place = useSignal<Place>({ left: "0px" });
  const isOpen = useSignal(false);
  const onBeforeToggle = ({ newState }: Pick<ToggleEvent, "newState">) => {
    isOpen.value = newState === "open";
    onToggle?.(isOpen.value);
    if (anchor.current) place.value = placeBy(anchor.current);
  };
  return {
    id,
    isOpen,
    /** Opens it for somebody who comes from elsewhere, and takes the focus there. */
    show: () => {
      element.current?.showPopover();
      requestAnimationFrame(() => element.current?.querySelector<HTMLElement>("select, button")?.focus());
    },
    hide: () => element.current?.hidePopover(),
    panel: (label: string, content: ComponentChildren) => (
      <div
        ref={element}
        id={id}
        popover="auto"
        role="dialog"
        aria-label={label}
        class="popover"
        style={{ width: `${WIDTH}px`, ...place.value }}
        onBeforeToggle={onBeforeToggle}
      >
        {content}
      </div>
    ),
  };
}

interface PopoverProps {
  label: string;
  onToggle?: (isOpen: boolean) => void;
  children: ComponentChildren;
}

/** A button and the panel that it opens. */
export function Popover({ label, onToggle, children }: PopoverProps) {
  const button = useRef<HTMLButtonElement>(null);
  const { id, panel } = usePopover(button, onToggle);
  return (
    <>
      <button ref={button} type="button" class="text-button opens" popovertarget={id}>
        {label}
        <Icon name="chevron" size={14} />
      </button>
      {panel(label, children)}
    </>
  );
}
