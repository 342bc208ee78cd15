/** What the matrix is compared with: run, matrix, step, and which rows belong together. */
import { t } from "../../i18n";
import { matricesOf } from "../../state/current";
import type { Match } from "../../state/spec";
import { useShared } from "../context";
import { Segmented, Select } from "../controls";
import { formatCheckpoint } from "../format";
import { MatrixOptions } from "../MatrixOptions";

export function OtherTools() {
  const { store } = useShared();
  const other = store.series.other.value;
  const catalogue = store.catalogue.value;
  if (!other || !catalogue) return null;
  const { run, matrix, checkpoint, steps, match, isLabelled } = other;
  const runs = catalogue.runs.filter((entry) => matricesOf(catalogue, entry).length > 0);
  // What is not chosen anew stays what it is, also where it was only the default.
  const here = { otherRun: run.run, otherMatrix: matrix.matrix };
  return (
    <div class="other-tools">
      <span class="quiet">{t("compare.with")}</span>
      <Select
        label={t("compare.run")}
        value={run.run}
        hint={run.run}
        onChange={(otherRun) => store.update({ otherRun, otherMatrix: "", otherCheckpoint: "" })}
      >
        {runs.map((entry) => (
          <option key={entry.run} value={entry.run}>
            {entry.run}
          </option>
        ))}
      </Select>
      <Select
        label={t("compare.matrix")}
        value={matrix.matrix}
        hint={matrix.matrix}
        onChange={(otherMatrix) => store.update({ ...here, otherMatrix, otherCheckpoint: "" })}
      >
        <MatrixOptions entries={matricesOf(catalogue, run)} />
      </Select>
      <Select
        label={t("compare.step")}
        value={checkpoint.checkpoint}
        onChange={(otherCheckpoint) => store.update({ ...here, otherCheckpoint })}
      >
        {steps.map((step) => (
          <option key={step.checkpoint} value={step.checkpoint}>
            {formatCheckpoint(step)}
          </option>
        ))}
      </Select>
      {isLabelled && (
        <Segmented<Match>
          label={t("compare.match")}
          value={match}
          choices={[
            { value: "index", label: t("compare.byIndex"), hint: t("compare.byIndexHint") },
            { value: "label", label: t("compare.byLabel"), hint: t("compare.byLabelHint") },
          ]}
          onChange={(value) => store.update({ match: value })}
        />
      )}
    </div>
  );
}
