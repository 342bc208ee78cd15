/** How alike the matrix is to another one, or to itself at another step, and which rows lie farthest from where they lay. */
import type { CompareReply } from "../../data/types";
import { t, tn } from "../../i18n";
import { useShared } from "../context";
import { Renewing } from "../Followed";
import { formatCount } from "../format";
import { ErrorNote, Wait } from "../panel";
import { RowList } from "../RowList";
import { Measures } from "./Measures";
import { OtherTools } from "./OtherTools";

function MostChanged({ rows }: { rows: CompareReply["most_changed"] }) {
  const { store, model } = useShared();
  return (
    <>
      <p class="list-head">
        <b title={t("compare.changedHint")}>{t("compare.changed")}</b>
        <button
          type="button"
          class="text-button"
          onClick={() =>
            store.selection.set(
              rows.map(({ row }) => row),
              "points",
              model.listedAre.value,
            )
          }
        >
          {t("compare.selectAll", { n: formatCount(rows.length) })}
        </button>
      </p>
      <RowList rows={rows.map(({ row, change }) => ({ row, amount: change }))} />
    </>
  );
}

function Found({ reply }: { reply: CompareReply }) {
  const { rows_matched, rows_skipped, measures, most_changed } = reply;
  return (
    <>
      <p class="footnote">
        {tn("compare.matched", rows_matched, formatCount(rows_matched))}
        {rows_skipped > 0 && ` · ${tn("points.skipped", rows_skipped, formatCount(rows_skipped))}`}
      </p>
      <Measures measures={measures} />
      <p class="footnote">{t("compare.reading")}</p>
      {most_changed.length > 0 && <MostChanged rows={most_changed} />}
    </>
  );
}

export function Comparison() {
  const { store, activity } = useShared();
  const { value, error, pending, loading } = store.series.comparison.state.value;
  return (
    <div class="beside-body">
      {value && loading && <Renewing pending={pending} label={t("compare.comparing")} />}
      <OtherTools />
      {error && <ErrorNote error={error} onRetry={store.series.comparison.retry} />}
      {store.series.isWaiting.value && <p class="note quiet">{t("large.points")}</p>}
      {!value && loading && (
        <Wait label={t("compare.comparing")} pending={pending} onCancel={(job) => void activity.cancel(job)} />
      )}
      {value && <Found reply={value} />}
    </div>
  );
}
