/** The rows of the overview; arrow keys walk through them, Enter opens one. */
import { useSignal, useSignalEffect } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import type { OverviewItem } from "../../data/types";
import { t } from "../../i18n";
import { keyOf } from "../../state/rows";
import type { SortKey } from "../../state/spec";
import { useShared } from "../context";
import { Icon } from "../icons";
import { OverviewRow, type OverviewRowProps } from "./OverviewRow";
import { useRowWindow } from "./useRowWindow";

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

/** A row that is made anew only when its item or place is another one, or when it gets or loses its place in the tab order. */
function Row({ item, at, isStop, onFocus }: OverviewRowProps) {
  return useMemo(() => <OverviewRow item={item} at={at} isStop={isStop} onFocus={onFocus} />, [item, at, isStop]);
}

function Gap({ rows, rowPixels }: { rows: number; rowPixels: number }) {
  return rows > 0 ? <tr class="gap" style={{ height: `${rows * rowPixels}px` }} /> : null;
}

export function OverviewTable() {
  const { store, overview } = useShared();
  const body = useRef<HTMLTableSectionElement>(null);
  /** The row that gets the focus as soon as it is made. */
  const wanted = useRef<number | null>(null);
  const active = useSignal(store.opened.peek());
  const rows = overview.rows.value;
  const { first, end, rowPixels } = useRowWindow(body, ".overview", rows.length).value;
  const shown = rows.slice(first, end);
  const isActive = (item: OverviewItem) => keyOf(item) === active.value;
  // The tab order has one row: the one that had the focus last, or the first one where that is not here.
  const stop = shown.find(isActive) ?? shown[0];
  const giveFocus = () => {
    const row = wanted.current === null ? null : body.current?.querySelector(`[data-row="${wanted.current}"]`);
    if (!row) return;
    wanted.current = null;
    row.querySelector<HTMLElement>(".row-link")?.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  };
  useLayoutEffect(giveFocus);
  const focusRow = (at: number) => {
    wanted.current = at;
    active.value = keyOf(rows[at]);
    if (at < first || at >= end) {
      const view = body.current?.closest(".overview");
      view?.scrollTo({ top: (body.current?.offsetTop ?? 0) + at * rowPixels - view.clientHeight / 2 });
    }
    giveFocus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const move = MOVES[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const last = rows.length - 1;
    const at = Math.max(rows.findIndex(isActive), 0);
    focusRow(Math.min(Math.max(move(at, last), 0), last));
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
        <Gap rows={first} rowPixels={rowPixels} />
        {shown.map((item, at) => (
          <Row
            key={keyOf(item)}
            item={item}
            at={first + at}
            isStop={item === stop}
            onFocus={() => {
              active.value = keyOf(item);
            }}
          />
        ))}
        <Gap rows={rows.length - end} rowPixels={rowPixels} />
      </tbody>
    </table>
  );
}
