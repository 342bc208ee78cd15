/** Numbers, times and names as people read them. */

import type { CheckpointEntry, MetricValue } from "../data/types";
import { languageCode, t, tn } from "../i18n";

const MISSING = "–";

export function formatCount(n: number): string {
  return n.toLocaleString(languageCode());
}

export function formatShape([rows, columns]: readonly [number, number]): string {
  return `${formatCount(rows)} × ${formatCount(columns)}`;
}

/** Three significant digits; very large and small numbers with a power of ten. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return MISSING;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e9) return formatCount(value);
  if (size >= 1e6 || size < 1e-4) {
    const [mantissa, power] = value.toExponential(1).split("e");
    return `${mantissa} × 10${superscript(Number(power))}`.replace("-", "−");
  }
  const decimals = Math.min(Math.max(2 - Math.floor(Math.log10(size)), 0), 6);
  return value
    .toLocaleString(languageCode(), { minimumFractionDigits: decimals, maximumFractionDigits: decimals })
    .replace("-", "−");
}

export function formatCosine(value: number): string {
  return value
    .toFixed(3)
    .replace(/^-(0\.0+)$/, "$1")
    .replace("-", "−");
}

/** One decimal, with its sign. */
export function formatSigned(value: number): string {
  const text = Math.abs(value).toFixed(1);
  return text === "0.0" ? text : `${value < 0 ? "−" : "+"}${text}`;
}

export function superscript(power: number): string {
  return [...String(power)].map((digit) => (digit === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)])).join("");
}

/** A share of 1 as a percentage; a share that is not zero is never said to be 0. */
export function formatShare(share: number | null | undefined): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return MISSING;
  const percent = share * 100;
  if (percent > 0 && percent < 0.01) return t("number.percentBelow", { n: 0.01 });
  const decimals = percent >= 99.95 || percent === 0 ? 0 : percent < 1 ? 2 : 1;
  return t("number.percent", { n: percent.toFixed(decimals) });
}

/** Of a list in order: its ends and its middle. */
function ends(values: number[]): number[] {
  return values.length > 3 ? [values[0], values[values.length >> 1], values[values.length - 1]] : values;
}

export function formatMetric(value: MetricValue | undefined): string {
  if (value === null || value === undefined) return MISSING;
  if (typeof value === "boolean") return value ? t("metrics.yes") : t("metrics.no");
  return Array.isArray(value) ? ends(value).map(formatNumber).join(" – ") : formatNumber(value);
}

/** By how much a number may be off. */
export function formatAround(uncertainty: number, format: (value: number) => string = formatNumber): string {
  return `± ${format(Number(uncertainty.toPrecision(2)))}`;
}

export function formatStep(step: number | null): string {
  return step === null ? t("bar.noStep") : formatCount(step);
}

/** A checkpoint in few words: its step, or its name where it has none. */
export function formatCheckpoint({ step, checkpoint }: Pick<CheckpointEntry, "step" | "checkpoint">): string {
  return step === null ? (checkpoint.split("/").pop() ?? checkpoint) : t("bar.stepNamed", { step: formatCount(step) });
}

export function formatBytes(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  return `${formatNumber(Number((bytes / 1000 ** power).toPrecision(3)))} ${units[power]}`;
}

/** A duration in whole seconds, or minutes where there are many. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(Math.round(seconds), 1);
  const minutes = Math.round(whole / 60);
  return whole < 100 ? tn("seconds", whole) : tn("minutes", minutes, formatCount(minutes));
}

export function formatTime(seconds: number): string {
  if (!(seconds > 0)) return "";
  const date = new Date(seconds * 1000);
  const sameYear = date.getFullYear() === new Date().getFullYear();
  return date.toLocaleString(languageCode(), {
    ...(sameYear ? {} : { year: "numeric" }),
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    hour12: false,
  });
}
