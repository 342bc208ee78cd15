import { computed, type Signal, signal } from "@preact/signals";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Catalogue, MatrixEntry, OverviewReply, Role } from "../../src/data/types";
import { Overview } from "../../src/state/overview";
import { DEFAULT_SPEC, type Spec } from "../../src/state/spec";
import type { Store } from "../../src/state/store";

const reply = (matrices: string[], n_pending: number): OverviewReply => ({
  version: "1",
  n_pending,
  items: matrices.map((matrix) => ({
    run: "r",
    matrix,
    shape: [100, 8],
    dtype: "float32",
    role: "embedding",
    layer: null,
    checkpoint: "c",
    step: 1,
    n_checkpoints: 1,
    state: "done",
    error: null,
    metrics: {},
    verdicts: [],
    trend: { steps: [], effective_rank: [] },
  })),
});

const kernel = { matrix: "k", shape: [9, 9], role: "kernel" } as MatrixEntry;
const CATALOGUE = {
  version: "1",
  runs: [{ run: "r", checkpoints: [{ signature: 0 }] }],
  signatures: [[kernel]],
} as unknown as Catalogue;

let replies: OverviewReply[] = [];
const ask = vi.fn(async (_roles: readonly Role[]) => replies.shift() ?? reply([], 0));

function setUp() {
  const spec: Signal<Spec> = signal(DEFAULT_SPEC);
  const screen = signal<"overview" | "view" | null>(null);
  const catalogue = signal(CATALOGUE);
  const store = { spec, screen, catalogue: computed(() => catalogue.value), api: { overview: ask } };
  const overview = new Overview(store as unknown as Store);
  screen.value = "overview";
  const shown = () => overview.rows.value.map(({ matrix }) => matrix).join("");
  return { spec, screen, catalogue, overview, shown };
}

beforeEach(() => {
  vi.useFakeTimers();
  ask.mockClear();
});
afterEach(() => vi.useRealTimers());
const later = (ms: number) => vi.advanceTimersByTimeAsync(ms);

it("asks again while something is missing, and not any more when all is there", async () => {
  replies = [reply(["a", "b"], 1), reply(["b", "a"], 0)];
  const { overview, shown } = setUp();
  await later(0);
  expect([shown(), overview.nPending.value]).toEqual(["ab", 1]);
  await later(1300);
  expect([shown(), overview.nPending.value]).toEqual(["ba", 0]);
  await later(60_000);
  expect(ask).toHaveBeenCalledTimes(2);
});

it("asks when the log directory has changed, but not behind an open view", async () => {
  replies = [reply(["a"], 0), reply(["a", "b"], 0)];
  const { catalogue, screen, shown } = setUp();
  await later(0);
  screen.value = "view";
  catalogue.value = { ...CATALOGUE, version: "2" };
  await later(10_000);
  expect(shown()).toBe("a");
  screen.value = "overview";
  await later(0);
  expect(shown()).toBe("ab");
});

it("keeps the rows in their places while somebody is at them, and tells that they would move", async () => {
  replies = [reply(["a", "b"], 1), reply(["c", "b", "a"], 1), reply(["c", "b", "a"], 1)];
  const { overview, shown } = setUp();
  await later(0);
  overview.hold("pointer", true);
  overview.hold("focus", true);
  await later(1300);
  expect([shown(), overview.isStale.value]).toEqual(["abc", true]);
  overview.hold("pointer", false);
  expect(shown()).toBe("abc");
  overview.sortAnew();
  expect([shown(), overview.isStale.value]).toEqual(["cba", false]);
});

it("lets them go to their places when nobody is at them any more", async () => {
  replies = [reply(["a", "b"], 1), reply(["b", "a"], 0)];
  const { overview, shown } = setUp();
  await later(0);
  overview.hold("focus", true);
  await later(1300);
  expect(shown()).toBe("ab");
  overview.hold("focus", false);
  expect(shown()).toBe("ba");
});

it("obeys a new order at once", async () => {
  replies = [reply(["a", "c", "b"], 0)];
  const { spec, overview, shown } = setUp();
  await later(0);
  overview.hold("pointer", true);
  spec.value = { ...spec.value, sort: "matrix", descending: true };
  expect(shown()).toBe("cba");
  spec.value = { ...spec.value, find: "B" };
  expect(shown()).toBe("b");
});

it("asks for embeddings, or for what there is instead, unless somebody chooses", async () => {
  const { spec, catalogue } = setUp();
  await later(0);
  catalogue.value = {
    ...CATALOGUE,
    version: "2",
    signatures: [[kernel, { ...kernel, matrix: "e", role: "embedding" }]],
  };
  await later(0);
  spec.value = { ...spec.value, roles: ["embedding", "kernel"] };
  await later(0);
  expect(ask.mock.calls).toEqual([[["kernel"]], [["embedding"]], [["embedding", "kernel"]]]);
});
