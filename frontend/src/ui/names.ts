/** What points and axes are called. */
import { t } from "../i18n";
import type { Model } from "../state/model";
import type { PointsAre } from "../state/selection";
import type { Method } from "../state/spec";
import { formatCount, formatShare } from "./format";

function nameOf(model: Model, index: number, kind: PointsAre): string {
  const label = model.labelOf(index, kind);
  if (label !== null) return label;
  const n = formatCount(index);
  if (kind === "columns") return t("points.column", { n });
  return model.nameColumn.value ? t("points.unlabelled", { n }) : t("points.row", { n });
}

export function nameOfPoint(model: Model, index: number): string {
  return nameOf(model, index, model.pointsAre.value);
}

/** What a list of factors, neighbours or changes names, which the points need not be. */
export function nameOfListed(model: Model, index: number): string {
  return nameOf(model, index, model.listedAre.value);
}

export function nameOfComponent(method: Method, component: number): string {
  if (method === "line" && component === 0) return t("points.lineAxis");
  return t(`points.component.${method}`, { n: method === "line" ? component : component + 1 });
}

/** A component with its share of the variance or energy, where that is known. */
export function nameWithShare(method: Method, component: number, share: number | bigint | undefined): string {
  const name = nameOfComponent(method, component);
  const known = typeof share === "number" && Number.isFinite(share);
  return known ? t("points.axisChoice", { name, share: formatShare(share) }) : name;
}
