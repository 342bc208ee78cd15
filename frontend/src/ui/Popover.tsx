/** A button with a panel that opens above it; Escape or a click elsewhere closes it. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useId, useRef } from "preact/hooks";
import { Icon } from "./icons";

const WIDTH = 330;
const EDGE = 8;
const GAP = 6;

interface PopoverProps {
  label: string;
  onToggle?: (isOpen: boolean) => void;
  children: ComponentChildren;
}

export function Popover({ label, onToggle, children }: PopoverProps) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const place = useSignal({ left: "0px", bottom: "0px" });
  const onBeforeToggle = (event: Pick<ToggleEvent, "newState">) => {
    onToggle?.(event.newState === "open");
    const box = button.current?.getBoundingClientRect();
    if (!box) return;
    const left = Math.min(Math.max(box.right - WIDTH, EDGE), window.innerWidth - WIDTH - EDGE);
    place.value = { left: `${left}px`, bottom: `${window.innerHeight - box.top + GAP}px` };
  };
  return (
    <>
      <button ref={button} type="button" class="text-button opens" popovertarget={id}>
        {label}
        <Icon name="chevron" size={14} class="up" />
      </button>
      <div
        id={id}
        popover="auto"
        class="popover"
        style={{ width: `${WIDTH}px`, ...place.value }}
        onBeforeToggle={onBeforeToggle}
      >
        {children}
      </div>
    </>
  );
}
