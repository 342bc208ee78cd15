/** A value that is fetched whenever its key changes; a later key aborts the request of an earlier one. */
import { effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { ApiError, type Asking, isAbort, ownSentence } from "../data/api";
import type { ByteCache } from "../data/cache";
import type { Pending, Sentence } from "../data/types";

export interface ResourceState<Value> {
  /** The key that is wanted now; null where nothing is. */
  key: string | null;
  /** The value shown: that of `key`, or of an earlier key while the wanted one is on its way. */
  value: Value | null;
  valueKey: string | null;
  loading: boolean;
  pending: Pending | null;
  error: Sentence | null;
}

export interface Wanted<Value> {
  key: string;
  /** `onEarly` is given a value that may stand for the wanted one until that is there. */
  load: (asking: Asking, onEarly?: (value: Value) => void) => Promise<Value>;
  /** Whether a value of the earlier key may stay on the screen meanwhile. */
  keeps?: (earlierKey: string) => boolean;
}

export interface Resource<Value> {
  state: ReadonlySignal<ResourceState<Value>>;
  retry: () => void;
  stop: () => void;
}

interface Options<Value> {
  cache?: ByteCache<Value>;
  bytesOf?: (value: Value) => number;
}

export function sentenceOf(error: unknown): Sentence {
  return error instanceof ApiError ? error.sentence : ownSentence("client_bug", { reason: String(error) });
}

const EMPTY: ResourceState<never> = {
  key: null,
  value: null,
  valueKey: null,
  loading: false,
  pending: null,
  error: null,
};

export function resource<Value>(
  wanted: ReadonlySignal<Wanted<Value> | null>,
  { cache, bytesOf = () => 0 }: Options<Value> = {},
): Resource<Value> {
  const state: Signal<ResourceState<Value>> = signal(EMPTY);
  const attempt = signal(0);
  let controller: AbortController | null = null;
  let started = "";

  const stop = effect(() => {
    const want = wanted.value;
    const mark = `${attempt.value} ${want?.key ?? ""}`;
    if (mark === started) return;
    started = mark;
    controller?.abort();
    controller = null;
    const before = state.peek();
    if (!want) {
      state.value = EMPTY;
      return;
    }
    const { key } = want;
    const cached = cache?.get(key);
    if (cached !== undefined) {
      state.value = { ...EMPTY, key, value: cached, valueKey: key };
      return;
    }
    const kept = before.valueKey !== null && (before.valueKey === key || (want.keeps?.(before.valueKey) ?? false));
    const shown = kept ? { value: before.value, valueKey: before.valueKey } : {};
    state.value = { ...EMPTY, ...shown, key, loading: true };
    const own = new AbortController();
    controller = own;
    const onPending = (pending: Pending) => {
      if (!own.signal.aborted) state.value = { ...state.peek(), pending };
    };
    const onEarly = (value: Value) => {
      if (!own.signal.aborted) state.value = { ...state.peek(), value, valueKey: key };
    };
    want
      .load({ signal: own.signal, onPending }, onEarly)
      .then((value) => {
        if (own.signal.aborted) return;
        cache?.set(key, value, bytesOf(value));
        state.value = { ...EMPTY, key, value, valueKey: key };
      })
      .catch((error) => {
        if (own.signal.aborted || isAbort(error)) return;
        state.value = { ...EMPTY, key, error: sentenceOf(error) };
      });
  });

  return {
    state,
    retry: () => {
      attempt.value += 1;
    },
    stop: () => {
      controller?.abort();
      stop();
    },
  };
}
