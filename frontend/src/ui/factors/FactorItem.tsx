/** One factor: its share, the rows at its two ends, and how much of it the selected rows have. */
import type { Factor, ScoredRow } from "../../data/types";
import { t } from "../../i18n";
import { colourByFactor, factorOf, MAX_COMPONENTS, NO_COLOUR } from "../../state/spec";
import { useShared } from "../context";
import { formatCosine, formatCount, formatNumber, formatShare, formatSigned } from "../format";
import { RowButton } from "../RowButton";

/** Rows named at either end. */
const N_ENDS = 5;
/** Columns named of the chosen factor. */
const N_COLUMNS = 4;
/** Scores of the selected rows beyond so many times the usual one fill the bar. */
const FULL_CARRIED = 3;

function End({ rows, side }: { rows: readonly ScoredRow[]; side: "positive" | "negative" }) {
  return (
    <span class={`factor-end ${side}`}>
      {rows.slice(0, N_ENDS).map(({ row, score }) => (
        <RowButton key={row} row={row} hint={formatNumber(score)} />
      ))}
    </span>
  );
}

/** A bar to the right for much of the factor, to the left for much of its opposite. */
function Carried({ value }: { value: number }) {
  const share = Math.min(Math.abs(value) / FULL_CARRIED, 1) * 50;
  const side = value < 0 ? { right: "50%" } : { left: "50%" };
  return (
    <span class="carried" title={t("factors.carried")}>
      <i class={value < 0 ? "negative" : "positive"} style={{ width: `${share}%`, ...side }} />
      <b>{formatSigned(value)}</b>
    </span>
  );
}

function Facts({ factor }: { factor: Factor }) {
  const { kurtosis, consistency, continues } = factor;
  return (
    <>
      {kurtosis !== null && (
        <span title={t("factors.kurtosisHint")}>{t("factors.kurtosis", { n: formatNumber(kurtosis) })}</span>
      )}
      {consistency !== null && (
        <span title={t("factors.consistencyHint")}>{t("factors.consistency", { n: formatCosine(consistency) })}</span>
      )}
      {continues && (
        <span title={t("factors.continuesHint", { cosine: formatCosine(continues.cosine) })}>
          {t("factors.continues", { n: continues.factor })}
        </span>
      )}
    </>
  );
}

/** The entries of the direction itself that are farthest from zero. */
function Columns({ columns }: Pick<Factor, "columns">) {
  const { model } = useShared();
  // Of a transposed matrix they are its rows, which may have names.
  const areRows = model.listedAre.value === "columns";
  const listed = columns.slice(0, N_COLUMNS).map(({ column, entry }) => {
    const name = (areRows && model.labelOf(column, "rows")) || formatCount(column);
    return t("factors.column", { column: name, entry: formatNumber(entry) });
  });
  const all = { columns: listed.join(t("text.comma")) };
  return <p class="footnote">{areRows ? t("factors.rows", all) : t("factors.columns", all)}</p>;
}

export function FactorItem({ factor }: { factor: Factor }) {
  const { store, model } = useShared();
  const { factor: number, share } = factor;
  const isChosen = factorOf(store.spec.value.colour) === number;
  const carried = model.carried.value[number - 1] ?? null;
  const toggle = () => store.update({ colour: isChosen ? NO_COLOUR : colourByFactor(number) });
  return (
    <li class={`factor ${isChosen ? "chosen" : ""}`}>
      <p class="factor-head">
        <button
          type="button"
          aria-pressed={isChosen}
          disabled={number > MAX_COMPONENTS}
          title={t("factors.colour")}
          onClick={toggle}
        >
          <b>{number}</b>
          <i class="factor-bar">
            <i style={{ width: `${Math.min(share, 1) * 100}%` }} />
          </i>
          <span>{formatShare(share)}</span>
        </button>
        {carried !== null && <Carried value={carried} />}
        <span class="factor-facts">
          <Facts factor={factor} />
        </span>
      </p>
      <p class="factor-ends">
        <End rows={factor.bottom} side="negative" />
        <End rows={factor.top} side="positive" />
      </p>
      {isChosen && <Columns columns={factor.columns} />}
    </li>
  );
}
