/** The named numbers of the current checkpoint. What each means is said on hover and focus. */
import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import type { MetricEntry, MetricValue, SpectraInfo } from "../data/types";
import { t } from "../i18n";
import { useShared } from "./context";
import { formatCount, formatMetric } from "./format";
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
  const show = (element: HTMLElement) => {
    const box = element.getBoundingClientRect();
    const left = Math.min(Math.max(box.left, 8), window.innerWidth - TIP_WIDTH - 8);
    place.value = { left, top: box.top - 6 };
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
      <span class="card-name">{entry.name}</span>
      <span class="card-row">
        <span class="card-value" title={value === null ? t("metrics.none") : undefined}>
          {formatMetric(value)}
          {most !== null && <small> {t("metrics.ofMost", { most: formatCount(most) })}</small>}
        </span>
        <Sparkline values={history} at={at} />
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
        <b>{entry.name}</b>
        <span>{entry.description}</span>
        {entry.formula && <code>{entry.formula}</code>}
        {entry.source && <span class="quiet">{entry.source}</span>}
      </span>
    </button>
  );
}

export function MetricCards() {
  const { store } = useShared();
  const more = useSignal(false);
  const entries = store.metrics.state.value.value;
  const info = store.spectra.state.value.value?.info;
  const at = info?.checkpoints.findIndex((checkpoint) => checkpoint.checkpoint === store.name.value?.checkpoint) ?? -1;
  if (!entries || !info || at < 0 || !info.checkpoints[at].metrics) return null;
  const known = allEntries(entries).filter((entry) => entry.key in (info.checkpoints[at].metrics ?? {}));
  const first = known.filter((entry) => entry.first);
  const rest = known.filter((entry) => !entry.first);
  const shown = more.value ? [...first, ...rest] : first;
  return (
    <div class="cards-block">
      <section class="cards" aria-label={t("metrics.title")}>
        {shown.map((entry) => (
          <Card key={entry.key} entry={entry} info={info} at={at} />
        ))}
      </section>
      {rest.length > 0 && (
        <button
          type="button"
          class="text-button more"
          aria-expanded={more.value}
          onClick={() => {
            more.value = !more.value;
          }}
        >
          {more.value ? t("metrics.fewer") : t("metrics.more")}
        </button>
      )}
    </div>
  );
}
