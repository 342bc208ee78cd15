/** How serious a verdict is, and its sentence in two parts: what was found, and what to try. */
import type { Sentence } from "../data/types";
import { sayServer, sayVerdict } from "../i18n";

export type Level = "bad" | "warn" | "calm" | "unknown";

const LEVELS: Readonly<Record<string, Level>> = {
  verdict_constant: "bad",
  verdict_collapsed: "bad",
  verdict_untrained: "bad",
  verdict_unlearnt: "warn",
  verdict_dominated: "warn",
  verdict_unmoved: "warn",
  verdict_fine: "calm",
  verdict_initial: "calm",
  verdict_unknown: "unknown",
};

export function levelOf({ code }: Sentence): Level {
  return LEVELS[code] ?? "warn";
}

export function asksForAction(verdict: Sentence): boolean {
  return ["bad", "warn"].includes(levelOf(verdict));
}

/** The first sentence says what was found; what follows says what to try. */
export function partsOf(verdict: Sentence): { finding: string; advice: string } {
  const text = sayServer(verdict);
  const end = /[.](?=\s)|。/.exec(text);
  const cut = end ? end.index + 1 : text.length;
  return { finding: text.slice(0, cut), advice: text.slice(cut).trim() };
}

/** A verdict in a few words, for a table: its name and, going on from it, its evidence. */
export function shortOf(verdict: Sentence): { name: string; evidence: string } {
  const name = sayVerdict("name", verdict);
  return name === null
    ? { name: partsOf(verdict).finding, evidence: "" }
    : { name, evidence: sayVerdict("evidence", verdict) ?? "" };
}
