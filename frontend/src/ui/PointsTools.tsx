/** The choices of the points panel: method, dimensions, axes, and colour. */
import { t } from "../i18n";
import { lineEnds, MAX_LINE_ROWS } from "../state/line";
import {
  AUTO_COLOUR,
  factorOf,
  METHOD_GROUPS,
  type Method,
  type MethodGroup,
  NO_COLOUR,
  OWN_AXES,
} from "../state/spec";
import type { Store } from "../state/store";
import { factoredAre } from "../state/transform";
import { useShared } from "./context";
import { Segmented, Select } from "./controls";
import { formatCheckpoint, formatCount } from "./format";
import { nameOfListed, nameWithShare } from "./names";

/** A line to begin with: between two selected rows, else from one end of the first factor to the other. */
function firstLine(store: Store): string {
  const selected = store.selection.of(factoredAre(store.spec.peek().transform));
  if (selected.length === 2) return selected.join("|");
  const factor = store.series.factors.state.peek().value?.factors[0];
  return factor?.bottom.length && factor.top.length ? `${factor.bottom[0].row}|${factor.top[0].row}` : "";
}

/** The methods in their groups; the one that is shown says what it is on hover. */
function MethodSelect() {
  const { store } = useShared();
  const { method, between } = store.spec.value;
  const choose = (value: Method) => {
    const needsEnds = value === "line" && between === "";
    store.update({ method: value, components: [0, 1, 2], ...(needsEnds && { between: firstLine(store) }) }, "push");
  };
  return (
    <Select
      label={t("points.method")}
      value={method}
      class="method"
      hint={t(`points.${method}Hint`)}
      onChange={(value) => choose(value as Method)}
    >
      {(Object.keys(METHOD_GROUPS) as MethodGroup[]).map((group) => (
        <optgroup key={group} label={t(`points.group.${group}`)}>
          {METHOD_GROUPS[group].map((value) => (
            <option key={value} value={value}>
              {t(`points.${value}`)}
            </option>
          ))}
        </optgroup>
      ))}
    </Select>
  );
}

export function MethodTools() {
  const { store } = useShared();
  const { dims } = store.spec.value;
  return (
    <div class="tools">
      <MethodSelect />
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

/** Of the discriminants: which column's values are told apart. */
function GroupColumnSelect() {
  const { store } = useShared();
  const { method, column } = store.spec.value;
  const columns = store.series.groupColumns.value;
  if (method !== "lda" || columns.length === 0) return null;
  return (
    <Select
      showLabel
      label={t("points.tellApart")}
      value={column === "" ? columns[0] : column}
      onChange={(value) => store.update({ column: value }, "push")}
    >
      {columns.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </Select>
  );
}

/** Of the line: a press makes the selected rows one of its ends. */
function LineEnd({ at }: { at: 0 | 1 }) {
  const { store, model } = useShared();
  void store.selection.current.value;
  const selected = store.selection.of(model.listedAre.value);
  const ends = lineEnds(store.spec.value.between);
  const rows = ends[at];
  const choose = () => {
    const next = ends.map((end, other) => (other === at ? selected.slice(0, MAX_LINE_ROWS) : end));
    store.update({ between: next.join("|") }, "push");
  };
  const name = rows.length > 0 ? nameOfListed(model, rows[0]) : t("points.lineNone");
  return (
    <button
      type="button"
      class="line-end"
      disabled={selected.length === 0}
      title={t("points.lineHint")}
      onClick={choose}
    >
      <span class="select-label">{at === 0 ? t("points.lineFrom") : t("points.lineTo")}</span>
      <b>{rows.length > 1 ? t("points.lineMany", { name, n: formatCount(rows.length - 1) }) : name}</b>
    </button>
  );
}

export function ColourSelect() {
  const { store, model } = useShared();
  const labels = model.pointsAre.value === "rows" ? store.series.labels.state.value.value?.columns : [];
  const columns = labels?.filter((column) => column.kind !== "text") ?? [];
  const wanted = store.spec.value.colour;
  const factor = factorOf(wanted);
  if (columns.length === 0 && factor === null) return null;
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
      <GroupColumnSelect />
      {store.spec.value.method === "line" && (
        <>
          <LineEnd at={0} />
          <LineEnd at={1} />
        </>
      )}
    </div>
  );
}
