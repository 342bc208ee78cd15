/** Colours: of points by a label column, and of steps. Every function answers for one theme. */
import {
  interpolateBlues,
  interpolatePuOr,
  interpolateViridis,
  interpolateYlGnBu,
  schemeTableau10,
} from "d3-scale-chromatic";
import type { LabelColumn } from "../data/types";
import type { Theme } from "../host/theme";

export type Rgb = [number, number, number];

export function parseColour(text: string): Rgb {
  const hex = /^#([0-9a-f]{6})$/i.exec(text.trim());
  if (hex) {
    const value = Number.parseInt(hex[1], 16);
    return [value >> 16, (value >> 8) & 255, value & 255];
  }
  const short = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/i.exec(text.trim());
  if (short) return [1, 2, 3].map((at) => Number.parseInt(short[at] + short[at], 16)) as Rgb;
  const numbers = /^rgba?\(([^)]+)\)$/
    .exec(text.trim())?.[1]
    .split(/[\s,/]+/)
    .map(Number);
  return numbers && numbers.length >= 3 ? [numbers[0], numbers[1], numbers[2]] : [128, 128, 128];
}

/** Ramps are cut where they would vanish into the background of the theme. */
export function sequential(share: number, theme: Theme): string {
  return theme === "dark" ? interpolateViridis(0.18 + 0.8 * share) : interpolateViridis(0.92 * (1 - share));
}

/** Towards its middle the ramp grows dim: at its brightest, what is near zero would outshine the ends on a dark ground, or vanish on a light one. */
export function diverging(share: number, theme: Theme): string {
  const [r, g, b] = parseColour(interpolatePuOr(theme === "light" ? 0.96 - 0.92 * share : 0.82 - 0.64 * share));
  const outward = Math.abs(2 * share - 1);
  const factor = theme === "light" ? 0.78 + 0.22 * outward : 0.52 + 0.68 * outward;
  const scaled = [r, g, b].map((value) => Math.min(Math.round(value * factor), 255));
  return `rgb(${scaled.join(", ")})`;
}

/** Steps of a run from early (faint) to late (strong). */
export function stepColour(share: number, theme: Theme): string {
  return theme === "dark" ? interpolateYlGnBu(0.72 - 0.5 * share) : interpolateBlues(0.28 + 0.55 * share);
}

/** Points of further categories, and points without a value. */
export const OTHER_COLOUR = "#9aa0a6";
const MAX_CATEGORIES = 9;

export type Legend =
  | { kind: "number"; title: string; low: number; high: number; signed: boolean; logarithmic: boolean; stops: string[] }
  | { kind: "category"; title: string; entries: { name: string; colour: string; count: number }[]; n_other: number };

export interface Colouring {
  /** RGB of each point. */
  colours: Uint8Array;
  legend: Legend | null;
}

function quantile(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

function put(into: Uint8Array, index: number, [r, g, b]: Rgb): void {
  into[index * 3] = r;
  into[index * 3 + 1] = g;
  into[index * 3 + 2] = b;
}

/** Where a number lies between 0 and 1, for columns that are signed, long-tailed or neither. */
interface NumberScale {
  low: number;
  high: number;
  signed: boolean;
  logarithmic: boolean;
  place: (value: number) => number;
}

/** The outermost hundredths of the values do not stretch the scale. */
export function scaleOf(values: readonly number[]): NumberScale | null {
  const sorted = [...values].sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const [first, last] = [quantile(sorted, 0.01), quantile(sorted, 0.99)];
  const signed = sorted[0] < 0 && sorted[sorted.length - 1] > 0;
  const reach = Math.max(Math.abs(first), Math.abs(last));
  const logarithmic = !signed && sorted[0] >= 0 && last > 8 * Math.max(quantile(sorted, 0.5), Number.MIN_VALUE);
  const [low, high] = signed ? [-reach, reach] : [first, last];
  const clamp = (share: number) => Math.min(Math.max(share, 0), 1);
  const logPlace = (value: number) => Math.log1p(Math.max(value - low, 0)) / Math.log1p(high - low);
  const place = (value: number) => {
    if (!(high > low)) return 0.5;
    return clamp(logarithmic ? logPlace(value) : (value - low) / (high - low));
  };
  return { low, high, signed, logarithmic, place };
}

function byNumber(column: LabelColumn, n: number, theme: Theme, missing: Rgb): Colouring | null {
  const scale = scaleOf(column.values.filter((value): value is number => typeof value === "number"));
  if (!scale) return null;
  const { place, ...named } = scale;
  const ramp = scale.signed ? diverging : sequential;
  const table = Array.from({ length: 256 }, (_, at) => parseColour(ramp(at / 255, theme)));
  const colours = new Uint8Array(n * 3);
  for (let row = 0; row < n; row++) {
    const value = column.values[row];
    put(colours, row, typeof value === "number" ? table[Math.round(255 * place(value))] : missing);
  }
  const stops = Array.from({ length: 9 }, (_, at) => ramp(at / 8, theme));
  return { colours, legend: { kind: "number", title: column.name, stops, ...named } };
}

/** Category colours, lighter on a dark ground. */
function categoryColour(at: number, theme: Theme): string {
  const [r, g, b] = parseColour(schemeTableau10[at]);
  const lift = (value: number) => Math.round(theme === "dark" ? value + (255 - value) * 0.22 : value * 0.97);
  return `rgb(${lift(r)}, ${lift(g)}, ${lift(b)})`;
}

function byCategory(column: LabelColumn, n: number, theme: Theme, missing: Rgb): Colouring {
  const counts = new Map<string, number>();
  for (const value of column.values) {
    if (value !== null) counts.set(String(value), (counts.get(String(value)) ?? 0) + 1);
  }
  const ranked = [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
  const entries = ranked
    .slice(0, MAX_CATEGORIES)
    .map(([name, count], at) => ({ name, count, colour: categoryColour(at, theme) }));
  const colourOf = new Map(entries.map((entry) => [entry.name, parseColour(entry.colour)]));
  const colours = new Uint8Array(n * 3);
  for (let row = 0; row < n; row++) {
    const value = column.values[row];
    put(colours, row, (value !== null && value !== undefined && colourOf.get(String(value))) || missing);
  }
  const n_other = ranked.slice(MAX_CATEGORIES).reduce((sum, [, count]) => sum + count, 0);
  return { colours, legend: { kind: "category", title: column.name, entries, n_other } };
}

export function colourPoints(column: LabelColumn | null, n: number, theme: Theme, plain: Rgb): Colouring {
  const missing = parseColour(OTHER_COLOUR);
  if (column?.kind === "number") {
    const coloured = byNumber(column, n, theme, missing);
    if (coloured) return coloured;
  }
  if (column?.kind === "category") return byCategory(column, n, theme, missing);
  const colours = new Uint8Array(n * 3);
  for (let row = 0; row < n; row++) put(colours, row, plain);
  return { colours, legend: null };
}
