/** The spectrum of the matrix at every checkpoint, and the named numbers of the current one. */

import type { ComponentChildren } from "preact";
import { t, tn } from "../i18n";
import type { SpectrumLine } from "../plots/series";
import { stepColour } from "../points/palette";
import { isComing } from "../state/rows";
import { useShared } from "./context";
import { Segmented } from "./controls";
import { formatBytes, formatCheckpoint, formatCount, formatSeconds, formatShare } from "./format";
import { ErrorNote, Panel, ProgressBar, Wait } from "./panel";
import { RankRules } from "./RankRules";
import { Sparsity } from "./Sparsity";
import { SpectrumChart } from "./SpectrumChart";

function Tools() {
  const { store } = useShared();
  const { centered, indexScale } = store.spec.value;
  return (
    <div class="tools">
      <Segmented
        label={t("spectrum.centering")}
        value={centered ? "centered" : "stored"}
        choices={[
          { value: "centered", label: t("spectrum.centered"), hint: t("spectrum.centeredHint") },
          { value: "stored", label: t("spectrum.stored"), hint: t("spectrum.storedHint") },
        ]}
        onChange={(value) => store.update({ centered: value === "centered" })}
      />
      <Segmented
        label={t("spectrum.indexScale")}
        value={indexScale}
        choices={[
          { value: "linear", label: t("spectrum.linear") },
          { value: "log", label: t("spectrum.log") },
        ]}
        onChange={(value) => store.update({ indexScale: value })}
      />
    </div>
  );
}

/** How far the spectra of the run are computed, while some are missing. */
function Progress() {
  const { store } = useShared();
  const info = store.series.spectra.state.value.value?.info;
  if (!info) return null;
  const total = info.checkpoints.length;
  const done = total - info.checkpoints.filter(isComing).length;
  if (done === total) return null;
  const label = t("spectrum.progress", { done, total });
  return (
    <div class="spectrum-progress" role="status">
      <span>{label}</span>
      <ProgressBar value={done / total} label={label} />
    </div>
  );
}

/** From which colour the faint lines run to which. */
function StepLegend() {
  const { model, theme } = useShared();
  const lines = model.spectra.value?.lines ?? [];
  if (lines.length < 2) return null;
  const stops = [0, 0.25, 0.5, 0.75, 1].map((share) => stepColour(share, theme.value)).join(", ");
  return (
    <div class="step-legend" title={t("spectrum.steps")}>
      <span>{formatCheckpoint(lines[0])}</span>
      <i style={{ background: `linear-gradient(to right, ${stops})` }} />
      <span>{formatCheckpoint(lines[lines.length - 1])}</span>
    </div>
  );
}

function Notes() {
  const { store, model } = useShared();
  const line = model.line.value;
  const info = store.series.spectra.state.value.value?.info;
  const nFailed = info?.checkpoints.filter((checkpoint) => checkpoint.state === "failed").length ?? 0;
  return (
    <>
      {line?.sample && <p class="footnote">{t("spectrum.estimated", sampleParams(line.sample))}</p>}
      {line && line.n_null > 0 && line.sigma.length > 0 && <p class="footnote">{tn("spectrum.null", line.n_null)}</p>}
      {nFailed > 0 && <p class="footnote">{tn("spectrum.failed", nFailed)}</p>}
    </>
  );
}

function sampleParams({ rows, error }: NonNullable<SpectrumLine["sample"]>) {
  return { n: formatCount(rows), error: formatShare(error) };
}

/** A matrix so large that nobody should wait for it unasked. */
function Large({ bytes, seconds }: { bytes?: number; seconds?: number }) {
  const { store } = useShared();
  const size = formatBytes(bytes ?? 0);
  return (
    <div class="note note-start">
      <button type="button" class="button" onClick={() => store.series.askForLarge()}>
        {t("large.compute")}
      </button>
      <p class="quiet">
        {seconds ? t("large.about", { size, time: formatSeconds(seconds) }) : t("large.size", { size })}
      </p>
    </div>
  );
}

function Body() {
  const { store, model, activity } = useShared();
  const { value, error, pending } = store.series.spectra.state.value;
  if (error) return <ErrorNote error={error} onRetry={store.series.spectra.retry} />;
  if (!value)
    return <Wait label={t("state.loading")} pending={pending} onCancel={(job) => void activity.cancel(job)} />;
  const here = value.info.checkpoints.find((entry) => entry.checkpoint === store.name.value?.checkpoint);
  const anything = (model.spectra.value?.length ?? 0) > 0;
  return (
    <>
      <Progress />
      {here?.state === "failed" && here.error && <ErrorNote error={here.error} onRetry={store.series.spectra.retry} />}
      {here?.state === "waiting" && <Large bytes={here.bytes} seconds={here.expected_seconds} />}
      {here && isComing(here) && model.line.value?.sigma.length === 0 && (
        <Wait compact label={t("spectrum.notYet")} pending={null} />
      )}
      {anything && <SpectrumChart />}
      {here?.state === "done" && !anything && <p class="note quiet">{t("spectrum.allNull")}</p>}
      {anything && (
        <div class="spectrum-foot">
          <StepLegend />
          {here?.state === "done" && (
            <span class="spectrum-more">
              <Sparsity />
              <RankRules />
            </span>
          )}
        </div>
      )}
      <Notes />
    </>
  );
}

export function SpectrumPanel({ hidden, heading }: { hidden: boolean; heading?: ComponentChildren }) {
  return (
    <Panel name="spectrum" title={t("spectrum.title")} heading={heading} tools={<Tools />} hidden={hidden}>
      <Body />
    </Panel>
  );
}
