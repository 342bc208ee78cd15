/** What the tab says: t("key", params), tn("key", n), and sentences of the server by their code. */
import type { Sentence } from "../data/types";
import { en, type Table } from "./en";

type Names<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never;
type Fill<Text extends string> = { [Name in Names<Text>]: string | number };
export type Key = keyof typeof en;
export type PluralKey = Key extends infer Each ? (Each extends `${infer Base}.other` ? Base : never) : never;
type Params<Text extends string> = [Names<Text>] extends [never] ? [] : [params: Fill<Text>];

export interface Language {
  code: string;
  table: Table;
  /** Templates of the server's sentences by their code; one that is missing is said in the server's English. */
  server: Readonly<Record<string, string>>;
}

let language: Language = { code: "en", table: en, server: {} };

export function setLanguage(next: Language): void {
  language = next;
}

export function languageCode(): string {
  return language.code;
}

function fill(template: string, params: Record<string, unknown>): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => (name in params ? String(params[name]) : whole));
}

export function t<K extends Key>(key: K, ...[params]: Params<(typeof en)[K]>): string {
  return fill(language.table[key], params ?? {});
}

/** The form of a sentence for the number n, which is filled in as `shown`. */
export function tn(key: PluralKey, n: number, shown: string | number = n): string {
  const form = new Intl.PluralRules(language.code).select(n) === "one" ? "one" : "other";
  return fill(language.table[`${key}.${form}` as Key], { n: shown });
}

export function sayServer(sentence: Sentence): string {
  const own = `client.${sentence.code}`;
  const template = own in language.table ? language.table[own as Key] : language.server[sentence.code];
  return template === undefined ? sentence.text : fill(template, sentence.params);
}
