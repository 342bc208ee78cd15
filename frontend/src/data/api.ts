/** The only place that fetches. Every call may be aborted; a reply of 202 is asked for again until the answer is there. */

import type { Distance, Match } from "../state/spec";
import { type ArrayReply, DecodeError, decodeArrays } from "./decode";
import type {
  Catalogue,
  CatalogueUnchanged,
  CompareReply,
  FactorsReply,
  Labels,
  MetricEntry,
  NeighborsReply,
  OverviewReply,
  Pending,
  PointsInfo,
  ProjectorAbout,
  RanksReply,
  Role,
  Sentence,
  SparsityReply,
  SpectraInfo,
  Status,
} from "./types";

export type Query = Record<string, string | number | undefined>;

export interface Asking {
  signal?: AbortSignal;
  /** Called with each 202 reply. */
  onPending?: (pending: Pending) => void;
  /** Called with points of a sample of the rows, where all of them take long. */
  onSample?: (points: ArrayReply<PointsInfo>) => void;
}

export interface MatrixName {
  run: string;
  checkpoint: string;
  matrix: string;
  fingerprint: string;
}

export interface PointsQuery extends MatrixName {
  method: string;
  transform: string;
  nComponents: number;
  axes?: { checkpoint: string; fingerprint: string };
  /** Of "lda" and "line": what is to be told apart. */
  column?: string;
  between?: string;
  withQuality?: boolean;
}

/** Seconds that the server may hold a request: short at first, so that progress is soon visible. */
const FIRST_WAIT_SECONDS = 1;
const NEXT_WAIT_SECONDS = 5;
const PAUSE_MS = 250;

export interface FactorsQuery extends MatrixName {
  method: string;
  transform: string;
  k: number;
  nTop: number;
  reference?: { checkpoint: string; fingerprint: string };
}

export interface CompareQuery {
  match: Match;
  transform: string;
  nTop: number;
}

export interface NeighborsQuery {
  rows: readonly number[];
  metric: Distance;
  transform: string;
}

export class ApiError extends Error {
  constructor(
    readonly sentence: Sentence,
    readonly status: number,
  ) {
    super(sentence.text);
  }
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** A sentence of our own: its text is looked up by its code. */
export function ownSentence(code: string, params: Record<string, unknown> = {}): Sentence {
  return { code, params, text: "" };
}

async function errorOf(reply: Response): Promise<ApiError> {
  try {
    const body = (await reply.json()) as { error?: Sentence };
    if (typeof body.error?.text === "string") return new ApiError(body.error, reply.status);
  } catch (error) {
    if (isAbort(error)) throw error;
  }
  return new ApiError(ownSentence("client_status", { status: reply.status }), reply.status);
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new DOMException("aborted", "AbortError"));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted) stop();
  });
}

export class Api {
  constructor(private readonly base: URL) {}

  url(route: string, query: Query = {}): URL {
    const url = new URL(route, this.base);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    return url;
  }

  private async ask(url: URL, init: RequestInit): Promise<Response> {
    let reply: Response;
    try {
      reply = await fetch(url, init);
    } catch (error) {
      if (isAbort(error)) throw error;
      throw new ApiError(ownSentence("client_network"), 0);
    }
    if (!reply.ok) throw await errorOf(reply);
    return reply;
  }

  private async getReady(route: string, query: Query, asking: Asking = {}): Promise<Response> {
    for (let wait = FIRST_WAIT_SECONDS; ; wait = NEXT_WAIT_SECONDS) {
      const reply = await this.ask(this.url(route, { ...query, wait }), { signal: asking.signal });
      if (reply.status !== 202) return reply;
      const body = (await reply.json()) as { pending: Pending };
      asking.onPending?.(body.pending);
      await pause(PAUSE_MS, asking.signal);
    }
  }

  private async getJson<Body>(route: string, query: Query = {}, asking: Asking = {}): Promise<Body> {
    const reply = await this.getReady(route, query, asking);
    try {
      return (await reply.json()) as Body;
    } catch (error) {
      if (isAbort(error)) throw error;
      throw new ApiError(ownSentence("client_reply", { route, reason: String(error) }), reply.status);
    }
  }

  private async getArrays<Info>(route: string, query: Query, asking: Asking = {}): Promise<ArrayReply<Info>> {
    const reply = await this.getReady(route, query, asking);
    try {
      return decodeArrays<Info>(await reply.arrayBuffer());
    } catch (error) {
      if (isAbort(error)) throw error;
      const reason = error instanceof DecodeError ? error.message : String(error);
      throw new ApiError(ownSentence("client_reply", { route, reason }), reply.status);
    }
  }

  catalogue(since: string | undefined, asking?: Asking): Promise<Catalogue | CatalogueUnchanged> {
    return this.getJson("catalogue", { since }, asking);
  }

  overview(roles: readonly Role[], asking?: Asking): Promise<OverviewReply> {
    return this.getJson("overview", { roles: roles.join() }, asking);
  }

  async metrics(asking?: Asking): Promise<MetricEntry[]> {
    return (await this.getJson<{ metrics: MetricEntry[] }>("metrics", {}, asking)).metrics;
  }

  spectra(
    query: { run: string; matrix: string; transform: string; first?: string; ask?: 1 },
    asking?: Asking,
  ): Promise<ArrayReply<SpectraInfo>> {
    return this.getArrays("spectra", query, asking);
  }

  async points(query: PointsQuery, asking: Asking = {}): Promise<ArrayReply<PointsInfo>> {
    const { nComponents, fingerprint, axes, withQuality, ...rest } = query;
    const quality = withQuality ? 1 : undefined;
    // The reply depends on both checkpoints, so both fingerprints stand in the address that the browser caches.
    const versions = { v: fingerprint, axes_v: axes?.fingerprint };
    const wanted = { ...rest, n_components: nComponents, quality, axes: axes?.checkpoint, ...versions };
    if (asking.onSample && query.method === "pca" && !axes && !withQuality) {
      const first = await this.getArrays<PointsInfo>("points", { ...wanted, first: 1 }, asking);
      if (!first.info.estimated) return first;
      asking.onSample(first);
    }
    return this.getArrays("points", wanted, asking);
  }

  factors({ fingerprint, nTop, reference, ...rest }: FactorsQuery, asking?: Asking): Promise<FactorsReply> {
    const at = { reference: reference?.checkpoint, v: fingerprint, reference_v: reference?.fingerprint };
    return this.getJson("factors", { ...rest, n_top: nTop, ...at }, asking);
  }

  ranks({ fingerprint, ...name }: MatrixName, transform: string, asking?: Asking): Promise<RanksReply> {
    return this.getJson("ranks", { ...name, transform, v: fingerprint }, asking);
  }

  sparsity({ fingerprint, ...name }: MatrixName, transform: string, asking?: Asking): Promise<SparsityReply> {
    return this.getJson("sparsity", { ...name, transform, v: fingerprint }, asking);
  }

  compare(
    { fingerprint, ...name }: MatrixName,
    other: MatrixName,
    how: CompareQuery,
    asking?: Asking,
  ): Promise<CompareReply> {
    const { match, transform, nTop } = how;
    const b = { run_b: other.run, checkpoint_b: other.checkpoint, matrix_b: other.matrix, v_b: other.fingerprint };
    return this.getJson("compare", { ...name, ...b, match, transform, n_top: nTop, v: fingerprint }, asking);
  }

  neighbors({ fingerprint, ...name }: MatrixName, query: NeighborsQuery, asking?: Asking): Promise<NeighborsReply> {
    const { rows, metric, transform } = query;
    return this.getJson("neighbors", { ...name, rows: rows.join(), metric, transform, v: fingerprint }, asking);
  }

  labels({ fingerprint, ...name }: MatrixName, asking?: Asking): Promise<Labels> {
    return this.getJson("labels", { ...name, v: fingerprint }, asking);
  }

  status(asking?: Asking): Promise<Status> {
    return this.getJson("status", {}, asking);
  }

  async cancel(job: string): Promise<void> {
    await this.ask(this.url("cancel", { job }), { method: "POST" });
  }

  /** While paused, only what somebody waits for is computed. */
  async pause(on: boolean): Promise<Status> {
    const reply = await this.ask(this.url("pause", { on: on ? 1 : 0 }), { method: "POST" });
    return (await reply.json()) as Status;
  }

  /** The address of a file of the standard projector that shows one matrix. */
  projectorUrl(selection: string, file: string): URL {
    return this.url(`projector/${selection}/${file}`);
  }

  projectorAbout(selection: string, asking?: Asking): Promise<ProjectorAbout> {
    return this.getJson(`projector/${selection}/about`, {}, asking);
  }
}

/** SELECTION of `projector/SELECTION/…`: base64url of UTF-8 JSON, without padding. */
export function projectorSelection(matrix: MatrixName, values: "scores" | "matrix"): string {
  const json = JSON.stringify({ run: matrix.run, checkpoint: matrix.checkpoint, matrix: matrix.matrix, values });
  const bytes = new TextEncoder().encode(json);
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
