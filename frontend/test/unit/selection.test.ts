import { effect } from "@preact/signals";
import { expect, it } from "vitest";
import { MAX_SELECTED, SelectionStore } from "../../src/state/selection";

it("holds unique rows in order and who chose them", () => {
  const store = new SelectionStore();
  store.set([3, 1, 3, -1, 2.5], "search");
  expect(store.current.value).toEqual({ kind: "rows", indices: [3, 1], origin: "search" });
  store.add([7, 1], "points");
  expect(store.of("rows")).toEqual([3, 1, 7]);
  store.toggle(1, "points");
  store.toggle(9, "points");
  expect(store.of("rows")).toEqual([3, 7, 9]);
  store.clear();
  expect(store.of("rows")).toEqual([]);
});

it("does not tell anybody of a selection that is the same", () => {
  const store = new SelectionStore();
  let told = 0;
  effect(() => {
    void store.current.value;
    told += 1;
  });
  store.set([1, 2], "points");
  store.set([1, 2], "projector");
  expect(told).toBe(2);
  expect(store.current.value.origin).toBe("points");
});

it("keeps rows and columns apart", () => {
  const store = new SelectionStore();
  store.set([1], "points");
  store.toggle(1, "points", "columns");
  expect(store.of("rows")).toEqual([]);
  expect(store.of("columns")).toEqual([1]);
});

it("does not grow without bound", () => {
  const store = new SelectionStore();
  store.set(
    Array.from({ length: MAX_SELECTED + 5 }, (_, at) => at),
    "projector",
  );
  expect(store.of("rows").length).toBe(MAX_SELECTED);
});
