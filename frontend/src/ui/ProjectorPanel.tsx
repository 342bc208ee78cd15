/** TensorBoard's own Embedding Projector on the same checkpoint and matrix, and what its figure describes. */
import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { ProjectorAbout } from "../data/types";
import { estimateSeconds, type FigureFact, type FrameModel, figureFacts, type Shown } from "../host/frame";
import { linkProjector, sendSelection, setNight, setPanels } from "../host/projector";
import { sayServer, t } from "../i18n";
import type { ProjectorValues } from "../state/spec";
import { useShared } from "./context";
import { IconButton, Segmented } from "./controls";
import { formatCheckpoint, formatCount, formatSeconds, formatShare } from "./format";
import { ErrorNote, Panel, Wait } from "./panel";

function sayShown(about: ProjectorAbout): string {
  if (about.values === "matrix") return t("projector.matrixAbout", { n: formatCount(about.n_columns) });
  if (about.share === null) return t("projector.scoresAboutUnknown", { n: about.n_columns });
  return t("projector.scoresAbout", { n: about.n_columns, share: formatShare(about.share) });
}

function sayFact(fact: FigureFact): string {
  return "n" in fact
    ? t(`projector.figure.${fact.kind}`, { n: formatCount(fact.n) })
    : t(`projector.figure.${fact.kind}`);
}

function saySeconds(about: ProjectorAbout): string {
  return formatSeconds(estimateSeconds(about));
}

function Tools({ panels, onPanels, frame }: { panels: boolean; onPanels: () => void; frame: FrameModel }) {
  const { store } = useShared();
  return (
    <div class="tools">
      <Segmented<ProjectorValues>
        label={t("projector.values")}
        value={store.spec.value.projectorValues}
        choices={[
          { value: "scores", label: t("projector.scores") },
          { value: "matrix", label: t("projector.matrix") },
        ]}
        onChange={(projectorValues) => store.update({ projectorValues })}
      />
      <IconButton
        icon="panels"
        label={t("projector.panels")}
        pressed={panels}
        disabled={!frame.ready.value}
        onClick={onPanels}
      />
    </div>
  );
}

interface FrameProps {
  frame: FrameModel;
  shown: Shown;
  panels: boolean;
}

function Frame({ frame, shown, panels }: FrameProps) {
  const { store, model, theme } = useShared();
  const element = useRef<HTMLIFrameElement>(null);
  useEffect(() => {
    const iframe = element.current;
    if (!iframe) return;
    return linkProjector(iframe, {
      onLinked: () => setPanels(iframe, panels),
      onSelection: (indices) => store.selection.set(indices, "projector"),
      onHover: (index) => {
        if (model.pointsAre.peek() === "rows") store.selection.hovered.value = index;
      },
      onReady: () => {
        frame.ready.value = true;
        sendSelection(iframe, store.selection.of("rows"));
      },
      onVariance: (text, spherizes) => {
        frame.variance.value = text;
        frame.spherizes.value = spherizes;
      },
    });
  }, []);
  useEffect(() => {
    if (element.current) setPanels(element.current, panels);
  }, [panels]);
  useSignalEffect(() => {
    const night = theme.value === "dark";
    if (frame.ready.value && element.current) setNight(element.current, night);
  });
  useSignalEffect(() => {
    const { origin, kind, indices } = store.selection.current.value;
    if (element.current && frame.ready.peek() && origin !== "projector" && kind === "rows") {
      sendSelection(element.current, indices);
    }
  });
  const step = store.current.value?.steps.find((entry) => entry.checkpoint === shown.checkpoint);
  const title = t("projector.frame", {
    matrix: store.name.value?.matrix ?? "",
    step: step ? formatCheckpoint(step) : shown.checkpoint,
  });
  return <iframe ref={element} class="projector-frame" src={shown.url} title={title} />;
}

/** Shown where the frame has nothing yet, or something older than what is wanted. */
function Gate({ frame }: { frame: FrameModel }) {
  const { store, activity } = useShared();
  const { value: about, valueKey, error, pending } = frame.about.state.value;
  const shown = frame.shown.value;
  const now = store.current.value;
  const isCurrent = shown !== null && shown.selection === frame.wanted.value;
  if (isCurrent || !now || store.playing.value) return null;
  if (error) return <ErrorNote error={error} onRetry={frame.about.retry} />;
  if (!about || valueKey !== frame.wanted.value) {
    if (shown) return null;
    const label = frame.mayStart.value ? t("state.loading") : t("projector.waiting");
    return <Wait label={label} pending={pending} onCancel={(job) => void activity.cancel(job)} />;
  }
  if (!about.available) return <p class="note">{about.error ? sayServer(about.error) : t("projector.unavailable")}</p>;
  if (frame.isQuick.value) return null;
  const step = formatCheckpoint(now.checkpoint);
  const cost = t("projector.startAbout", {
    rows: formatCount(about.n_rows),
    columns: formatCount(about.n_columns),
    seconds: saySeconds(about),
  });
  const before = shown && now.steps.find((entry) => entry.checkpoint === shown.checkpoint);
  const button = (
    <button type="button" class="button" onClick={() => frame.start()}>
      {shown ? t("projector.update", { step }) : t("projector.start")}
    </button>
  );
  if (!before) {
    return (
      <div class="note note-start">
        {button}
        <p class="quiet">{cost}</p>
      </div>
    );
  }
  return (
    <div class="note note-stale">
      <span>{t("projector.shows", { shown: formatCheckpoint(before), wanted: step })}</span>
      {button}
      <span class="quiet">{cost}</span>
    </div>
  );
}

/** What is shown, and what the projector's own figure describes beside the exact share. */
function Figures({ frame }: { frame: FrameModel }) {
  const { store, model } = useShared();
  const shown = frame.shown.value;
  if (!shown) return null;
  const said = /([\d.]+)\s*%/.exec(frame.variance.value)?.[1];
  const figure = said && t("number.percent", { n: said });
  const exact = model.exactShare(shown.checkpoint);
  const facts = figureFacts(shown.about, frame.spherizes.value);
  return (
    <p class="figures">
      <b>{t("text.sentence", { text: sayShown(shown.about) })}</b>
      {store.spec.value.transform !== "" && <b>{t("text.sentence", { text: t("transform.projector") })}</b>}
      {figure && (
        <span>
          {t("text.sentence", { text: [t("projector.says", { figure }), ...facts.map(sayFact)].join(t("text.comma")) })}
        </span>
      )}
      {exact !== null && <b>{t("projector.exact", { share: formatShare(exact) })}</b>}
    </p>
  );
}

interface ProjectorPanelProps {
  frame: FrameModel;
  hidden: boolean;
  /** Nothing else is on the screen, so there are no points of ours to wait for. */
  alone: boolean;
}

export function ProjectorPanel({ frame, hidden, alone }: ProjectorPanelProps) {
  const panels = useSignal(false);
  const shown = frame.shown.value;
  useEffect(() => {
    frame.visible.value = !hidden;
    frame.alone.value = alone;
  }, [hidden, alone]);
  return (
    <Panel
      name="projector"
      title={t("projector.title")}
      hidden={hidden}
      tools={
        <Tools
          frame={frame}
          panels={panels.value}
          onPanels={() => {
            panels.value = !panels.value;
          }}
        />
      }
    >
      <div class="projector-area">
        {shown && <Frame key={shown.selection} frame={frame} shown={shown} panels={panels.value} />}
        {shown && !frame.ready.value && (
          <div class="projector-loading">
            <Wait
              compact
              label={t("projector.loading", {
                rows: formatCount(shown.about.n_rows),
                seconds: saySeconds(shown.about),
              })}
              pending={null}
            />
          </div>
        )}
        <Gate frame={frame} />
      </div>
      <Figures frame={frame} />
    </Panel>
  );
}
