/** TensorBoard's entry: it imports this module into a frame of its own and calls render(). */
import { effect } from "@preact/signals";
import { h, render as renderInto } from "preact";
import { Api } from "./data/api";
import { dataBase } from "./host/base";
import { FrameModel } from "./host/frame";
import { hashLink } from "./host/hash";
import { listenToHost } from "./host/port";
import { followTheme } from "./host/theme";
import { languageCode, t } from "./i18n";
import { Model } from "./state/model";
import { connectPlayer } from "./state/player";
import { Store } from "./state/store";
import { styleSheet } from "./styles";
import { App } from "./ui/App";
import { followLayout } from "./ui/layout";

const MARK_EXACT = "embfactor:exact";

/** Marks the moment when everything shown of a checkpoint is its exact answer. */
function markExact(store: Store, model: Model): void {
  let marked = "";
  effect(() => {
    const { key, valueKey } = store.points.state.value;
    const exact = store.hasDrawn.value && model.line.value?.state === "done" && key !== null && key === valueKey;
    if (!exact || key === marked) return;
    marked = key;
    requestAnimationFrame(() => performance.mark(MARK_EXACT));
  });
}

export function render(): void {
  const sheet = document.createElement("style");
  sheet.textContent = styleSheet;
  document.head.append(sheet);
  document.documentElement.lang = languageCode();
  document.title = t("app.title");
  const theme = followTheme();
  const store = new Store(new Api(dataBase()), hashLink());
  const model = new Model(store, theme);
  const frame = new FrameModel(store);
  connectPlayer(store);
  listenToHost(() => store.catalogueFeed.now());
  markExact(store, model);
  const root = document.createElement("div");
  root.id = "embfactor";
  document.body.append(root);
  renderInto(h(App, { shared: { store, model, theme }, layout: followLayout(store.spec), frame }), root);
}
