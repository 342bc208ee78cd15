/** One matrix of one run: what it is called, what is wrong with it, and how much of its room it uses. */
import type { OverviewItem } from "../../data/types";
import { sayServer, t, tn } from "../../i18n";
import { nDirections } from "../../state/rows";
import { useShared } from "../context";
import {
  formatAround,
  formatBytes,
  formatCount,
  formatNumber,
  formatSeconds,
  formatShape,
  formatStep,
} from "../format";
import { PathName, RunName } from "../PathName";
import { TrendLine } from "../TrendLine";
import { levelOf, shortOf } from "../verdicts";
import { useOpen } from "./useOpen";

const TREND = { width: 96, height: 24 };

/** What is said of a matrix that has no verdict. */
function Unjudged({ kind, text }: { kind: "failed" | "waiting"; text: string }) {
  return (
    <span class={`verdict-short ${kind}`} title={text}>
      <span>{text}</span>
    </span>
  );
}

export function VerdictCell({ item }: { item: OverviewItem }) {
  const { state, verdicts, error } = item;
  const [verdict] = verdicts;
  if (state === "failed" && error) return <Unjudged kind="failed" text={sayServer(error)} />;
  if (state === "waiting") {
    const params = { size: formatBytes(item.bytes ?? 0), time: formatSeconds(item.expected_seconds ?? 0) };
    return <Unjudged kind="waiting" text={t("overview.waiting", params)} />;
  }
  if (!verdict) return <Unjudged kind="waiting" text={t("overview.pending")} />;
  const { name, evidence } = shortOf(verdict);
  return (
    <span class={`verdict-short ${levelOf(verdict)}`}>
      <i />
      <span>
        <b>{name}</b>
        {evidence}
      </span>
      {verdicts.length > 1 && <small>{tn("verdict.more", verdicts.length - 1)}</small>}
    </span>
  );
}

export interface OverviewRowProps {
  item: OverviewItem;
  /** Its place in the table, from 0. */
  at: number;
  /** Whether the tab key stops at it; the arrow keys lead to the others. */
  isStop: boolean;
  onFocus: () => void;
}

export function OverviewRow({ item, at, isStop, onFocus }: OverviewRowProps) {
  const { overview, colours } = useShared();
  const { href, open } = useOpen(item);
  const rank = item.metrics.effective_rank;
  const around = item.uncertainty?.effective_rank;
  const most = nDirections(item.shape);
  return (
    <tr data-row={at} aria-rowindex={at + 2} onClick={open} title={item.verdicts.map(sayServer).join("\n")}>
      <td>
        <RunName run={item.run} colour={colours.of(item.run)} />
      </td>
      <th scope="row">
        <a class="row-link" href={href} target="_top" tabIndex={isStop ? 0 : -1} onFocus={onFocus} title={item.matrix}>
          <PathName name={overview.nameOf(item)} separators="/." />
        </a>
      </th>
      <td>
        <VerdictCell item={item} />
      </td>
      <td class="number">
        {typeof rank === "number" && (
          <>
            {formatNumber(rank)} {around !== undefined && <small>{formatAround(around)} </small>}
            <small>{t("metrics.ofMost", { most: formatCount(most) })}</small>
          </>
        )}
      </td>
      <td>
        <TrendLine ranks={item.trend.effective_rank} most={most} {...TREND} />
      </td>
      <td class="number">{formatShape(item.shape)}</td>
      <td class="number">
        {item.step === null ? "" : formatStep(item.step)}{" "}
        <small>{tn("overview.checkpoints", item.n_checkpoints)}</small>
      </td>
    </tr>
  );
}
