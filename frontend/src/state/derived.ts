/**
 * Matrices made of others of one checkpoint, written as the server writes them (docs/http-api.md): `a @ b` is a product,
 * `a | b` puts matrices with the same rows side by side; `@` binds more tightly.
 */
import type { MatrixEntry } from "../data/types";

export const OPERATORS = [" @ ", " | "] as const;
export type Operator = (typeof OPERATORS)[number];
const MAX_PARTS = 16;

type Find = (name: string) => MatrixEntry | undefined;

export function isMade(name: string): boolean {
  return OPERATORS.some((operator) => name.includes(operator));
}

/** A name with every name of a matrix in it replaced. */
export function mapParts(name: string, change: (part: string) => string): string {
  return name
    .split(/( [@|] )/)
    .map((part, at) => (at % 2 === 0 ? change(part) : part))
    .join("");
}

function fits(operator: Operator, { shape: [rows, columns] }: MatrixEntry, { shape: next }: MatrixEntry): boolean {
  return operator === " @ " ? columns === next[0] : rows === next[0];
}

function join(operator: Operator, parts: readonly MatrixEntry[]): MatrixEntry | undefined {
  const last = parts[parts.length - 1];
  const isWhole = parts.every((part, at) => at === 0 || fits(operator, parts[at - 1], part));
  if (!isWhole || parts.length > MAX_PARTS) return undefined;
  const width = parts.reduce((sum, { shape }) => sum + shape[1], 0);
  return {
    ...parts[0],
    matrix: parts.map(({ matrix }) => matrix).join(operator),
    shape: [parts[0].shape[0], operator === " @ " ? last.shape[1] : width],
    dtype: "float64",
    role: "other",
    layer: null,
    has_bias: parts.some((part) => part.has_bias),
  };
}

/** What follows of a made matrix from those that it is made of; undefined where one is not there or they do not fit. */
export function evaluate(name: string, find: Find): MatrixEntry | undefined {
  for (const operator of [" | ", " @ "] as const) {
    const terms = name.split(operator);
    if (terms.length < 2) continue;
    const parts = terms.map((term) => evaluate(term, find)).filter((part) => part !== undefined);
    return parts.length === terms.length ? join(operator, parts) : undefined;
  }
  return find(name.trim());
}

/** Every matrix that can follow `first` behind the operator, with what the two make together. */
export function partners(first: string, operator: Operator, entries: readonly MatrixEntry[]): Map<string, MatrixEntry> {
  const find: Find = (name) => entries.find(({ matrix }) => matrix === name);
  const made = entries
    .filter(({ matrix }) => !isMade(matrix))
    .map(({ matrix }) => [matrix, evaluate(`${first}${operator}${matrix}`, find)] as const);
  return new Map(made.filter((pair): pair is [string, MatrixEntry] => pair[1] !== undefined));
}
