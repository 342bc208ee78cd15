/** The verdict on the current checkpoint beside the numbers that it rests on. */
import { useSignal } from "@preact/signals";
import { MetricCards } from "./MetricCards";
import { Verdict } from "./Verdict";

export function Findings() {
  const more = useSignal(false);
  return (
    <section class="findings">
      <Verdict />
      <MetricCards more={more} />
    </section>
  );
}
