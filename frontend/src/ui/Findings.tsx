/** The verdict on the current checkpoint beside the numbers that it rests on. */
import { useSignal } from "@preact/signals";
import { useShared } from "./context";
import { MetricCards } from "./MetricCards";
import { Verdict } from "./Verdict";

export function Findings() {
  const { store } = useShared();
  const more = useSignal(false);
  const checkpoints = store.series.spectra.state.value.value?.info.checkpoints;
  const here = checkpoints?.find((entry) => entry.checkpoint === store.name.value?.checkpoint);
  const isUnknown = here?.state === "failed" || here?.state === "waiting";
  // The panels say why there is nothing to judge, where not even a sample tells of it.
  if (isUnknown && Object.keys(here.metrics ?? {}).length === 0) return null;
  return (
    <section class="findings">
      <Verdict />
      <MetricCards more={more} />
    </section>
  );
}
