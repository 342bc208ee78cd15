/** What every panel may use. */
import type { ReadonlySignal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Theme } from "../host/theme";
import type { Model } from "../state/model";
import type { Store } from "../state/store";

export interface Shared {
  store: Store;
  model: Model;
  theme: ReadonlySignal<Theme>;
}

export const SharedContext = createContext<Shared | null>(null);

export function useShared(): Shared {
  const shared = useContext(SharedContext);
  if (!shared) throw new Error("outside SharedContext");
  return shared;
}
