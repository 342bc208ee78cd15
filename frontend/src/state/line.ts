/** The two ends of a line between rows, as the spec holds them: `1,2|7`; an end that was not chosen yet is empty. */

/** So many that they still fit into an address. */
export const MAX_LINE_ROWS = 50;

export const LINE_PATTERN = /^((\d{1,12})(,\d{1,12})*)?\|((\d{1,12})(,\d{1,12})*)?$/;

export function lineEnds(between: string): [number[], number[]] {
  const [from = "", to = ""] = between.split("|");
  const rowsOf = (text: string) => (text === "" ? [] : text.split(",").map(Number));
  return [rowsOf(from), rowsOf(to)];
}

export function isLine(between: string): boolean {
  return lineEnds(between).every((rows) => rows.length > 0);
}
