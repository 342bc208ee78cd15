import { expect, it } from "vitest";
import { ByteCache } from "../../src/data/cache";

it("drops what was used longest ago when its bytes are full", () => {
  const cache = new ByteCache<string>(10);
  cache.set("a", "A", 4);
  cache.set("b", "B", 4);
  expect(cache.get("a")).toBe("A");
  cache.set("c", "C", 4);
  expect(cache.has("b")).toBe(false);
  expect([cache.get("a"), cache.get("c")]).toEqual(["A", "C"]);
  expect([cache.bytes, cache.size]).toEqual([8, 2]);
});

it("counts a replaced value once and does not keep one larger than itself", () => {
  const cache = new ByteCache<string>(10);
  cache.set("a", "A", 4);
  cache.set("a", "A2", 6);
  expect([cache.bytes, cache.get("a")]).toEqual([6, "A2"]);
  cache.set("big", "B", 11);
  expect(cache.has("big")).toBe(false);
  expect(cache.has("a")).toBe(true);
});

it("counts hits and misses", () => {
  const cache = new ByteCache<number>(10);
  cache.get("a");
  cache.set("a", 1, 1);
  cache.get("a");
  expect([cache.hits, cache.misses]).toEqual([1, 1]);
});
