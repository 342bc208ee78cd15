/** The choices of the points panel: method, dimensions, axes, and colour. */
import { t } from "../i18n";
import { AUTO_COLOUR, factorOf, METHODS, type Method, NO_COLOUR, OWN_AXES } from "../state/spec";
import { useShared } from "./context";
import { Segmented, Select } from "./controls";
import { formatCheckpoint, formatCount } from "./format";
import { nameWithShare } from "./names";

export function MethodTools() {
  const { store } = useShared();
  const { method, dims } = store.spec.value;
  return (
    <div class="tools">
      <Segmented<Method>
        label={t("points.method")}
        value={method}
        choices={METHODS.map((value) => ({ value, label: t(`points.${value}`), hint: t(`points.${value}Hint`) }))}
        onChange={(value) => store.update({ method: value }, "push")}
      />
      <Segmented
        label={t("points.dims")}
        value={String(dims) as "2" | "3"}
        choices={[
          { value: "2", label: t("points.2d") },
          { value: "3", label: t("points.3d") },
        ]}
        onChange={(value) => store.update({ dims: value === "3" ? 3 : 2 }, "push")}
      />
    </div>
  );
}

function ComponentSelect({ axis }: { axis: 0 | 1 | 2 }) {
  const { store, model } = useShared();
  const { components, method } = store.spec.value;
  const shares = model.scene.value?.reply.arrays.share?.values;
  const count = Math.max(shares?.length ?? 0, components[axis] + 1);
  const name = ["X", "Y", "Z"][axis];
  const choose = (value: string) => {
    const next: [number, number, number] = [...components];
    const taken = next.indexOf(Number(value));
    // A component that stands on another axis changes places with this one.
    if (taken >= 0) next[taken] = next[axis];
    next[axis] = Number(value);
    store.update({ components: next });
  };
  return (
    <Select
      showLabel
      label={name}
      value={String(components[axis])}
      class="component"
      hint={t("points.axis", { axis: name })}
      onChange={choose}
    >
      {Array.from({ length: count }, (_, at) => (
        <option key={at} value={String(at)}>
          {nameWithShare(method, at, shares?.[at])}
        </option>
      ))}
    </Select>
  );
}

/** On the axes of which step the points of all steps are shown. */
function ReferenceSelect() {
  const { store } = useShared();
  const now = store.current.value;
  const { axes, method } = store.spec.value;
  if (!now || method !== "pca" || now.steps.length < 2) return null;
  return (
    <Select
      showLabel
      label={t("points.axes")}
      value={axes}
      class="reference"
      hint={t("points.axesHint")}
      onChange={(value) => store.update({ axes: value }, "push")}
    >
      <option value={OWN_AXES}>{t("points.axesOwn")}</option>
      {now.steps.map((step) => (
        <option key={step.checkpoint} value={step.checkpoint}>
          {step.step === null ? formatCheckpoint(step) : t("points.axesOf", { step: formatCount(step.step) })}
        </option>
      ))}
    </Select>
  );
}

export function ColourSelect() {
  const { store, model } = useShared();
  const columns = store.labels.state.value.value?.columns.filter((column) => column.kind !== "text") ?? [];
  const wanted = store.spec.value.colour;
  const factor = factorOf(wanted);
  if ((columns.length === 0 && factor === null) || model.pointsAre.value === "columns") return null;
  const value = wanted === AUTO_COLOUR ? (model.colourColumn.value?.name ?? NO_COLOUR) : wanted;
  return (
    <Select showLabel label={t("points.colour")} value={value} onChange={(colour) => store.update({ colour })}>
      <option value={NO_COLOUR}>{t("points.colourNone")}</option>
      {factor !== null && <option value={wanted}>{t("factors.score", { n: factor })}</option>}
      {columns.map(({ name }) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </Select>
  );
}

export function AxesTools() {
  const { store } = useShared();
  return (
    <div class="tools">
      <ComponentSelect axis={0} />
      <ComponentSelect axis={1} />
      {store.spec.value.dims === 3 && <ComponentSelect axis={2} />}
      <ReferenceSelect />
    </div>
  );
}
