/** The way back to the overview; run, matrix and step; the layout. */
import type { ReadonlySignal } from "@preact/signals";
import { t } from "../i18n";
import { matricesOf } from "../state/current";
import { TRANSFORMS, type TransformName, type View } from "../state/spec";
import { useShared } from "./context";
import { Segmented, Select } from "./controls";
import { Icon } from "./icons";
import type { Layout } from "./layout";
import { MatrixOptions } from "./MatrixOptions";
import { StepSlider } from "./StepSlider";

/** What is done to the rows of the matrix before they are factored. */
function TransformSelect({ hasBias }: { hasBias: boolean }) {
  const { store } = useShared();
  const { transform } = store.spec.value;
  const offered = TRANSFORMS.filter((name) => hasBias || !name.startsWith("bias"));
  const isOffered = (name: string): name is TransformName => TRANSFORMS.some((known) => known === name);
  return (
    <Select
      label={t("transform.label")}
      value={transform}
      class="transform"
      hint={isOffered(transform) ? t(`transform.hint.${transform || "none"}`) : transform}
      onChange={(value) => store.update({ transform: value }, "push")}
    >
      {offered.map((name) => (
        <option key={name} value={name}>
          {t(`transform.${name || "none"}`)}
        </option>
      ))}
      {!offered.some((name) => name === transform) && <option value={transform}>{transform}</option>}
    </Select>
  );
}

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
      <Select showLabel label={t("bar.run")} value={now.run.run} class="run" onChange={(run) => store.goTo({ run })}>
        {runs.map(({ run }) => (
          <option key={run} value={run}>
            {run === "." || run === "" ? "." : run}
          </option>
        ))}
      </Select>
      <Select
        showLabel
        label={t("bar.matrix")}
        value={now.matrix.matrix}
        class="matrix"
        hint={now.matrix.matrix}
        onChange={(matrix) => store.goTo({ matrix })}
      >
        <MatrixOptions entries={matricesOf(catalogue, now.run)} />
      </Select>
      <TransformSelect hasBias={now.matrix.has_bias} />
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
