/** The lower edge: what is being computed, with a way to stop it; problems; the language. */
import { LANGUAGES, type LanguageKey, sayServer, t, tn } from "../i18n";
import { useShared } from "./context";
import { Select } from "./controls";
import { formatCount } from "./format";
import { Icon } from "./icons";
import { ProgressBar } from "./panel";

function Work() {
  const { store, activity } = useShared();
  const nPending = activity.nPending.value;
  const status = activity.status.value;
  const error = activity.error.value;
  if (error) return <span class="work failed">{sayServer(error)}</span>;
  if (store.catalogue.value?.state === "scanning") return <span class="work">{t("state.starting")}</span>;
  if (nPending === 0) return <span class="work">{t("work.done")}</span>;
  const paused = status?.paused ?? false;
  const current = status?.current;
  const task = current ? sayServer(current.task) : t("work.waiting");
  return (
    <span class="work">
      <button type="button" class="text-button" onClick={() => void activity.pause(!paused)}>
        <Icon name={paused ? "play" : "pause"} size={14} />
        {paused ? t("state.resume") : t("state.pause")}
      </button>
      <span class="work-left">{tn(paused ? "work.pausedAt" : "work.left", nPending, formatCount(nPending))}</span>
      {!paused && (
        <>
          <ProgressBar value={current?.progress ?? null} label={task} />
          <span class="work-task" title={task}>
            {task}
          </span>
        </>
      )}
    </span>
  );
}

export function StatusBar({ onProblems }: { onProblems: () => void }) {
  const { store, settings } = useShared();
  const nProblems = store.catalogue.value?.problems.length ?? 0;
  return (
    <footer class="status-bar">
      <Work />
      {nProblems > 0 && (
        <button type="button" class="text-button problems-button" onClick={onProblems}>
          <Icon name="warning" size={14} />
          {tn("bar.problems", nProblems, formatCount(nProblems))}
        </button>
      )}
      {settings.hasSeenHints.value && (
        <button type="button" class="text-button" onClick={() => settings.showHintsAgain()}>
          {t("hint.again")}
        </button>
      )}
      <Select
        label={t("settings.language")}
        value={settings.language.value}
        class="language"
        onChange={(value) => settings.chooseLanguage(value as LanguageKey)}
      >
        {(Object.keys(LANGUAGES) as LanguageKey[]).map((key) => (
          <option key={key} value={key} lang={LANGUAGES[key].code}>
            {LANGUAGES[key].name}
          </option>
        ))}
      </Select>
    </footer>
  );
}
