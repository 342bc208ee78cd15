/** The time axis: a slider through the checkpoints of the series, with play. */
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { t } from "../i18n";
import type { Current } from "../state/current";
import { togglePlay } from "../state/player";
import { fallenSince } from "../state/troubles";
import { useShared } from "./context";
import { IconButton } from "./controls";
import { formatCheckpoint, formatStep, formatTime } from "./format";

const MAX_TICKS = 60;

/** Beside the way back: what there is to see on it, or how it is used. */
function SliderNote() {
  const { store, settings } = useShared();
  const info = store.series.spectra.state.value.value?.info;
  const from = info && fallenSince(info, store.name.value?.checkpoint ?? "");
  if (from) {
    return (
      <p class="slider-note telling">
        {from.step === null ? t("verdict.dragFirst") : t("verdict.drag", { step: formatStep(from.step) })}
      </p>
    );
  }
  return settings.shows("steps") ? <p class="slider-note">{t("hint.steps")}</p> : null;
}

/** The way through the checkpoints, by single steps, by itself, or by the slider. */
function Steps({ now, range }: { now: Current; range: RefObject<HTMLInputElement | null> }) {
  const { store, settings } = useShared();
  const { steps, index, checkpoint } = now;
  const last = steps.length - 1;
  const states = new Map(store.series.spectra.state.value.value?.info.checkpoints.map((c) => [c.checkpoint, c.state]));
  const playing = store.playing.value;
  const go = (at: number) => {
    store.playing.value = false;
    settings.see("steps");
    store.goToStep(at);
  };
  return (
    <>
      <IconButton icon="previous" label={t("bar.previous")} disabled={index === 0} onClick={() => go(index - 1)} />
      <IconButton
        icon={playing ? "pause" : "play"}
        label={playing ? t("bar.pause") : t("bar.play")}
        class="play"
        onClick={() => togglePlay(store)}
      />
      <IconButton icon="next" label={t("bar.next")} disabled={index === last} onClick={() => go(index + 1)} />
      <div class="slider">
        <input
          ref={range}
          type="range"
          min={0}
          max={last}
          step={1}
          value={index}
          aria-label={t("bar.slider")}
          aria-valuetext={t("bar.stepValue", { step: formatStep(checkpoint.step), at: index + 1, total: steps.length })}
          style={{ "--share": index / last }}
          onInput={(event) => go(Number(event.currentTarget.value))}
        />
        {last < MAX_TICKS && (
          <div class="ticks" aria-hidden="true">
            {steps.map((step, at) => (
              <i
                key={step.checkpoint}
                class={`${states.get(step.checkpoint) ?? "pending"} ${at <= index ? "passed" : ""}`}
                style={{ left: `${(100 * at) / last}%` }}
              />
            ))}
          </div>
        )}
        <SliderNote />
      </div>
    </>
  );
}

export function StepSlider() {
  const { store } = useShared();
  const range = useRef<HTMLInputElement>(null);
  const text = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (store.hasArrived.peek()) (range.current ?? text.current)?.focus();
    store.hasArrived.value = false;
  }, []);
  const now = store.current.value;
  if (!now) return null;
  const { steps, index, checkpoint } = now;
  const facts = [
    steps.length > 1 ? t("bar.place", { at: index + 1, total: steps.length }) : "",
    checkpoint.gone ? t("bar.gone") : formatTime(checkpoint.wall_time),
  ];
  return (
    <div class={`stepper ${steps.length > 1 ? "" : "single"}`}>
      {steps.length > 1 && <Steps now={now} range={range} />}
      <div ref={text} class="step-text" title={checkpoint.path} tabIndex={-1}>
        <span class="step-number">
          {checkpoint.step === null ? (
            formatCheckpoint(checkpoint)
          ) : (
            <>
              {t("bar.step")} <b>{formatStep(checkpoint.step)}</b>
            </>
          )}
        </span>
        <span class="quiet">{facts.filter((fact) => fact !== "").join(" · ")}</span>
      </div>
    </div>
  );
}
