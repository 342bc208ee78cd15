/** The rows of the overview; arrow keys walk through them, Enter opens one. */
import { useSignal, useSignalEffect } from "@preact/signals";
import { useMemo, useRef } from "preact/hooks";
import { t } from "../../i18n";
import { keyOf } from "../../state/rows";
import type { SortKey } from "../../state/spec";
import { useShared } from "../context";
import { Icon } from "../icons";
import { OverviewRow, type OverviewRowProps } from "./OverviewRow";

const PAGE_ROWS = 10;
const MOVES: Record<string, (at: number, last: number) => number> = {
  ArrowDown: (at) => at + 1,
  ArrowUp: (at) => at - 1,
  PageDown: (at) => at + PAGE_ROWS,
  PageUp: (at) => at - PAGE_ROWS,
  Home: () => 0,
  End: (_, last) => last,
};

const COLUMNS = [
  { key: "run", sort: "run" },
  { key: "matrix", sort: "matrix" },
  { key: "verdict", sort: "trouble" },
  { key: "rank", sort: "rank" },
  { key: "trend", sort: null },
  { key: "shape", sort: "shape" },
  { key: "step", sort: "step" },
] as const;
/** What is largest or latest comes first when such a column is chosen. */
const FROM_THE_TOP: readonly SortKey[] = ["shape", "step"];

function Head() {
  const { store } = useShared();
  const { sort, descending } = store.spec.value;
  const choose = (wanted: SortKey) => {
    const starts = FROM_THE_TOP.includes(wanted);
    store.update({ sort: wanted, descending: wanted === sort ? !descending : starts });
  };
  return (
    <thead>
      <tr>
        {COLUMNS.map((column) => {
          const isChosen = column.sort === sort;
          return (
            <th
              key={column.key}
              scope="col"
              class={`column-${column.key}`}
              aria-sort={isChosen ? (descending ? "descending" : "ascending") : undefined}
            >
              {column.sort === null ? (
                t(`overview.column.${column.key}`)
              ) : (
                <button type="button" class={isChosen ? "chosen" : ""} onClick={() => choose(column.sort)}>
                  <span>{t(`overview.column.${column.key}`)}</span>
                  {isChosen && <Icon name="chevron" size={14} class={descending ? "up" : ""} />}
                </button>
              )}
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

/** A row that is made anew only when its item is another one, or when it gets or loses its place in the tab order. */
function Row({ item, isActive, onFocus }: OverviewRowProps) {
  return useMemo(() => <OverviewRow item={item} isActive={isActive} onFocus={onFocus} />, [item, isActive]);
}

export function OverviewTable() {
  const { store, overview } = useShared();
  const body = useRef<HTMLTableSectionElement>(null);
  const active = useSignal(store.opened.peek());
  const rows = overview.rows.value;
  const keys = rows.map(keyOf);
  const activeAt = Math.max(active.value === null ? -1 : keys.indexOf(active.value), 0);
  const focusRow = (at: number) => {
    const link = body.current?.querySelectorAll<HTMLElement>(".row-link")[at];
    link?.focus();
    link?.scrollIntoView({ block: "nearest" });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const move = MOVES[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const last = rows.length - 1;
    focusRow(Math.min(Math.max(move(activeAt, last), 0), last));
  };
  // Back from a view: the focus returns to the row that was opened.
  useSignalEffect(() => {
    const at = overview.rows.value.findIndex((item) => keyOf(item) === store.opened.value);
    if (at < 0) return;
    store.opened.value = null;
    requestAnimationFrame(() => focusRow(at));
  });
  return (
    <table class="overview-table" aria-label={t("overview.table")} aria-rowcount={rows.length + 1}>
      <colgroup>
        {COLUMNS.map(({ key }) => (
          <col key={key} class={`column-${key}`} />
        ))}
      </colgroup>
      <Head />
      <tbody
        ref={body}
        onKeyDown={onKeyDown}
        onPointerEnter={() => overview.hold("pointer", true)}
        onPointerLeave={() => overview.hold("pointer", false)}
        onFocusIn={() => overview.hold("focus", true)}
        onFocusOut={(event) => {
          if (!event.currentTarget.contains(event.relatedTarget as Node | null)) overview.hold("focus", false);
        }}
      >
        {rows.map((item, at) => (
          <Row
            key={keys[at]}
            item={item}
            isActive={at === activeAt}
            onFocus={() => {
              active.value = keyOf(item);
            }}
          />
        ))}
      </tbody>
    </table>
  );
}
