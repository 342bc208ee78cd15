/** What the numbers of the current checkpoint mean, in one sentence; further ones on request. */
import { useSignal } from "@preact/signals";
import { sayServer, tn } from "../i18n";
import { useShared } from "./context";

/** Verdicts that ask for nothing to be done. */
const CALM = new Set(["verdict_fine", "verdict_initial", "verdict_unknown"]);

export function Verdict() {
  const { store } = useShared();
  const open = useSignal(false);
  const checkpoints = store.spectra.state.value.value?.info.checkpoints;
  const here = checkpoints?.find((entry) => entry.checkpoint === store.name.value?.checkpoint);
  if (!checkpoints?.some((entry) => entry.verdicts?.length)) return null;
  const verdicts = here?.verdicts ?? [];
  const shown = open.value ? verdicts : verdicts.slice(0, 1);
  return (
    <div class="verdict" role="status">
      {shown.map((verdict) => (
        <p key={verdict.code} class={CALM.has(verdict.code) ? "calm" : "serious"}>
          {sayServer(verdict)}
        </p>
      ))}
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
