/** What points and axes are called. */
import { t } from "../i18n";
import type { Method } from "../state/spec";
import type { Model } from "../state/model";
import { formatCount } from "./format";

export function nameOfPoint(model: Model, index: number): string {
  const label = model.labelOf(index);
  if (label !== null) return label;
  if (model.pointsAre.value === "columns") return t("points.column", { n: formatCount(index) });
  const n = formatCount(index);
  return model.nameColumn.value ? t("points.unlabelled", { n }) : t("points.row", { n });
}

export function nameOfComponent(method: Method, component: number): string {
  return t(`points.component.${method}`, { n: component + 1 });
}
