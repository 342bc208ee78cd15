/** The way back to the overview; run, matrix and step; the layout. */
import type { ReadonlySignal } from "@preact/signals";
import { t } from "../i18n";
import { matricesOf } from "../state/current";
import type { View } from "../state/spec";
import { useShared } from "./context";
import { Segmented, Select } from "./controls";
import { Icon } from "./icons";
import type { Layout } from "./layout";
import { MatrixSelect } from "./MatrixSelect";
import { StepSlider } from "./StepSlider";
import { TransformSelect } from "./TransformSelect";

export function TopBar({ layout }: { layout: ReadonlySignal<Layout> }) {
  const { store } = useShared();
  const catalogue = store.catalogue.value;
  const now = store.current.value;
  if (!catalogue || !now) return null;
  const runs = catalogue.runs.filter((run) => matricesOf(catalogue, run).length > 0);
  return (
    <header class="top-bar">
      <button type="button" class="text-button back" onClick={() => store.goToOverview()}>
        <Icon name="back" size={16} />
        {t("overview.title")}
      </button>
      <Select showLabel label={t("bar.run")} value={now.run.run} class="run" onChange={(run) => store.goToRun(run)}>
        {runs.map(({ run }) => (
          <option key={run} value={run}>
            {run === "." || run === "" ? "." : run}
          </option>
        ))}
      </Select>
      <MatrixSelect />
      <TransformSelect />
      <StepSlider />
      {layout.value !== "wide" && (
        <Segmented<Exclude<View, "auto">>
          label={t("view.label")}
          value={layout.value}
          choices={[
            { value: "split", label: t("view.split") },
            { value: "factors", label: t("view.factors") },
            { value: "projector", label: t("view.projector") },
          ]}
          onChange={(view) => store.update({ view }, "push")}
        />
      )}
    </header>
  );
}
