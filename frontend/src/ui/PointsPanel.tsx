/** The points of the current checkpoint: what they are, on which axes, in which colours. */
import { sayServer, t } from "../i18n";
import { isLine } from "../state/line";
import { useShared } from "./context";
import { formatCosine, formatCount, formatShare } from "./format";
import { Legend } from "./Legend";
import { PointsCanvas } from "./PointsCanvas";
import { AxesTools, ColourSelect, MethodTools } from "./PointsTools";
import { ErrorNote, Panel, ProgressBar, ServerNotes, Wait } from "./panel";
import { SearchBox } from "./SearchBox";
import { SelectionChips } from "./SelectionChips";
import { WithFlags } from "./WithFlags";

/** What must be known beside this picture: shares, rows left out, and what the method cannot tell. */
function Notes() {
  const { store, model } = useShared();
  const scene = model.scene.value;
  if (!scene) return null;
  const { info } = scene.reply;
  const shares = scene.reply.arrays.share?.values;
  const { components, dims } = store.spec.value;
  const shown = [...new Set(components.slice(0, dims))].map((component) => Number(shares?.[component] ?? NaN));
  const total = shown.reduce((sum, share) => sum + share, 0);
  const ofEnergy = ["u", "v", "nmf"].includes(info.method);
  const share = { share: formatShare(total) };
  return (
    <div class="points-notes">
      <p>
        {Number.isFinite(total) && (
          <span>{ofEnergy ? t("points.shareOfEnergy", share) : t("points.shareOfAll", share)}</span>
        )}
        {info.sample && info.sample.rows < info.sample.of && (
          <span>{t("points.sample", { n: formatCount(info.sample.rows), of: formatCount(info.sample.of) })}</span>
        )}
        {info.made_of && (
          <span>{t("points.madeOf", { n: info.made_of.n_dims, share: formatShare(info.made_of.share) })}</span>
        )}
        <Quality />
      </p>
      {info.notes.map((note) => (
        <p key={note.code}>{sayServer(note)}</p>
      ))}
    </div>
  );
}

/** How far the picture keeps neighbours; measured when somebody asks. */
function Quality() {
  const { store } = useShared();
  const { value, error, loading } = store.series.quality.state.value;
  if (!store.series.asksQuality.value) {
    return (
      <button
        type="button"
        class="text-button"
        onClick={() => {
          store.series.asksQuality.value = true;
        }}
      >
        {t("quality.ask")}
      </button>
    );
  }
  if (error) return <span>{sayServer(error)}</span>;
  const quality = value?.info.quality;
  if (!quality) return <span>{loading ? t("quality.measuring") : t("quality.none")}</span>;
  const { trustworthiness, continuity, rows, n_neighbors } = quality;
  return (
    <span title={t("quality.hint", { n: n_neighbors, rows: formatCount(rows) })}>
      {t("quality.found", {
        axes: value.arrays.points.shape[1],
        trustworthiness: formatCosine(trustworthiness ?? NaN),
        continuity: formatCosine(continuity ?? NaN),
      })}
    </span>
  );
}

/** What a method must be told before it can show anything. */
function Untold() {
  const { store } = useShared();
  const { method, between } = store.spec.value;
  if (method === "line" && !isLine(between)) return <p class="note quiet">{t("points.lineUntold")}</p>;
  const isUntold =
    method === "lda" && store.series.groupColumns.value.length === 0 && !store.series.labels.state.value.loading;
  return isUntold ? <p class="note quiet">{t("points.ldaUntold")}</p> : null;
}

function LabelNotes() {
  const { store, model } = useShared();
  const now = store.current.value;
  const { value, error } = store.series.labels.state.value;
  if (error) return <p class="footnote">{sayServer(error)}</p>;
  if (value?.notes?.length) {
    return <ServerNotes notes={value.notes} />;
  }
  const missing = now && (!now.matrix.labels || value?.columns.length === 0) && model.pointsAre.value === "rows";
  if (!missing) return null;
  return (
    <p class="footnote no-labels">
      <b>{t("text.sentence", { text: t("points.noLabelsTitle") })}</b>{" "}
      <WithFlags text={t("points.noLabels", { matrix: now.matrix.matrix, n: formatCount(now.matrix.shape[0]) })} />
    </p>
  );
}

function Body() {
  const { store, model, activity } = useShared();
  const { key, error, pending, loading, value } = store.series.points.state.value;
  const late = loading && pending !== null;
  return (
    <>
      <div class="points-tools">
        <AxesTools />
        <SearchBox />
      </div>
      <SelectionChips />
      <div class="colour-row">
        <ColourSelect />
        {model.colouring.value.legend && value && <Legend legend={model.colouring.value.legend} />}
      </div>
      <div class="points-area" data-shown={value?.info.checkpoint} data-method={value?.info.method}>
        {value && <PointsCanvas />}
        {error && <ErrorNote error={error} onRetry={store.series.points.retry} />}
        {store.series.isWaiting.value && <p class="note quiet">{t("large.points")}</p>}
        {!key && <Untold />}
        {key && !value && !error && !store.series.isWaiting.value && (
          <Wait label={t("points.computing")} pending={pending} onCancel={(job) => void activity.cancel(job)} />
        )}
        {value && late && (
          <div class="points-late">
            <Wait
              compact
              label={t("points.computing")}
              pending={pending}
              onCancel={(job) => void activity.cancel(job)}
            />
          </div>
        )}
        {value && loading && !late && (
          <div class="points-loading">
            <ProgressBar value={null} label={t("state.loading")} />
          </div>
        )}
      </div>
      <Notes />
      <LabelNotes />
    </>
  );
}

export function PointsPanel({ hidden }: { hidden: boolean }) {
  return (
    <Panel name="points" title={t("points.title")} tools={<MethodTools />} hidden={hidden}>
      <Body />
    </Panel>
  );
}
