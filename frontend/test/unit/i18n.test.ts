/// <reference types="vite/client" />
import { afterEach, describe, expect, it } from "vitest";
import { LANGUAGES, preferredLanguage, sayNumber, sayServer, sayVerdict, setLanguage, t, tn } from "../../src/i18n";
import { en } from "../../src/i18n/en";
import { zh } from "../../src/i18n/zh";
import { METHODS } from "../../src/state/spec";

const sources = import.meta.glob<string>("../../src/**/*.{ts,tsx}", { query: "?raw", import: "default", eager: true });
const text = Object.entries(sources)
  .filter(([path]) => !path.includes("/i18n/"))
  .map(([, source]) => source)
  .join("\n");

/** Keys that are put together from parts: their prefixes. */
const COMPOSED = [
  "bar.roles.",
  "points.component.",
  "client.",
  "view.",
  "projector.figure.",
  "overview.column.",
  "transform.",
  "factors.of.",
  "beside.",
  "nearest.",
  "step.",
  "verdict.name.",
  "verdict.evidence.",
  "points.group.",
  ...METHODS.map((method) => `points.${method}`),
];
const isComposed = (key: string) => COMPOSED.some((prefix) => key.startsWith(prefix));
const keys = Object.keys(en);

afterEach(() => setLanguage(LANGUAGES.en));

describe("the table of sentences", () => {
  it("has every key that is used", () => {
    const used = [...text.matchAll(/\bt\(\s*"([^"]+)"/g)].map((match) => match[1]);
    const plural = [...text.matchAll(/\btn\(\s*"([^"]+)"/g)].flatMap((match) => [
      `${match[1]}.one`,
      `${match[1]}.other`,
    ]);
    expect(used.length).toBeGreaterThan(50);
    expect([...used, ...plural].filter((key) => !keys.includes(key))).toEqual([]);
  });

  it("has no key that nobody uses", () => {
    const unused = keys.filter((key) => !isComposed(key) && !text.includes(`"${key.replace(/\.(one|other)$/, "")}"`));
    expect(unused).toEqual([]);
  });

  it("has both forms of every plural", () => {
    const bases = keys.filter((key) => key.endsWith(".one")).map((key) => key.slice(0, -".one".length));
    expect(bases.length).toBeGreaterThan(5);
    for (const base of bases) expect(keys).toContain(`${base}.other`);
  });

  it("has a sentence for every code of our own", () => {
    const codes = [...text.matchAll(/ownSentence\("([^"]+)"/g)].map((match) => match[1]);
    expect(codes.length).toBeGreaterThan(3);
    for (const code of codes) expect(keys).toContain(`client.${code}`);
  });
});

describe("the table in Chinese", () => {
  const blanks = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();

  it("fills in what the English one fills in", () => {
    const different = Object.entries(zh).filter(
      ([key, text]) => `${blanks(text)}` !== `${blanks(en[key as keyof typeof en])}`,
    );
    expect(different).toEqual([]);
  });

  it("is Chinese, but for names and signs", () => {
    const foreign = Object.entries(zh).filter(([, text]) => !/[\u4e00-\u9fff]/.test(text));
    const same = foreign.filter(([key, text]) => text !== en[key as keyof typeof en]).map(([key]) => key);
    expect(same.sort()).toEqual([
      "bar.place",
      "factors.column",
      "metrics.ofMost",
      "number.percent",
      "number.percentBelow",
      "text.comma",
      "text.sentence",
    ]);
    expect(foreign.length).toBeLessThan(45);
  });
});

describe("saying", () => {
  it("fills in parameters and chooses the form for a number", () => {
    expect(t("bar.place", { at: 3, total: 20 })).toBe("3 of 20");
    expect([tn("bar.problems", 1), tn("bar.problems", 2, "two")]).toEqual(["1 problem", "two problems"]);
  });

  it("says the server's sentences in its words, unless the language has its own", () => {
    const sentence = { code: "file_missing", params: { path: "a" }, text: "a is not there any more." };
    expect(sayServer(sentence)).toBe(sentence.text);
    setLanguage(LANGUAGES.zh);
    expect(sayServer(sentence)).toBe("a 已不存在。");
    expect(sayServer({ ...sentence, code: "newer_than_this_page" })).toBe(sentence.text);
  });

  it("writes the numbers in a sentence of the server as the language does", () => {
    setLanguage(LANGUAGES.zh);
    const params = { n: 1234, n_rows: 50000 };
    expect(sayServer({ code: "rows_skipped", params, text: "" })).toContain("1,234");
  });

  it("has one form for every number where the language has", () => {
    setLanguage(LANGUAGES.zh);
    expect([tn("bar.problems", 1), tn("bar.problems", 2)]).toEqual(["1 个问题", "2 个问题"]);
  });

  it("names verdicts and numbers, those that it does not know in the server's words", () => {
    const entry = { key: "mean_cosine", name: "mean cosine", description: "d", formula: "f", source: "s", first: true };
    setLanguage(LANGUAGES.zh);
    expect(sayNumber(entry).name).toBe("平均余弦");
    expect(sayNumber({ ...entry, key: "newer" })).toMatchObject({ name: "mean cosine", description: "d" });
    expect(sayVerdict("evidence", { code: "verdict_collapsed", params: { k: 3, d: 32 }, text: "" })).toBe(
      "：32 个方向只剩约 3 个",
    );
    expect(sayVerdict("name", { code: "verdict_newer", params: {}, text: "x" })).toBeNull();
  });

  it("chooses the first language of the browser that there is", () => {
    expect(preferredLanguage(["fr-FR", "zh-TW", "en-US"])).toBe("zh");
    expect(preferredLanguage(["en-GB", "zh-CN"])).toBe("en");
    expect(preferredLanguage(["fr"])).toBe("en");
  });

  it("does not fill in what a parameter contains", () => {
    expect(sayServer({ code: "client_reply", params: { route: "{reason}", reason: "x" }, text: "" })).toContain(
      "{reason}",
    );
  });
});
