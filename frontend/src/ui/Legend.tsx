/** What the colours of the points mean. */
import { t } from "../i18n";
import { type Legend as LegendSpec, OTHER_COLOUR } from "../points/palette";
import { formatCount, formatNumber } from "./format";

export function Legend({ legend }: { legend: LegendSpec }) {
  if (legend.kind === "number") {
    return (
      <div class="legend" role="img" aria-label={legend.title}>
        <span class="ends">{formatNumber(legend.low)}</span>
        <i class="ramp" style={{ background: `linear-gradient(to right, ${legend.stops.join(", ")})` }} />
        <span class="ends">{formatNumber(legend.high)}</span>
        {legend.logarithmic && <span>{t("points.logarithmic")}</span>}
      </div>
    );
  }
  return (
    <div class="legend">
      <ul aria-label={legend.title}>
        {legend.entries.map(({ name, colour, count }) => (
          <li key={name} title={`${name}: ${formatCount(count)}`}>
            <i style={{ background: colour }} />
            <span class="category">{name}</span>
          </li>
        ))}
        {legend.n_other > 0 && (
          <li title={formatCount(legend.n_other)}>
            <i style={{ background: OTHER_COLOUR }} />
            <span class="category">{t("points.otherCategories")}</span>
          </li>
        )}
      </ul>
    </div>
  );
}
