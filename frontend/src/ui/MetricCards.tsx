/** The named numbers of the current checkpoint: four, and the rest on request. What each means is said on hover and focus. */
import { type Signal, useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import type { MetricEntry, MetricValue, SpectraInfo } from "../data/types";
import { sayNumber, t } from "../i18n";
import { useShared } from "./context";
import { formatCosine, formatCount, formatMetric } from "./format";
import { Icon } from "./icons";
import { Sparkline } from "./Sparkline";

const TIP_WIDTH = 300;
/** Numbers that count directions: said beside how many there are. */
const OF_DIRECTIONS = /^(effective_rank|gavish_donoho_rank|energy_rank_.*)$/;

function numeric(value: MetricValue | undefined): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** Out of how many a number counts. */
function mostOf(key: string, info: SpectraInfo): number | null {
  if (OF_DIRECTIONS.test(key)) return Math.min(...info.shape);
  return key === ROWS_UNMOVED ? info.shape[0] : null;
}

/** Comes with the numbers of a checkpoint but not from its spectrum, so the server's list of those has it not. */
const ROWS_UNMOVED = "rows_unmoved";

function allEntries(entries: readonly MetricEntry[]): MetricEntry[] {
  if (entries.some((entry) => entry.key === ROWS_UNMOVED)) return [...entries];
  const unmoved = {
    key: ROWS_UNMOVED,
    name: t("metrics.rowsUnmoved"),
    description: t("metrics.rowsUnmovedAbout"),
    formula: "",
    source: "",
    first: true,
  };
  return [...entries, unmoved];
}

/** Cosines lie between −1 and 1, so a tiny one is zero. */
const COSINE = "mean_cosine";

interface CardProps {
  entry: MetricEntry;
  info: SpectraInfo;
  at: number;
}

function Card({ entry, info, at }: CardProps) {
  const tip = useId();
  const place = useSignal<{ left: number; top: number } | null>(null);
  const value = info.checkpoints[at]?.metrics?.[entry.key];
  const history = info.checkpoints.map((checkpoint) => numeric(checkpoint.metrics?.[entry.key]));
  const most = numeric(value) === null ? null : mostOf(entry.key, info);
  const { name, description, formula } = sayNumber(entry);
  const show = (element: HTMLElement) => {
    const box = element.getBoundingClientRect();
    const left = Math.min(Math.max(box.left, 8), window.innerWidth - TIP_WIDTH - 8);
    place.value = { left, top: box.bottom + 6 };
  };
  const hide = () => {
    place.value = null;
  };
  return (
    <button
      type="button"
      class="card"
      aria-describedby={tip}
      onMouseEnter={(event) => show(event.currentTarget)}
      onMouseLeave={hide}
      onFocus={(event) => show(event.currentTarget)}
      onBlur={hide}
      onKeyDown={(event) => event.key === "Escape" && hide()}
    >
      <span class="card-name">{name}</span>
      <span class="card-row">
        <span class="card-value" title={value === null ? t("metrics.none") : undefined}>
          {entry.key === COSINE && typeof value === "number" ? formatCosine(value) : formatMetric(value)}
          {most !== null && <small> {t("metrics.ofMost", { most: formatCount(most) })}</small>}
        </span>
        <Sparkline values={history} at={at} most={mostOf(entry.key, info)} />
      </span>
      <span
        id={tip}
        role="tooltip"
        class="tip"
        hidden={!place.value}
        style={
          place.value ? { left: `${place.value.left}px`, top: `${place.value.top}px`, width: `${TIP_WIDTH}px` } : {}
        }
      >
        <b>{name}</b>
        <span>{description}</span>
        {formula && <code>{formula}</code>}
        {entry.source && <span class="quiet source">{entry.source}</span>}
      </span>
    </button>
  );
}

export function MetricCards({ more }: { more: Signal<boolean> }) {
  const { store } = useShared();
  const rest = useId();
  const entries = store.metrics.state.value.value;
  const info = store.spectra.state.value.value?.info;
  const at = info?.checkpoints.findIndex((checkpoint) => checkpoint.checkpoint === store.name.value?.checkpoint) ?? -1;
  const metrics = info?.checkpoints[at]?.metrics;
  if (!entries || !info || !metrics) return null;
  const known = allEntries(entries).filter((entry) => entry.key in metrics);
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
