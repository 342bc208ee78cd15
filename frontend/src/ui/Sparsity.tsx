/** What it would cost to set the smallest entries to zero: the error against the share that is pruned. */
import type { SparsityReply } from "../data/types";
import { sayServer, t, tn } from "../i18n";
import { useShared } from "./context";
import { formatCount, formatShare } from "./format";
import { Popover } from "./Popover";
import { ProgressBar } from "./panel";

const SIZE = { width: 306, height: 150 };
const EDGE = { left: 40, right: 8, top: 8, bottom: 22 };
/** Errors at which the cost is told in words. */
const TOLD_ERRORS = [0.01, 0.1];

const x = (share: number) => EDGE.left + share * (SIZE.width - EDGE.left - EDGE.right);
const y = (error: number) => SIZE.height - EDGE.bottom - Math.min(error, 1) * (SIZE.height - EDGE.top - EDGE.bottom);

function Curve({ reply }: { reply: SparsityReply }) {
  const { pruned, error } = reply;
  const points = pruned.flatMap((share, at) =>
    error[at] === null ? [] : [`${x(share).toFixed(1)},${y(error[at]).toFixed(1)}`],
  );
  return (
    <svg class="pruning" viewBox={`0 0 ${SIZE.width} ${SIZE.height}`} role="img" aria-label={t("sparsity.curve")}>
      {[0, 0.5, 1].map((mark) => (
        <g key={mark}>
          <line x1={EDGE.left} x2={SIZE.width - EDGE.right} y1={y(mark)} y2={y(mark)} />
          <text x={EDGE.left - 6} y={y(mark) + 4} text-anchor="end">
            {formatShare(mark)}
          </text>
          <text x={x(mark)} y={SIZE.height - 6} text-anchor={mark === 0 ? "start" : mark === 1 ? "end" : "middle"}>
            {formatShare(mark)}
          </text>
        </g>
      ))}
      <polyline points={points.join(" ")} />
    </svg>
  );
}

/** The largest share that can be pruned at no more than an error. */
export function prunable({ pruned, error }: Pick<SparsityReply, "pruned" | "error">, most: number): number {
  return pruned.reduce((best, share, at) => ((error[at] ?? Infinity) <= most ? Math.max(best, share) : best), 0);
}

function Found({ reply }: { reply: SparsityReply }) {
  const { zero_share, near_zero_share, zero_rows, zero_columns } = reply;
  return (
    <>
      <Curve reply={reply} />
      <p class="quiet">{t("sparsity.axes")}</p>
      {TOLD_ERRORS.map((error) => (
        <p key={error}>
          {t("sparsity.prunable", { share: formatShare(prunable(reply, error)), error: formatShare(error) })}
        </p>
      ))}
      <p>{t("sparsity.zeros", { zero: formatShare(zero_share), near: formatShare(near_zero_share) })}</p>
      <p>
        {t("sparsity.empty", {
          rows: tn("sparsity.rows", zero_rows, formatCount(zero_rows)),
          columns: tn("sparsity.columns", zero_columns, formatCount(zero_columns)),
        })}
      </p>
    </>
  );
}

export function Sparsity() {
  const { store } = useShared();
  const { series } = store;
  const { value, error, pending } = series.sparsity.state.value;
  return (
    <Popover
      label={t("sparsity.title")}
      onToggle={(isOpen) => {
        series.asksSparsity.value = isOpen;
      }}
    >
      <div class="sparsity">
        {error && <p>{sayServer(error)}</p>}
        {value && <Found reply={value} />}
        {!value && !error && <ProgressBar value={pending?.progress ?? null} label={t("state.loading")} />}
      </div>
    </Popover>
  );
}
