/** What points and axes are called. */
import { t } from "../i18n";
import type { Model } from "../state/model";
import type { Method } from "../state/spec";
import { formatCount, formatShare } from "./format";

export function nameOfPoint(model: Model, index: number): string {
  const label = model.labelOf(index);
  if (label !== null) return label;
  const n = formatCount(index);
  if ((model.pointsAre.value === "columns") !== model.isTransposed.value) return t("points.column", { n });
  return model.nameColumn.value ? t("points.unlabelled", { n }) : t("points.row", { n });
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
