/** What is shown before there is anything to show: reading, an unreadable log directory, nothing found. */
import type { Catalogue, Problem, Sentence } from "../data/types";
import { sayServer, t, tn } from "../i18n";
import { formatCount } from "./format";
import { ProgressBar } from "./panel";
import { WithFlags } from "./WithFlags";

export function Starting() {
  return (
    <main class="page">
      <div class="page-card" role="status">
        <h1>{t("state.starting")}</h1>
        <ProgressBar value={null} label={t("state.starting")} />
      </div>
    </main>
  );
}

export function Failure({ title, error, onRetry }: { title: string; error: Sentence; onRetry: () => void }) {
  return (
    <main class="page">
      <div class="page-card" role="alert">
        <h1>{title}</h1>
        <p>
          <WithFlags text={sayServer(error)} />
        </p>
        <button type="button" class="button" onClick={onRetry}>
          {t("state.retry")}
        </button>
      </div>
    </main>
  );
}

export function ProblemList({ problems }: { problems: readonly Problem[] }) {
  return (
    <ul class="problem-list">
      {problems.map(({ path, error }) => (
        <li key={`${path} ${error.code}`}>
          <code>{path}</code>
          <p>
            <WithFlags text={sayServer(error)} />
          </p>
        </li>
      ))}
    </ul>
  );
}

export function Empty({ catalogue }: { catalogue: Catalogue }) {
  const { scanned, logdir, hints, problems } = catalogue;
  const summary =
    scanned.n_checkpoints > 0
      ? t("empty.noMatrices", { logdir })
      : t("empty.summary", {
          runs: tn("empty.scannedRuns", scanned.n_runs, formatCount(scanned.n_runs)),
          files: tn("empty.scannedFiles", scanned.n_files, formatCount(scanned.n_files)),
          logdir,
        });
  return (
    <main class="page">
      <div class="page-card">
        <h1>{t("empty.title")}</h1>
        <p>{summary}</p>
        {hints.length > 0 && (
          <>
            <h2>{t("empty.hints")}</h2>
            <ul class="hints">
              {hints.map((hint) => (
                <li key={sayServer(hint)}>
                  <WithFlags text={sayServer(hint)} />
                </li>
              ))}
            </ul>
          </>
        )}
        {problems.length > 0 && (
          <>
            <h2>{t("empty.problems")}</h2>
            <ProblemList problems={problems} />
          </>
        )}
        <p class="quiet">{t("empty.waiting")}</p>
      </div>
    </main>
  );
}
