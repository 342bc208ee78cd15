/** The named numbers of the current checkpoint: four, and the rest on request. What each means is said on hover and focus. */
import type { Signal } from "@preact/signals";
import { useId } from "preact/hooks";
import type { MetricEntry, MetricValue, SpectraInfo } from "../data/types";
import { sayNumber, t } from "../i18n";
import { nDirections } from "../state/rows";
import { useShared } from "./context";
import { formatAround, formatCosine, formatCount, formatMetric, formatNumber } from "./format";
import { Icon } from "./icons";
import { Sparkline } from "./Sparkline";
import { useTip } from "./useTip";

/** Numbers that count directions: said beside how many there are. */
const OF_ROWS = /_rows$|^rows_/;
const OF_CENTERED = /^(effective_rank|energy_rank_.*)$/;
const OF_STORED = "gavish_donoho_rank";

function numeric(value: MetricValue | undefined): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** Out of how many a number counts. */
function mostOf(key: string, info: SpectraInfo): number | null {
  if (OF_CENTERED.test(key)) return nDirections(info.shape);
  if (key === OF_STORED) return Math.min(...info.shape);
  return OF_ROWS.test(key) ? info.shape[0] : null;
}

/** Cosines, and what is likewise 1 for the same, lie between −1 and 1, so a tiny one is zero. */
const COSINE = /^(mean_cosine|cka_.*)$/;

interface CardProps {
  entry: MetricEntry;
  info: SpectraInfo;
  at: number;
}

function Card({ entry, info, at }: CardProps) {
  const { handlers, tip } = useTip();
  const value = info.checkpoints[at]?.metrics?.[entry.key];
  const around = info.checkpoints[at]?.uncertainty?.[entry.key];
  const history = info.checkpoints.map((checkpoint) => numeric(checkpoint.metrics?.[entry.key]));
  const most = mostOf(entry.key, info);
  const format = COSINE.test(entry.key) ? formatCosine : formatNumber;
  const { name, description, formula } = sayNumber(entry);
  return (
    <button type="button" class="card" {...handlers}>
      <span class="card-name">{name}</span>
      <span class="card-row">
        <span
          class={`card-value ${Array.isArray(value) ? "list" : ""}`}
          title={value === null ? t("metrics.none") : undefined}
        >
          {typeof value === "number" ? format(value) : formatMetric(value)}
          {around !== undefined && <small title={t("metrics.estimated")}> {formatAround(around, format)}</small>}
          {most !== null && numeric(value) !== null && (
            <small> {t("metrics.ofMost", { most: formatCount(most) })}</small>
          )}
        </span>
        <Sparkline values={history} at={at} most={most} />
      </span>
      {tip(
        <>
          <b>{name}</b>
          <span>{description}</span>
          {formula && <code>{formula}</code>}
          {entry.source && <span class="quiet source">{entry.source}</span>}
        </>,
      )}
    </button>
  );
}

export function MetricCards({ more }: { more: Signal<boolean> }) {
  const { store } = useShared();
  const rest = useId();
  const entries = store.metrics.state.value.value;
  const info = store.series.spectra.state.value.value?.info;
  const at = info?.checkpoints.findIndex((checkpoint) => checkpoint.checkpoint === store.name.value?.checkpoint) ?? -1;
  const metrics = info?.checkpoints[at]?.metrics;
  if (!entries || !info || !metrics) return null;
  const known = entries.filter((entry) => entry.key in metrics);
  const others = known.filter((entry) => !entry.first);
  const cards = (shown: readonly MetricEntry[]) =>
    shown.map((entry) => <Card key={entry.key} entry={entry} info={info} at={at} />);
  return (
    <>
      <section class="cards" aria-label={t("metrics.title")}>
        {cards(known.filter((entry) => entry.first))}
        {others.length > 0 && (
          <button
            type="button"
            class="text-button more"
            aria-expanded={more.value}
            aria-controls={rest}
            onClick={() => {
              more.value = !more.value;
            }}
          >
            {more.value ? t("metrics.fewer") : t("metrics.more")}
            <Icon name="chevron" size={14} class={more.value ? "up" : ""} />
          </button>
        )}
      </section>
      <div id={rest} class="cards cards-rest" hidden={!more.value}>
        {more.value && cards(others)}
      </div>
    </>
  );
}
