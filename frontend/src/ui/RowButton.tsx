/** The name of a row: pointing at it rings its point, a press selects it; with Ctrl, Cmd or Shift, it as well. */
import type { ComponentChildren } from "preact";
import { useShared } from "./context";
import { nameOfListed } from "./names";

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
  const kind = model.listedAre.value;
  const isSelected = selection.of(kind).includes(row);
  const point = (at: number | null) => () => {
    if (model.pointsAre.value === kind) selection.hovered.value = at;
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
        if (event.ctrlKey || event.metaKey || event.shiftKey) selection.toggle(row, "points", kind);
        else selection.set([row], "points", kind);
      }}
    >
      <span class="row-name">{nameOfListed(model, row)}</span>
      {children}
    </button>
  );
}
