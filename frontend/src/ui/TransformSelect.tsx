/** What is done to the rows of the matrix before they are factored: a list by its name, or steps of one's own. */
import { useRef } from "preact/hooks";
import { t } from "../i18n";
import {
  MAX_TOP,
  nameOfStep,
  STEPS,
  type StepName,
  stepsIn,
  TRANSFORMS,
  type TransformName,
  withoutStep,
  withStep,
} from "../state/transform";
import { useShared } from "./context";
import { Select } from "./controls";
import { Icon } from "./icons";
import { usePopover } from "./Popover";

const isNamed = (transform: string): transform is TransformName => TRANSFORMS.some((known) => known === transform);
const isKnown = (step: string): step is StepName => STEPS.some((known) => known === step);

function sayStep(step: string): string {
  const [name, k = "1"] = step.split(":");
  return isKnown(name) ? (name === "without_top" ? t("step.without_top", { k }) : t(`step.${name}`)) : step;
}

function sayTransform(transform: string): string {
  return isNamed(transform) ? t(`transform.${transform || "none"}`) : stepsIn(transform).map(sayStep).join(" → ");
}

/** How many leading directions are taken out. */
function TopNumber({ step }: { step: string }) {
  const { store } = useShared();
  return (
    <label class="select">
      <span class="select-label">{t("step.howMany")}</span>
      <input
        type="number"
        min={1}
        max={MAX_TOP}
        value={step.split(":")[1]}
        onChange={(event) => {
          const k = Math.min(Math.max(Math.round(Number(event.currentTarget.value)) || 1, 1), MAX_TOP);
          event.currentTarget.value = String(k);
          store.update({ transform: withStep(store.spec.value.transform, `without_top:${k}`) }, "push");
        }}
      />
    </label>
  );
}

/** The steps that are taken, from first to last, and those that can be added. */
function Steps({ hasBias }: { hasBias: boolean }) {
  const { store } = useShared();
  const { transform } = store.spec.value;
  const taken = stepsIn(transform);
  const change = (next: string) => store.update({ transform: next }, "push");
  const names = taken.map(nameOfStep);
  const top = taken.find((step) => nameOfStep(step) === "without_top");
  return (
    <div class="steps">
      <p class="quiet">{t("step.about")}</p>
      <ol class="steps-taken" aria-label={t("step.taken")}>
        {taken.length === 0 && <li class="quiet">{t("transform.none")}</li>}
        {taken.map((step) => (
          <li key={nameOfStep(step)}>
            <button
              type="button"
              class="chip"
              aria-label={t("step.remove", { name: sayStep(step) })}
              onClick={() => change(withoutStep(transform, step))}
            >
              <span>{sayStep(step)}</span>
              <Icon name="close" size={12} />
            </button>
          </li>
        ))}
      </ol>
      {top && <TopNumber step={top} />}
      <p class="quiet">{t("step.add")}</p>
      <div class="steps-offered">
        {STEPS.filter((name) => !names.includes(name)).map((name) => (
          <button
            type="button"
            key={name}
            class="chip-button"
            disabled={name === "bias" && !hasBias}
            title={t(`step.hint.${name}`)}
            onClick={() => change(withStep(transform, name === "without_top" ? "without_top:1" : name))}
          >
            {sayStep(name)}
          </button>
        ))}
      </div>
    </div>
  );
}

export function TransformSelect() {
  const { store } = useShared();
  const box = useRef<HTMLDivElement>(null);
  const steps = usePopover(box);
  const { transform } = store.spec.value;
  const hasBias = store.current.value?.matrix.has_bias ?? false;
  const offered = TRANSFORMS.filter((name) => hasBias || !name.startsWith("bias"));
  const shown = offered.some((name) => name === transform) ? offered : [...offered, transform];
  return (
    <div ref={box} class="select-box">
      <Select
        label={t("transform.label")}
        value={transform}
        class="transform"
        hint={isNamed(transform) ? t(`transform.hint.${transform || "none"}`) : sayTransform(transform)}
        onChange={(value) => store.update({ transform: value }, "push")}
        more={{ label: t("step.open"), onChoose: steps.show }}
      >
        {shown.map((name) => (
          <option key={name} value={name}>
            {sayTransform(name)}
          </option>
        ))}
      </Select>
      {steps.panel(t("step.title"), steps.isOpen.value && <Steps hasBias={hasBias} />)}
    </div>
  );
}
