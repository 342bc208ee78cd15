/// <reference types="vite/client" />
import { afterEach, describe, expect, it } from "vitest";
import { sayServer, setLanguage, t, tn } from "../../src/i18n";
import { en } from "../../src/i18n/en";

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
  ...["pca", "u", "v"].map((m) => `points.${m}`),
];
const isComposed = (key: string) => COMPOSED.some((prefix) => key.startsWith(prefix));
const keys = Object.keys(en);

afterEach(() => setLanguage({ code: "en", table: en, server: {} }));

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

describe("saying", () => {
  it("fills in parameters and chooses the form for a number", () => {
    expect(t("bar.place", { at: 3, total: 20 })).toBe("3 of 20");
    expect([tn("bar.problems", 1), tn("bar.problems", 2, "two")]).toEqual(["1 problem", "two problems"]);
  });

  it("says the server's sentences in its words, unless the language has its own", () => {
    const sentence = { code: "file_missing", params: { path: "a" }, text: "a is not there any more." };
    expect(sayServer(sentence)).toBe(sentence.text);
    setLanguage({ code: "zh", table: en, server: { file_missing: "{path} 已不存在。" } });
    expect(sayServer(sentence)).toBe("a 已不存在。");
  });

  it("does not fill in what a parameter contains", () => {
    expect(sayServer({ code: "client_reply", params: { route: "{reason}", reason: "x" }, text: "" })).toContain(
      "{reason}",
    );
  });
});
