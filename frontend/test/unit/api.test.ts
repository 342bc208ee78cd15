import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Api, ApiError, isAbort, projectorSelection } from "../../src/data/api";

const BASE = new URL("http://host/prefix/data/plugin/embfactor/");
const MATRIX = { run: "r", checkpoint: "r/c-1", matrix: "m", fingerprint: "f1" };
const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status });
const pending = (progress: number) => json({ pending: { job: "j", task: null, progress, queued_before: 0 } }, 202);

const asked: URL[] = [];
let replies: (() => Response | Promise<Response>)[] = [];

beforeEach(() => {
  asked.length = 0;
  vi.stubGlobal("fetch", async (url: URL, init?: RequestInit) => {
    asked.push(url);
    init?.signal?.throwIfAborted();
    const next = replies.shift();
    if (!next) throw new TypeError("Failed to fetch");
    return next();
  });
});
afterEach(() => vi.unstubAllGlobals());

describe("the API client", () => {
  it("asks again while the answer is being computed", async () => {
    replies = [() => pending(0.2), () => pending(0.8), () => json({ columns: [] })];
    const progress: (number | null)[] = [];
    const labels = await new Api(BASE).labels(MATRIX, { onPending: (reply) => progress.push(reply.progress) });
    expect(labels.columns).toEqual([]);
    expect(progress).toEqual([0.2, 0.8]);
    expect(asked.map((url) => url.searchParams.get("wait"))).toEqual(["1", "5", "5"]);
    expect(asked[0].pathname).toBe("/prefix/data/plugin/embfactor/labels");
    expect(asked[0].searchParams.get("v")).toBe("f1");
  });

  it("stops waiting when it is aborted", async () => {
    const controller = new AbortController();
    replies = [() => pending(0.1), () => json({ columns: [] })];
    const asking = new Api(BASE).labels(MATRIX, { signal: controller.signal, onPending: () => controller.abort() });
    const error = await asking.catch((reason) => reason);
    expect(isAbort(error)).toBe(true);
    expect(asked.length).toBe(1);
  });

  it("passes on the server's own sentence", async () => {
    const sentence = { code: "unknown_run", params: { run: "x" }, text: "There is no run x." };
    replies = [() => json({ error: sentence }, 404)];
    const error = await new Api(BASE).metrics().catch((reason) => reason);
    expect(error).toBeInstanceOf(ApiError);
    expect([error.status, error.sentence]).toEqual([404, sentence]);
  });

  it.each([
    ["client_status", () => new Response("<html>", { status: 502 })],
    ["client_network", () => Promise.reject(new TypeError("Failed to fetch"))],
    ["client_reply", () => new Response("not json")],
  ])("has a sentence of its own for %s", async (code, reply) => {
    replies = [reply];
    const error = await new Api(BASE).metrics().catch((reason) => reason);
    expect(error.sentence.code).toBe(code);
  });

  it("puts both fingerprints into the address of points on the axes of another step", async () => {
    replies = [];
    const axes = { checkpoint: "r/c-9", fingerprint: "f9" };
    await new Api(BASE).points({ ...MATRIX, method: "pca", transform: "", nComponents: 8, axes }).catch(() => null);
    expect(Object.fromEntries(asked[0].searchParams)).toMatchObject({
      n_components: "8",
      v: "f1",
      axes: "r/c-9",
      axes_v: "f9",
    });
  });

  it("asks first for the points of a sample where somebody shows them, and then for all", async () => {
    const header = (estimated: object) => {
      const text = JSON.stringify({ __metadata__: { info: JSON.stringify({ ...estimated }) } });
      const body = new Uint8Array(8 + text.length);
      new DataView(body.buffer).setUint32(0, text.length, true);
      body.set(new TextEncoder().encode(text), 8);
      return () => new Response(body);
    };
    const query = { ...MATRIX, method: "pca", transform: "", nComponents: 8 };
    const sampled: unknown[] = [];
    const asking = { onSample: (points: { info: unknown }) => sampled.push(points.info) };
    replies = [header({ estimated: true }), header({ rows_used: 9 })];
    expect((await new Api(BASE).points(query, asking)).info).toEqual({ rows_used: 9 });
    expect(sampled).toEqual([{ estimated: true }]);
    expect(asked.map((url) => url.searchParams.get("first"))).toEqual(["1", null]);
    replies = [header({ rows_used: 9 })];
    await new Api(BASE).points(query, asking);
    expect([sampled.length, asked.length]).toEqual([1, 3]);
    replies = [header({}), header({})];
    await new Api(BASE).points({ ...query, method: "u" }, asking);
    await new Api(BASE).points(query);
    expect(asked.slice(3).map((url) => url.searchParams.has("first"))).toEqual([false, false]);
  });

  it("refuses a body that is not in the array layout", async () => {
    replies = [() => new Response("short")];
    const error = await new Api(BASE).spectra({ run: "r", matrix: "m", transform: "" }).catch((reason) => reason);
    expect(error.sentence.code).toBe("client_reply");
  });
});

it("names a matrix for the projector in base64url of UTF-8", () => {
  const selection = projectorSelection({ ...MATRIX, matrix: "слово?~" }, "scores");
  expect(selection).toMatch(/^[A-Za-z0-9_-]+$/);
  const bytes = Uint8Array.from(atob(selection.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const named = { run: "r", checkpoint: "r/c-1", matrix: "слово?~", values: "scores" };
  expect(JSON.parse(new TextDecoder().decode(bytes))).toEqual(named);
});
