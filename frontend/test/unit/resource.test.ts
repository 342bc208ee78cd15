import { type Signal, signal } from "@preact/signals";
import { expect, it } from "vitest";
import { ApiError, type Asking } from "../../src/data/api";
import { ByteCache } from "../../src/data/cache";
import { resource, type Wanted } from "../../src/state/resource";

interface Call {
  asking: Asking;
  onEarly?: (value: string) => void;
  resolve: (value: string) => void;
  reject: (error: unknown) => void;
}

function setUp(cache?: ByteCache<string>) {
  const calls = new Map<string, Call>();
  const want = (key: string): Wanted<string> => ({
    key,
    keeps: (earlier) => earlier[0] === key[0],
    load: (asking, onEarly) =>
      new Promise((resolve, reject) => {
        calls.set(key, { asking, onEarly, resolve, reject });
      }),
  });
  const wanted: Signal<Wanted<string> | null> = signal(null);
  const held = resource(wanted, { cache, bytesOf: (value) => value.length });
  const go = (key: string) => {
    wanted.value = want(key);
  };
  return { calls, wanted, go, ...held };
}
const tick = () => new Promise((resolve) => setTimeout(resolve));

it("aborts the earlier request and never shows its answer", async () => {
  const { calls, go, state } = setUp();
  go("a1");
  go("a2");
  expect(calls.get("a1")?.asking.signal?.aborted).toBe(true);
  calls.get("a2")?.resolve("second");
  calls.get("a1")?.resolve("first");
  await tick();
  expect(state.value).toMatchObject({ value: "second", valueKey: "a2", loading: false });
});

it("keeps the earlier value of the same series on the screen, not that of another", async () => {
  const { calls, go, state } = setUp();
  go("a1");
  calls.get("a1")?.resolve("first");
  await tick();
  go("a2");
  expect(state.value).toMatchObject({ value: "first", valueKey: "a1", key: "a2", loading: true });
  go("b1");
  expect(state.value).toMatchObject({ value: null, loading: true });
});

it("shows an early value until the wanted one is there, and does not keep it", async () => {
  const cache = new ByteCache<string>(100);
  const { calls, go, state } = setUp(cache);
  go("a1");
  calls.get("a1")?.onEarly?.("a sample");
  expect(state.value).toMatchObject({ value: "a sample", valueKey: "a1", loading: true });
  expect(cache.has("a1")).toBe(false);
  go("a2");
  calls.get("a1")?.onEarly?.("too late");
  expect(state.value).toMatchObject({ value: "a sample", valueKey: "a1", key: "a2" });
  calls.get("a2")?.resolve("all");
  await tick();
  expect(state.value).toMatchObject({ value: "all", valueKey: "a2", loading: false });
});

it("takes a cached value at once", async () => {
  const { calls, go, state } = setUp(new ByteCache<string>(100));
  go("a1");
  calls.get("a1")?.resolve("first");
  await tick();
  go("a2");
  go("a1");
  expect(state.value).toMatchObject({ value: "first", loading: false });
});

it("shows the error of the wanted key and tries again when told", async () => {
  const { calls, go, state, retry } = setUp();
  go("a1");
  calls.get("a1")?.reject(new ApiError({ code: "gone", params: {}, text: "It is gone." }, 422));
  await tick();
  expect(state.value.error?.text).toBe("It is gone.");
  retry();
  expect(state.value).toMatchObject({ error: null, loading: true });
  calls.get("a1")?.resolve("there");
  await tick();
  expect(state.value.value).toBe("there");
});

it("shows progress while it waits and nothing when nothing is wanted", () => {
  const { calls, go, state, wanted } = setUp();
  go("a1");
  calls.get("a1")?.asking.onPending?.({ job: "j", task: null, progress: 0.5, queued_before: 1 });
  expect(state.value.pending?.progress).toBe(0.5);
  wanted.value = null;
  expect(state.value).toMatchObject({ key: null, pending: null, loading: false });
});
