/** Puts the spectrum plot on the screen and reads out the value under the pointer. */
import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { RankRule } from "../data/types";
import { sayRule, t } from "../i18n";
import type { Mark } from "../plots/marks";
import { SpectrumPlot } from "../plots/spectrum";
import { factorMethodOf, factorOf } from "../state/spec";
import { useShared } from "./context";
import { formatCount, formatNumber, formatShare } from "./format";
import { themeColours } from "./themeColours";
import { useSize } from "./useSize";

const STEPS: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };

/** A rule as a line on the spectrum that it looks at. */
function markOf(rule: RankRule, centered: boolean): Mark[] {
  if (rule.rank === null || rule.centered !== centered) return [];
  const label = t("rules.mark", { name: sayRule(rule).name, n: formatCount(rule.rank) });
  return [rule.line === null ? { kind: "rank", at: rule.rank, label } : { kind: "level", at: rule.line, label }];
}

export function SpectrumChart() {
  const { store, model, theme } = useShared();
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<SpectrumPlot | null>(null);
  const index = useSignal<number | null>(null);
  const scale = useComputed(() => store.spec.value.indexScale);
  const current = useComputed(() =>
    model.line.value ? (model.spectra.value?.lines.indexOf(model.line.value) ?? -1) : -1,
  );

  const create = () => {
    if (host.current && !plot.current) {
      plot.current = new SpectrumPlot(host.current, (at) => {
        index.value = at;
      });
    }
    return plot.current;
  };
  useSize(host, (width, height) => create()?.resize(width, height));
  useSignalEffect(() => {
    const spectra = model.spectra.value;
    const indexScale = scale.value;
    const now = theme.value;
    const colours = themeColours();
    if (!spectra) return;
    create()?.setSpec({
      spectra,
      indexScale,
      theme: now,
      colours: { ...colours, energy: colours.faint },
      names: { index: t("spectrum.index"), value: t("spectrum.value"), energy: t("spectrum.energy") },
      formatIndex: formatCount,
      formatShare: (share) => t("number.percent", { n: Math.round(share * 100) }),
    });
  });
  useSignalEffect(() => {
    void model.spectra.value;
    create()?.setCurrent(current.value);
  });
  useSignalEffect(() => {
    const { rules, centered, colour, method } = store.spec.value;
    const drawn = (store.series.ranks.state.value.value?.ranks ?? []).filter(({ key }) => rules.includes(key));
    const isOfThese = factorMethodOf(method) === (centered ? "pca" : "svd");
    const factor = isOfThese ? factorOf(colour) : null;
    const value = factor === null ? undefined : model.line.value?.sigma[factor - 1];
    const marks = drawn.flatMap((rule) => markOf(rule, centered));
    if (factor !== null && value !== undefined) {
      marks.push({ kind: "value", at: factor, value, label: t("factors.mark", { n: factor }) });
    }
    create()?.setMarks(marks);
  });
  useEffect(() => () => plot.current?.dispose(), []);

  const onKeyDown = (event: KeyboardEvent) => {
    const by = STEPS[event.key];
    if (by === undefined) return;
    event.preventDefault();
    plot.current?.moveCursor(by);
  };
  const line = model.line.value;
  const at = index.value;
  const known = line !== null && at !== null && at < line.sigma.length;
  return (
    <div class="spectrum-chart">
      <div
        class="spectrum-plot"
        ref={host}
        role="img"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys read the values of the plot
        tabIndex={0}
        aria-label={t("spectrum.plot", { matrix: store.name.value?.matrix ?? "" })}
        onKeyDown={onKeyDown}
        onBlur={() => plot.current?.leave()}
      />
      <p class="readout" role="status">
        {known ? (
          <>
            <b>
              σ<sub>{at + 1}</sub> = {formatNumber(line.sigma[at])}
            </b>
            <span>
              {t("spectrum.readout", {
                share: formatShare(line.share[at]),
                cumulative: formatShare(line.cumulative[at]),
              })}
            </span>
          </>
        ) : (
          <span class="quiet">{t("spectrum.hint")}</span>
        )}
      </p>
    </div>
  );
}
