// Helpers of the browser tests: Chromium on the tab inside a real TensorBoard (address in EMBFACTOR_URL).
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

export const URL_VARIABLE = "EMBFACTOR_URL";
const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
/** Software GL, and no raster processes: without the two raster flags canvas drawing stalls for seconds. */
const FLAGS = [
  "--no-sandbox",
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
  "--disable-gpu-rasterization",
  "--disable-accelerated-2d-canvas",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];
/** Said by TensorBoard itself, not by us. */
const NOT_OURS = [/Multiple instances of Three\.js/, /favicon/, /\[\.WebGL-.*GPU stall/, /font-roboto/];

/** The browser named in CHROMIUM, or the first one on the PATH. */
export function chromiumPath() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const folders = (process.env.PATH ?? "").split(delimiter);
  const found = folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find((path) => existsSync(path));
  if (!found) throw new Error("No Chromium on the PATH. Install it, or name it in CHROMIUM.");
  return found;
}

export function launch() {
  return chromium.launch({ executablePath: chromiumPath(), args: FLAGS });
}

/** The address of TensorBoard, with a slash at its end. */
export function tensorboardUrl() {
  const url = process.env[URL_VARIABLE];
  if (!url) throw new Error(`Set ${URL_VARIABLE} to the address of a TensorBoard that shows demo_logs.`);
  return url.endsWith("/") ? url : `${url}/`;
}

/** `#embfactor` with keys of the spec, as the tab writes them. */
export function hashOf(spec = {}) {
  const keys = Object.entries(spec).map(([key, value]) => `&p.embfactor.${key}=${encodeURIComponent(value)}`);
  return `#embfactor${keys.join("")}`;
}

/**
 * Opens the tab and waits for its first points.
 *
 * Returns the page, the frame of the tab, and `errors`: what the page and the policy complained of so far.
 */
export async function openTab(browser, { spec = {}, width = 1280, height = 800, wait = true, url, ...context } = {}) {
  const page = await browser.newPage({ viewport: { width, height }, ...context });
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() !== "error" && !/Content Security Policy/.test(message.text())) return;
    const text = `${message.text()} ${message.location().url}`;
    if (!NOT_OURS.some((known) => known.test(text))) errors.push(text);
  });
  await page.goto(`${url ?? tensorboardUrl()}${hashOf(spec)}`);
  const tab = await tabFrame(page);
  if (wait) await waitForMark(tab, "embfactor:first-points");
  return { page, tab, errors };
}

/** One browser for the tests of a file, and `tabTest`: a test with a tab of its own, which fails also when the page or the policy complained. */
export function useBrowser(defaults = {}) {
  const opened = { browser: null };
  before(async () => {
    opened.browser = await launch();
  });
  after(() => opened.browser?.close());
  const tabTest = (name, options, body) =>
    test(name, { timeout: 120_000 }, async () => {
      const { page, tab, errors } = await openTab(opened.browser, { ...defaults, ...options });
      try {
        await body({ page, tab, errors });
        assert.deepEqual(errors, []);
      } finally {
        await page.close();
      }
    });
  return { opened, tabTest };
}

/** What axe-core finds seriously or critically wrong with the tab. */
export async function accessibilityFaults(tab) {
  await tab.evaluate(await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8"));
  const faults = await tab.evaluate(async () => {
    const { violations } = await window.axe.run("#embfactor", { resultTypes: ["violations"] });
    return violations.map(({ id, impact, nodes }) => ({
      id,
      impact,
      nodes: nodes.map((node) => node.html).slice(0, 3),
    }));
  });
  return faults.filter(({ impact }) => ["serious", "critical"].includes(impact));
}

/** Whether what has the focus matches the selector, once it does. */
export function isFocused(tab, selector) {
  return tab.waitForFunction((wanted) => document.activeElement?.matches(wanted), selector, { timeout: 10_000 });
}

/** The frame that TensorBoard made for the plugin. */
export async function tabFrame(page) {
  const element = await page.waitForSelector('iframe[src*="name=embfactor"]', { state: "attached", timeout: 30_000 });
  const frame = await element.contentFrame();
  await frame.waitForSelector("#embfactor", { state: "attached", timeout: 30_000 });
  return frame;
}

/** Milliseconds after the start of the tab's frame at which it set a performance mark. */
export async function waitForMark(tab, name, timeout = 60_000) {
  await tab.waitForFunction((mark) => performance.getEntriesByName(mark).length > 0, name, { timeout });
  return tab.evaluate((mark) => performance.getEntriesByName(mark)[0].startTime, name);
}

/** Waits until the points of this checkpoint (and method) are those on the screen. */
export function waitForPoints(tab, { checkpoint, method } = {}) {
  const wanted = `${checkpoint ? `[data-shown="${checkpoint}"]` : ""}${method ? `[data-method="${method}"]` : ""}`;
  return tab.waitForSelector(`.points-area${wanted}`, { timeout: 60_000 });
}

/** The spec as the address holds it. */
export function specOf(page) {
  const tokens = new URL(page.url()).hash.slice(1).split("&").slice(1);
  const pairs = tokens.map((token) => token.split("=").map(decodeURIComponent));
  return Object.fromEntries(pairs.filter(([key]) => key.startsWith("p.embfactor.")).map(([k, v]) => [k.slice(12), v]));
}

/** Waits until the address holds this key of the spec (it is written a moment after a change). */
export function waitForSpec(page, key, value) {
  const token = `p.embfactor.${key}=${encodeURIComponent(value)}`;
  return page.waitForFunction((text) => location.hash.includes(text), token, { timeout: 10_000 });
}

/** The checkpoints of a run, from the catalogue. */
export async function checkpointsOf(tab, run) {
  const catalogue = await tab.evaluate(async () => (await fetch("catalogue")).json());
  return catalogue.runs.find((entry) => entry.run === run);
}

/** The reply to the last request of a route, and what it asked for. */
export function lastReply(tab, route) {
  return tab.evaluate(async (name) => {
    const urls = performance.getEntriesByType("resource").map((entry) => entry.name);
    const url = urls.findLast((each) => new URL(each).pathname.endsWith(`/${name}`));
    return { query: Object.fromEntries(new URL(url).searchParams), reply: await (await fetch(url)).json() };
  }, route);
}

/** The share of a canvas's pixels that differ from its corner: 0 where nothing is drawn. */
export function inkOf(tab, selector) {
  return tab.$eval(selector, (canvas) => {
    const copy = document.createElement("canvas");
    copy.width = canvas.width;
    copy.height = canvas.height;
    const context = copy.getContext("2d");
    context.drawImage(canvas, 0, 0);
    const { data } = context.getImageData(0, 0, copy.width, copy.height);
    let different = 0;
    for (let at = 0; at < data.length; at += 4) {
      if (data[at] !== data[0] || data[at + 1] !== data[1] || data[at + 2] !== data[2]) different += 1;
    }
    return different / (data.length / 4);
  });
}

/** The frame of the standard projector inside the tab, once it shows points. It is looked up anew each time: another step may replace it. */
export async function projectorFrame(tab, timeout = 60_000) {
  for (const end = Date.now() + timeout; Date.now() < end; await tab.waitForTimeout(100)) {
    const element = await tab.$("iframe.projector-frame");
    const frame = await element?.contentFrame();
    if (frame && (await frame.evaluate(hasPoints).catch(() => false))) return frame; // it throws while the frame is being loaded
  }
  throw new Error(`the standard projector shows no points after ${timeout} ms`);
}

function hasPoints() {
  const dashboard = document.querySelector("vz-projector-dashboard");
  const projector = dashboard?.shadowRoot?.querySelector("vz-projector");
  return (projector?.dataSet?.points?.length ?? 0) > 0;
}
