/** The tab: what can be shown now, and the panels side by side. */
import { type ReadonlySignal, useSignal } from "@preact/signals";
import type { FrameModel } from "../host/frame";
import { sayServer, t } from "../i18n";
import type { Beside } from "../state/spec";
import { BesidePanel, besideChoices } from "./BesidePanel";
import { type Shared, SharedContext, useShared } from "./context";
import { Segmented } from "./controls";
import { Empty, Failure, Starting } from "./EmptyState";
import { Findings } from "./Findings";
import type { Layout } from "./layout";
import { Notice } from "./Notice";
import { OverviewPage } from "./overview/OverviewPage";
import { PointsPanel } from "./PointsPanel";
import { ProblemsDrawer } from "./ProblemsDrawer";
import { ProjectorPanel } from "./ProjectorPanel";
import { SpectrumPanel } from "./SpectrumPanel";
import { StatusBar } from "./StatusBar";
import { TopBar } from "./TopBar";

interface AppProps {
  layout: ReadonlySignal<Layout>;
  frame: FrameModel;
}

function View({ layout, frame }: AppProps) {
  const { store } = useShared();
  const now = layout.value;
  const isSplit = now === "split";
  const { beside } = store.spec.value;
  // In the split layout the spectrum and what stands beside the points share a corner.
  const isHidden = (isSpectrum: boolean) => now === "projector" || (isSplit && (beside === "") !== isSpectrum);
  const switcher = (
    <Segmented<Beside | "spectrum">
      label={t("beside.label")}
      value={beside || (isSplit ? "spectrum" : "factors")}
      choices={isSplit ? [{ value: "spectrum", label: t("spectrum.title") }, ...besideChoices()] : besideChoices()}
      onChange={(value) => store.update({ beside: value === "spectrum" ? "" : value })}
    />
  );
  return (
    <>
      <TopBar layout={layout} />
      <Notice />
      <Findings />
      <main class="panels" data-layout={now}>
        <SpectrumPanel hidden={isHidden(true)} heading={isSplit ? switcher : undefined} />
        <BesidePanel hidden={isHidden(false)} heading={switcher} />
        <PointsPanel hidden={now === "projector"} />
        <ProjectorPanel frame={frame} hidden={now === "factors"} alone={now === "projector"} />
      </main>
    </>
  );
}

function Tab(props: AppProps) {
  const { store } = useShared();
  const showsProblems = useSignal(false);
  const catalogue = store.catalogue.value;
  const error = store.catalogueError.value;
  const retry = () => store.catalogueFeed.now();
  if (!catalogue) return error ? <Failure title={t("error.catalogue")} error={error} onRetry={retry} /> : <Starting />;
  if (catalogue.error) return <Failure title={t("error.logdir")} error={catalogue.error} onRetry={retry} />;
  const screen = store.screen.value;
  const isEmpty = screen === null || (screen === "view" && !store.current.value);
  if (isEmpty) return catalogue.state === "scanning" ? <Starting /> : <Empty catalogue={catalogue} />;
  return (
    <div class="tab">
      {error && (
        <p class="banner" role="alert">
          {sayServer(error)}
        </p>
      )}
      {screen === "overview" ? <OverviewPage /> : <View {...props} />}
      <StatusBar
        onProblems={() => {
          showsProblems.value = true;
        }}
      />
      {showsProblems.value && (
        <ProblemsDrawer
          problems={catalogue.problems}
          onClose={() => {
            showsProblems.value = false;
          }}
        />
      )}
    </div>
  );
}

export function App({ shared, ...rest }: AppProps & { shared: Shared }) {
  return (
    <SharedContext.Provider value={shared}>
      <Tab {...rest} />
    </SharedContext.Provider>
  );
}
