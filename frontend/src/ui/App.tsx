/** The tab: what can be shown now, and the panels side by side. */
import { type ReadonlySignal, useSignal } from "@preact/signals";
import type { FrameModel } from "../host/frame";
import { sayServer, t } from "../i18n";
import { type Shared, SharedContext, useShared } from "./context";
import { Empty, Failure, Starting } from "./EmptyState";
import type { Layout } from "./layout";
import { PointsPanel } from "./PointsPanel";
import { ProblemsDrawer } from "./ProblemsDrawer";
import { ProjectorPanel } from "./ProjectorPanel";
import { SpectrumPanel } from "./SpectrumPanel";
import { TopBar } from "./TopBar";

interface AppProps {
  layout: ReadonlySignal<Layout>;
  frame: FrameModel;
}

function Tab({ layout, frame }: AppProps) {
  const { store } = useShared();
  const showsProblems = useSignal(false);
  const catalogue = store.catalogue.value;
  const error = store.catalogueError.value;
  if (!catalogue) {
    return error ? (
      <Failure title={t("error.catalogue")} error={error} onRetry={store.catalogueFeed.now} />
    ) : (
      <Starting />
    );
  }
  if (catalogue.error) {
    return <Failure title={t("error.logdir")} error={catalogue.error} onRetry={store.catalogueFeed.now} />;
  }
  if (!store.current.value) return catalogue.state === "scanning" ? <Starting /> : <Empty catalogue={catalogue} />;
  const now = layout.value;
  return (
    <div class="tab" data-layout={now}>
      <TopBar
        layout={layout}
        onProblems={() => {
          showsProblems.value = true;
        }}
      />
      {error && (
        <p class="banner" role="alert">
          {sayServer(error)}
        </p>
      )}
      <main class="panels">
        <SpectrumPanel hidden={now === "projector"} />
        <PointsPanel hidden={now === "projector"} />
        <ProjectorPanel frame={frame} hidden={now === "factors"} alone={now === "projector"} />
      </main>
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
