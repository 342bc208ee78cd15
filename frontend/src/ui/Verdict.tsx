/** What the numbers of the current checkpoint mean: what was found, and what to try. */
import { useSignal } from "@preact/signals";
import { t, tn } from "../i18n";
import { isComing } from "../state/rows";
import { useShared } from "./context";
import { levelOf, partsOf } from "./verdicts";

export function Verdict() {
  const { store } = useShared();
  const open = useSignal(false);
  const checkpoints = store.series.spectra.state.value.value?.info.checkpoints;
  const here = checkpoints?.find((entry) => entry.checkpoint === store.name.value?.checkpoint);
  const verdicts = here?.verdicts ?? [];
  const shown = open.value ? verdicts : verdicts.slice(0, 1);
  return (
    <div class="verdict" role="status">
      {shown.map((verdict) => {
        const { finding, advice } = partsOf(verdict);
        return (
          <div key={verdict.code}>
            <p class={`finding ${levelOf(verdict)}`}>{finding}</p>
            {advice !== "" && <p class="advice">{advice}</p>}
          </div>
        );
      })}
      {verdicts.length === 0 && here && isComing(here) && <p class="finding unknown">{t("verdict.pending")}</p>}
      {verdicts.length === 0 && here?.state === "waiting" && <p class="finding unknown">{t("verdict.estimated")}</p>}
      {verdicts.length > 1 && !open.value && (
        <button
          type="button"
          class="text-button"
          onClick={() => {
            open.value = true;
          }}
        >
          {tn("verdict.more", verdicts.length - 1)}
        </button>
      )}
    </div>
  );
}
