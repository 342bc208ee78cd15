/** The first screen: what there is, what is wrong with it, and the way to see it. */
import { t, tn } from "../../i18n";
import { useShared } from "../context";
import { formatCount } from "../format";
import { Hint } from "../Hint";
import { Notice } from "../Notice";
import { ErrorNote } from "../panel";
import { Filters } from "./Filters";
import { Lead } from "./Lead";
import { OverviewTable } from "./OverviewTable";

function Summary() {
  const { store, overview } = useShared();
  const items = overview.items.value ?? [];
  const nRuns = new Set(items.map(({ run }) => run)).size;
  if (items.length === 0) return null;
  const matrices = tn("overview.matrices", items.length, formatCount(items.length));
  const runs = tn("overview.runs", nRuns, formatCount(nRuns));
  return (
    <p class="quiet path-name" title={store.catalogue.value?.logdir}>
      {t("overview.summary", { matrices, runs, logdir: store.catalogue.value?.logdir ?? "" })}
    </p>
  );
}

export function OverviewPage() {
  const { overview } = useShared();
  const { items, error, rows } = overview;
  return (
    <main class="overview">
      <header class="overview-head">
        <h1>{t("overview.title")}</h1>
        <Summary />
      </header>
      <Notice />
      {error.value && <ErrorNote error={error.value} onRetry={() => overview.feed.now()} />}
      <Lead />
      <Filters />
      <Hint name="overview">{t("hint.overview")}</Hint>
      <OverviewTable />
      {items.value !== null && rows.value.length === 0 && <p class="note quiet">{t("overview.none")}</p>}
    </main>
  );
}
