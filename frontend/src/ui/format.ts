/** Numbers, times and names as people read them. */

import type { CheckpointEntry, MetricValue } from "../data/types";
import { languageCode, t } from "../i18n";

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

export function superscript(power: number): string {
  return [...String(power)].map((digit) => (digit === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)])).join("");
}

/** A share of 1 as a percentage; a share that is not zero is never said to be 0. */
export function formatShare(share: number | null | undefined): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return MISSING;
  const percent = share * 100;
  if (percent > 0 && percent < 0.01) return "< 0.01 %";
  return `${percent >= 99.95 || percent === 0 ? percent.toFixed(0) : percent.toFixed(percent < 1 ? 2 : 1)} %`;
}

export function formatMetric(value: MetricValue | undefined): string {
  if (value === null || value === undefined) return MISSING;
  if (typeof value === "boolean") return value ? t("metrics.yes") : t("metrics.no");
  return Array.isArray(value) ? value.map(formatNumber).join(" · ") : formatNumber(value);
}

export function formatStep(step: number | null): string {
  return step === null ? t("bar.noStep") : formatCount(step);
}

/** A checkpoint in few words: its step, or its name where it has none. */
export function formatCheckpoint({ step, checkpoint }: Pick<CheckpointEntry, "step" | "checkpoint">): string {
  return step === null ? (checkpoint.split("/").pop() ?? checkpoint) : t("spectrum.early", { step: formatCount(step) });
}

export function formatBytes(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  return `${formatNumber(Number((bytes / 1000 ** power).toPrecision(3)))} ${units[power]}`;
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

/** What all names begin with, up to a slash or a point: it says nothing in a list of them. */
export function sharedPrefix(names: readonly string[]): string {
  if (names.length < 2) return "";
  const [first, ...rest] = names;
  let length = 0;
  while (length < first.length && rest.every((name) => name[length] === first[length])) length += 1;
  const cut = Math.max(first.lastIndexOf("/", length - 1), first.lastIndexOf(".", length - 1));
  return length === 0 ? "" : first.slice(0, cut + 1);
}
