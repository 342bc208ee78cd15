/** Named numbers of two matrices; what each means is said on hover and focus. */
import type { CompareReply, MetricEntry } from "../../data/types";
import { sayNumber, t } from "../../i18n";
import { useShared } from "../context";
import { formatCosine } from "../format";
import { useTip } from "../useTip";

type Measure = CompareReply["measures"][string];

/** Angles from 0 to a right one, as bars. */
function Angles({ angles }: { angles: readonly number[] }) {
  return (
    <span class="angles" role="img" aria-label={angles.map(formatCosine).join(t("text.comma"))}>
      {angles.map((angle, at) => (
        <i key={at} style={{ height: `${(200 * angle) / Math.PI}%` }} />
      ))}
    </span>
  );
}

function Value({ value }: { value: Measure }) {
  if (Array.isArray(value)) return <Angles angles={value} />;
  return <b>{value === null ? t("metrics.none") : formatCosine(value)}</b>;
}

function MeasureButton({ entry, value }: { entry: MetricEntry; value: Measure }) {
  const { handlers, tip } = useTip();
  const { name, description, formula } = sayNumber(entry);
  return (
    <button type="button" class="measure" {...handlers}>
      <span>{name}</span>
      <Value value={value} />
      {tip(
        <>
          <b>{name}</b>
          <span>{description}</span>
          {Array.isArray(value) && <span>{value.map(formatCosine).join(t("text.comma"))}</span>}
          <code>{formula}</code>
          <span class="quiet source">{entry.source}</span>
        </>,
      )}
    </button>
  );
}

export function Measures({ measures }: Pick<CompareReply, "measures">) {
  const { store } = useShared();
  const entries = store.metrics.state.value.value?.filter(({ key }) => key in measures) ?? [];
  return (
    <div class="measures">
      {entries.map((entry) => (
        <MeasureButton key={entry.key} entry={entry} value={measures[entry.key]} />
      ))}
    </div>
  );
}
