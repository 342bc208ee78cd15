import { describe, expect, it } from "vitest";
import { findTokens, foldAll } from "../../src/points/search";

const WORDS = ["Good", "goods", "feelgood", null, "bad", "GOOD", "ｇｏｏｄ", "好"];
const folded = foldAll(WORDS);
const find = (query: string, limit = 10) => findTokens(query, folded, WORDS.length, limit);

describe("searching tokens", () => {
  it("finds parts in any case: whole words, then beginnings, then the rest", () => {
    expect(find("gOOd")).toEqual({ first: [0, 5, 6, 1, 2], total: 5 });
  });

  it("finds exactly one word after =", () => {
    expect(find("=good")).toEqual({ first: [0, 5, 6], total: 3 });
    expect(find("=")).toEqual({ first: [], total: 0 });
  });

  it("finds other scripts, and nothing for nothing", () => {
    expect(find("好").first).toEqual([7]);
    expect(find("  ")).toEqual({ first: [], total: 0 });
    expect(find("zzz")).toEqual({ first: [], total: 0 });
  });

  it("counts all hits and lists the first", () => {
    expect(find("o", 2)).toMatchObject({ total: 5 });
    expect(find("o", 2).first.length).toBe(2);
  });

  it("finds rows by number, which needs a # where rows have names", () => {
    expect(find("#4")).toEqual({ first: [4], total: 1 });
    expect(find("#99").total).toBe(0);
    expect(findTokens("4", null, 8, 10)).toEqual({ first: [4], total: 1 });
    expect(findTokens("good", null, 8, 10).total).toBe(0);
  });
});
