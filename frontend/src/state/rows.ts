/** The rows of the overview: which are shown, and in which order. */
import type { OverviewItem } from "../data/types";
import { fold } from "../points/search";
import type { SortKey, Spec } from "./spec";

export function keyOf({ run, matrix }: Pick<OverviewItem, "run" | "matrix">): string {
  return JSON.stringify([run, matrix]);
}

/** Items that say what they said before are the objects of before, so that what shows them is not made anew. */
export function keepUnchanged(
  items: readonly OverviewItem[],
  before: readonly OverviewItem[],
): readonly OverviewItem[] {
  const known = new Map(before.map((item) => [keyOf(item), item]));
  return items.map((item) => {
    const earlier = known.get(keyOf(item));
    return earlier && JSON.stringify(earlier) === JSON.stringify(item) ? earlier : item;
  });
}

/** Whether the exact answer is on its way. */
export function isComing({ state }: Pick<OverviewItem, "state">): boolean {
  return state === "pending" || state === "estimated";
}

/** The items of one run (of all for "") whose run or matrix has the text in its name. */
export function filterItems(
  items: readonly OverviewItem[],
  { find, onlyRun }: Pick<Spec, "find" | "onlyRun">,
): readonly OverviewItem[] {
  const wanted = fold(find.trim());
  return items.filter(
    ({ run, matrix }) =>
      (onlyRun === "" || run === onlyRun) && [run, matrix].some((name) => fold(name).includes(wanted)),
  );
}

/** How many directions a matrix could use. */
export function nDirections([rows, columns]: readonly [number, number]): number {
  return Math.max(1, Math.min(rows - 1, columns));
}

/** The share of its directions that a matrix uses; null where that is not known. */
export function rankShare({ metrics, shape }: OverviewItem): number | null {
  const rank = metrics.effective_rank;
  return typeof rank === "number" ? rank / nDirections(shape) : null;
}

const VALUES: { [Key in Exclude<SortKey, "trouble">]: (item: OverviewItem) => string | number | null } = {
  run: ({ run }) => run,
  matrix: ({ matrix }) => matrix,
  rank: rankShare,
  shape: ({ shape }) => shape[0] * shape[1],
  step: ({ step }) => step,
};

/** From the smallest (or first) on; what has no value stands at the end either way. */
export function orderItems(
  items: readonly OverviewItem[],
  { sort, descending }: Pick<Spec, "sort" | "descending">,
): readonly OverviewItem[] {
  if (sort === "trouble") return descending ? [...items].reverse() : items;
  const sign = descending ? -1 : 1;
  const names = new Intl.Collator(undefined, { numeric: true });
  const compare = (a: string | number, b: string | number) =>
    typeof a === "number" && typeof b === "number" ? a - b : names.compare(String(a), String(b));
  const valued = items.map((item) => ({ item, value: VALUES[sort](item) }));
  return valued
    .sort((a, b) => {
      if (a.value === null || b.value === null) return Number(a.value === null) - Number(b.value === null);
      return sign * compare(a.value, b.value);
    })
    .map(({ item }) => item);
}

/** The wished rows with those that stood before in the places they had, and new ones behind them. */
export function steadyOrder(wished: readonly OverviewItem[], before: readonly OverviewItem[]): readonly OverviewItem[] {
  const places = new Map(before.map((item, at) => [keyOf(item), at]));
  const place = (item: OverviewItem) => places.get(keyOf(item)) ?? before.length;
  return [...wished].sort((a, b) => place(a) - place(b));
}
