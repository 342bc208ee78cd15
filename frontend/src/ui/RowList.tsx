/** Rows with an amount each, as a bar and a number. */
import { formatNumber } from "./format";
import { RowButton } from "./RowButton";

export interface Amount {
  row: number;
  amount: number;
}

export function RowList({ rows }: { rows: readonly Amount[] }) {
  const most = Math.max(...rows.map(({ amount }) => amount), Number.MIN_VALUE);
  return (
    <ol class="row-list">
      {/* Keys are places: where a press makes another list, the focus stays at its place. */}
      {rows.map(({ row, amount }, at) => (
        <li key={at}>
          <RowButton row={row}>
            <i class="amount">
              <i style={{ width: `${(100 * Math.max(amount, 0)) / most}%` }} />
            </i>
            <b>{formatNumber(amount)}</b>
          </RowButton>
        </li>
      ))}
    </ol>
  );
}
