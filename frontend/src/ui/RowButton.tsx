/** The name of a row: pointing at it rings its point, a press selects it; with Ctrl, Cmd or Shift, it as well. */
import type { ComponentChildren } from "preact";
import { useShared } from "./context";
import { nameOfPoint } from "./names";

interface RowButtonProps {
  row: number;
  hint?: string;
  class?: string;
  children?: ComponentChildren;
}

export function RowButton({ row, hint, class: extra = "", children }: RowButtonProps) {
  const { store, model } = useShared();
  const { selection } = store;
  void selection.current.value;
  const isSelected = selection.of("rows").includes(row);
  const point = (at: number | null) => () => {
    selection.hovered.value = at;
  };
  return (
    <button
      type="button"
      class={`row-button ${extra} ${isSelected ? "selected" : ""}`}
      title={hint}
      aria-pressed={isSelected}
      onMouseEnter={point(row)}
      onMouseLeave={point(null)}
      onFocus={point(row)}
      onBlur={point(null)}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) selection.toggle(row, "points");
        else selection.set([row], "points");
      }}
    >
      <span class="row-name">{nameOfPoint(model, row)}</span>
      {children}
    </button>
  );
}
