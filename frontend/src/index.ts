/** TensorBoard's entry: it imports this module into a frame of its own and calls render(). */
import { effect } from "@preact/signals";
import { h, render as renderInto } from "preact";
import { Api } from "./data/api";
import { dataBase } from "./host/base";
import { FrameModel } from "./host/frame";
import { hashLink } from "./host/hash";
import { listenToHost } from "./host/port";
import { RunColours } from "./host/runColours";
import { followTheme } from "./host/theme";
import { t } from "./i18n";
import { Activity } from "./state/activity";
import { Model } from "./state/model";
import { Overview } from "./state/overview";
import { connectPlayer } from "./state/player";
import { Settings } from "./state/settings";
import { Store } from "./state/store";
import { styleSheet } from "./styles";
import { App } from "./ui/App";
import { followLayout } from "./ui/layout";

const MARK_EXACT = "embfactor:exact";

/** Marks the moment when everything shown of a checkpoint is its exact answer. */
function markExact(store: Store, model: Model): void {
  let marked = "";
  effect(() => {
    const { key, valueKey, loading } = store.series.points.state.value;
    const isThere = key !== null && key === valueKey && !loading;
    const exact = store.hasDrawn.value && model.line.value?.state === "done" && isThere;
    if (!exact || key === marked) return;
    marked = key;
    requestAnimationFrame(() => performance.mark(MARK_EXACT));
  });
}

export function render(): void {
  const sheet = document.createElement("style");
  sheet.textContent = styleSheet;
  document.head.append(sheet);
  const settings = new Settings();
  document.title = t("app.title");
  const theme = followTheme();
  const store = new Store(new Api(dataBase()), hashLink());
  const model = new Model(store, theme);
  const overview = new Overview(store);
  const activity = new Activity(store, overview);
  const colours = new RunColours(store.catalogue, theme);
  const frame = new FrameModel(store);
  connectPlayer(store);
  listenToHost({ onReload: () => store.catalogueFeed.now(), onRuns: (runs) => colours.meet(runs) });
  markExact(store, model);
  const root = document.createElement("div");
  root.id = "embfactor";
  document.body.append(root);
  const shared = { store, model, overview, activity, settings, colours, theme };
  renderInto(h(App, { shared, layout: followLayout(store.spec), frame }), root);
}
