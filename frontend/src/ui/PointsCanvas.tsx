/** Puts the picture of the points on the screen and connects it with the store. */
import { useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { prefersReducedMotion } from "../host/theme";
import { t } from "../i18n";
import { connectGestures } from "../points/gestures";
import { PointsView } from "../points/view";
import { useShared } from "./context";
import { IconButton } from "./controls";
import { formatCount, formatNumber } from "./format";
import { Hint } from "./Hint";
import { nameOfComponent, nameOfPoint, nameWithShare } from "./names";
import { themeColours } from "./themeColours";
import { useSize } from "./useSize";

const MARK_FIRST = "embfactor:first-points";

function useView(host: { current: HTMLDivElement | null }) {
  const { store } = useShared();
  const view = useRef<PointsView | null>(null);
  return () => {
    if (host.current && !view.current) {
      view.current = new PointsView(host.current, {
        reducedMotion: prefersReducedMotion,
        onDrawn: () => {
          if (store.hasDrawn.peek()) return;
          performance.mark(MARK_FIRST);
          store.hasDrawn.value = true;
        },
      });
    }
    return view.current;
  };
}

/** The label of the point under the pointer, with its coordinates and other columns. */
function HoverTip({ placeOf }: { placeOf: (index: number) => { x: number; y: number } | null }) {
  const { store, model } = useShared();
  const index = store.selection.hovered.value;
  const scene = model.scene.value;
  const place = index === null ? null : placeOf(index);
  if (index === null || !place || !scene || index >= scene.n) return null;
  const { components, dims, method } = store.spec.value;
  const columns = scene.pointsAre === "rows" ? (store.series.labels.state.value.value?.columns.slice(1, 5) ?? []) : [];
  return (
    <div class={`hover-tip ${place.y < 130 ? "below" : ""}`} style={{ left: `${place.x}px`, top: `${place.y}px` }}>
      <b>{nameOfPoint(model, index)}</b>
      <dl>
        {columns.map(({ name, values }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              {typeof values[index] === "number" ? formatNumber(values[index]) : (values[index] ?? t("points.noValue"))}
            </dd>
          </div>
        ))}
        {components.slice(0, dims).map((component, axis) => (
          <div key={axis}>
            <dt>{nameOfComponent(method, component)}</dt>
            <dd>{formatNumber(scene.positions[index * 3 + axis])}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

export function PointsCanvas() {
  const { store, model, theme, settings } = useShared();
  const host = useRef<HTMLDivElement>(null);
  const view = useView(host);

  useSize(host, (width, height) => view()?.resize(width, height));
  useSignalEffect(() => {
    const scene = model.scene.value;
    if (scene) view()?.setPositions(scene.positions, scene.dims, scene.seriesKey);
  });
  useSignalEffect(() => {
    const { colours } = model.colouring.value;
    const hits = model.hits.value.first;
    const faint = new Uint8Array(colours.length / 3).fill(hits.length > 0 ? 1 : 0);
    for (const index of hits) faint[index] = 0;
    view()?.setColours(colours, faint);
  });
  useSignalEffect(() => {
    void store.selection.current.value;
    view()?.setHighlight({
      selected: store.selection.of(model.pointsAre.value),
      hits: model.hits.value.first,
      hovered: store.selection.hovered.value,
    });
  });
  useSignalEffect(() => {
    const { components, method } = store.spec.value;
    const shares = model.scene.value?.reply.arrays.share?.values;
    const names = components.map((component) => nameWithShare(method, component, shares?.[component]));
    void model.nameColumn.value;
    view()?.setNames(names as [string, string, string], (index) => nameOfPoint(model, index));
  });
  useSignalEffect(() => view()?.setStretch(store.spec.value.stretch));
  useSignalEffect(() => {
    void theme.value;
    view()?.setTheme(themeColours());
  });
  useEffect(() => {
    const shown = view();
    if (!shown || !host.current) return;
    const disconnect = connectGestures(shown, host.current, {
      onHover: (index) => {
        store.selection.hovered.value = index;
      },
      onSelect: (index, more) => {
        const kind = model.pointsAre.peek();
        if (index === null) store.selection.clear("points");
        else if (more) store.selection.toggle(index, "points", kind);
        else store.selection.set([index], "points", kind);
      },
    });
    return () => {
      disconnect();
      shown.dispose();
    };
  }, []);

  const n = model.scene.value?.n ?? 0;
  return (
    <div class="points-frame" onPointerDown={() => settings.see("points")} onWheel={() => settings.see("points")}>
      <div
        class="points-host"
        ref={host}
        role="application"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: keys move the view
        tabIndex={0}
        aria-label={t("points.plot", { n: formatCount(n) })}
      />
      <HoverTip placeOf={(index) => view()?.placeOf(index) ?? null} />
      <Hint name="points">{t("hint.points")}</Hint>
      <div class="points-buttons">
        <IconButton
          icon="stretch"
          label={t("points.stretch")}
          pressed={store.spec.value.stretch}
          onClick={() => store.update({ stretch: !store.spec.peek().stretch })}
        />
        <IconButton icon="home" label={t("points.home")} onClick={() => view()?.home()} />
      </div>
    </div>
  );
}
