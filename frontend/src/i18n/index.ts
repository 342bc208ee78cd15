/** What the tab says: t("key", params), tn("key", n), and sentences and numbers of the server by their codes. */
import { type Signal, signal } from "@preact/signals";
import type { MetricEntry, RankRule, Sentence } from "../data/types";
import { en, type Table } from "./en";
import { zh } from "./zh";
import zhNumbers from "./zh.numbers.json";
import zhRules from "./zh.rules.json";
import zhServer from "./zh.server.json";

type Names<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never;
type Fill<Text extends string> = { [Name in Names<Text>]: string | number };
export type Key = keyof typeof en;
export type PluralKey = Key extends infer Each ? (Each extends `${infer Base}.other` ? Base : never) : never;
type Params<Text extends string> = [Names<Text>] extends [never] ? [] : [params: Fill<Text>];
type Known = Pick<MetricEntry, "name" | "description" | "formula">;
type KnownRule = Pick<RankRule, "name" | "assumes" | "formula">;

export interface Language {
  /** BCP 47: of the document, of numbers and dates. */
  code: string;
  /** What the language calls itself. */
  name: string;
  table: Table;
  /** Templates of the server's sentences by their code; one that is missing is said in the server's English. */
  server: Readonly<Record<string, string>>;
  /** Names, descriptions and formulas of the named numbers by their key; one that is missing is called what the server calls it. */
  numbers: Readonly<Record<string, Known>>;
  /** The same of the rules for how many directions to keep. */
  rules: Readonly<Record<string, KnownRule>>;
}

export const LANGUAGES = {
  en: { code: "en", name: "English", table: en, server: {}, numbers: {}, rules: {} },
  zh: { code: "zh-CN", name: "简体中文", table: zh, server: zhServer, numbers: zhNumbers, rules: zhRules },
} as const satisfies Record<string, Language>;
export type LanguageKey = keyof typeof LANGUAGES;

/** A signal, so that everything that is said is said anew in another language. */
const language: Signal<Language> = signal(LANGUAGES.en);

export function setLanguage(next: Language): void {
  language.value = next;
}

export function languageCode(): string {
  return language.value.code;
}

/** The first language of the browser's list that there is here. */
export function preferredLanguage(wished: readonly string[]): LanguageKey {
  const keys = Object.keys(LANGUAGES) as LanguageKey[];
  return wished.map((code) => keys.find((key) => code.toLowerCase().split("-")[0] === key)).find((key) => key) ?? "en";
}

function fill(template: string, params: Record<string, unknown>): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => (name in params ? String(params[name]) : whole));
}

export function t<K extends Key>(key: K, ...[params]: Params<(typeof en)[K]>): string {
  return fill(language.value.table[key] ?? en[key], params ?? {});
}

/** The form of a sentence for the number n, which is filled in as `shown`. */
export function tn(key: PluralKey, n: number, shown: string | number = n): string {
  const { code, table } = language.value;
  const one = new Intl.PluralRules(code).select(n) === "one" ? table[`${key}.one` as Key] : undefined;
  return fill(one ?? table[`${key}.other` as Key] ?? "", { n: shown });
}

function shownParams(params: Record<string, unknown>): Record<string, unknown> {
  const shown = (value: unknown) => (typeof value === "number" ? value.toLocaleString(language.value.code) : value);
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, shown(value)]));
}

export function sayServer(sentence: Sentence): string {
  const { table, server } = language.value;
  const own = table[`client.${sentence.code}` as Key];
  if (own !== undefined) return fill(own, sentence.params);
  const template = server[sentence.code];
  return template === undefined ? sentence.text : fill(template, shownParams(sentence.params));
}

/** A verdict in a few words, where there are some for its code. */
export function sayVerdict(part: "name" | "evidence", { code, params }: Sentence): string | null {
  const template = language.value.table[`verdict.${part}.${code}` as Key];
  return template === undefined ? null : fill(template, shownParams(params));
}

/** What a named number is called and what it says. */
export function sayNumber(entry: MetricEntry): Known {
  return language.value.numbers[entry.key] ?? entry;
}

/** What a rule for how many directions to keep is called and what it assumes. */
export function sayRule(rule: RankRule): KnownRule {
  return language.value.rules[rule.key] ?? rule;
}
