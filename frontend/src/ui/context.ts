/** What every panel may use. */
import type { ReadonlySignal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { RunColours } from "../host/runColours";
import type { Theme } from "../host/theme";
import type { Activity } from "../state/activity";
import type { Model } from "../state/model";
import type { Overview } from "../state/overview";
import type { Settings } from "../state/settings";
import type { Store } from "../state/store";

export interface Shared {
  store: Store;
  model: Model;
  overview: Overview;
  activity: Activity;
  settings: Settings;
  colours: RunColours;
  theme: ReadonlySignal<Theme>;
}

export const SharedContext = createContext<Shared | null>(null);

export function useShared(): Shared {
  const shared = useContext(SharedContext);
  if (!shared) throw new Error("outside SharedContext");
  return shared;
}
