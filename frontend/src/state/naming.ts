/** Names of matrices, without what says nothing in a list of them. */
import { mapParts } from "./derived";

/** What all names begin with, up to a slash or a point: it says nothing in a list of them. */
export function sharedPrefix(names: readonly string[]): string {
  if (names.length < 2) return "";
  const [first, ...rest] = names;
  let length = 0;
  while (length < first.length && rest.every((name) => name[length] === first[length])) length += 1;
  const cut = Math.max(first.lastIndexOf("/", length - 1), first.lastIndexOf(".", length - 1));
  return length === 0 ? "" : first.slice(0, cut + 1);
}

/** What every layer of a kind calls its matrix. */
const USUAL_END = /[./](embeddings?|kernel|weights?)$/;

/** The name of a matrix beside its role, in a list where all names of its run begin with `prefix`. */
export function shortName(matrix: string, prefix = ""): string {
  return mapParts(matrix, (part) =>
    (part.startsWith(prefix) ? part.slice(prefix.length) : part).replace(USUAL_END, ""),
  );
}
