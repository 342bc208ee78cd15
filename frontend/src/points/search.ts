/** Finds tokens: a part of them in any case, or `=word` for exactly that word, or `#12` for a row. */

export interface Hits {
  /** The first hits, best first: whole words, then beginnings, then parts. */
  first: number[];
  total: number;
}

export const NO_HITS: Hits = { first: [], total: 0 };

export function fold(text: string): string {
  return text.normalize("NFKC").toLowerCase();
}

/** Text of every row, folded once for many searches. */
export function foldAll(values: readonly (string | number | null)[]): string[] {
  return values.map((value) => (value === null ? "" : fold(String(value))));
}

function isRow(query: string, n: number): number | null {
  const found = /^#\s*(\d+)$/.exec(query);
  const row = found ? Number(found[1]) : -1;
  return row >= 0 && row < n ? row : null;
}

export function findTokens(query: string, folded: readonly string[] | null, n: number, limit: number): Hits {
  const trimmed = query.trim();
  if (trimmed === "") return NO_HITS;
  const row = isRow(trimmed, n);
  if (row !== null) return { first: [row], total: 1 };
  if (!folded) return /^\d+$/.test(trimmed) && Number(trimmed) < n ? { first: [Number(trimmed)], total: 1 } : NO_HITS;
  const exact = trimmed.startsWith("=") && trimmed.length > 1;
  const wanted = fold(exact ? trimmed.slice(1) : trimmed);
  const ranked: [number[], number[], number[]] = [[], [], []];
  let total = 0;
  for (let at = 0; at < folded.length; at++) {
    const where = exact ? (folded[at] === wanted ? 0 : -1) : folded[at].indexOf(wanted);
    if (where < 0) continue;
    total += 1;
    const rank = where > 0 ? 2 : folded[at].length > wanted.length ? 1 : 0;
    if (ranked[rank].length < limit) ranked[rank].push(at);
  }
  return { first: ranked.flat().slice(0, limit), total };
}
