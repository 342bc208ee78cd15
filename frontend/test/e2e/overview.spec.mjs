// The first screen on a real TensorBoard that shows demo_logs, by mouse, by keys, in both languages, and under axe.
import assert from "node:assert/strict";
import {
  accessibilityFaults,
  checkpointsOf,
  isFocused,
  specOf,
  useBrowser,
  waitForPoints,
  waitForSpec,
} from "./browser.mjs";

const RUN = "sentiment_plain/train";
const COLLAPSED = "collapsed";

const { tabTest } = useBrowser({ wait: false });

const rows = (tab) => tab.locator(".overview-table tbody tr");
/** Waits until every row has its verdict. */
const waitForVerdicts = (tab) =>
  tab.waitForFunction(
    () => {
      const all = [...document.querySelectorAll(".overview-table tbody tr")];
      return all.length > 0 && all.every((row) => row.querySelector(".verdict-short b"));
    },
    undefined,
    { timeout: 60_000 },
  );
const overviewOf = (tab, roles = "embedding") =>
  tab.evaluate(async (chosen) => (await fetch(`overview?roles=${chosen}`)).json(), roles);

tabTest("lists every embedding of every run in the server's order, with its verdict", {}, async ({ tab }) => {
  await waitForVerdicts(tab);
  const { items } = await overviewOf(tab);
  assert.ok(items.length >= 2);
  const names = await tab.$$eval(".overview-table tbody .run-name", (all) => all.map((name) => name.textContent));
  assert.deepEqual(
    names,
    items.map(({ run }) => run),
  );
  const [first] = items;
  const text = await rows(tab).first().textContent();
  assert.ok(text.includes(first.shape.map((n) => n.toLocaleString("en")).join(" × ")), text);
  assert.match(text, new RegExp(`of ${Math.min(first.shape[0] - 1, first.shape[1])}`));
  const nTrends = items.filter(({ n_checkpoints }) => n_checkpoints > 1).length;
  // Lines are drawn when the steps between are known, which is after the verdicts.
  const allTrends = (n) => document.querySelectorAll(".overview-table tbody .trend").length === n;
  await tab.waitForFunction(allTrends, nTrends, { timeout: 60_000 });
});

tabTest("opens a view by a click and comes back to the row by the browser's button", {}, async ({ page, tab }) => {
  await waitForVerdicts(tab);
  await rows(tab).filter({ hasText: RUN }).first().click();
  const { checkpoints } = await checkpointsOf(tab, RUN);
  await waitForPoints(tab, { checkpoint: checkpoints.at(-1).checkpoint });
  await waitForSpec(page, "run", RUN);
  await page.goBack();
  await rows(tab).first().waitFor();
  assert.equal(specOf(page).run, undefined);
  await page.goForward();
  await waitForPoints(tab, { checkpoint: checkpoints.at(-1).checkpoint });
});

tabTest(
  "goes from the overview to the collapsed run, to its step 0 and back by keys alone",
  {},
  async ({ page, tab }) => {
    await waitForVerdicts(tab);
    const pressUntil = async (key, selector) => {
      const isThere = () => tab.evaluate((wanted) => document.activeElement?.matches(wanted) ?? false, selector);
      for (let presses = 0; presses < 30 && !(await isThere()); presses++) await page.keyboard.press(key);
      assert.ok(await isThere(), selector);
    };
    const focusedAt = () =>
      tab.evaluate(() => Number(document.activeElement.closest("[data-row]")?.getAttribute("data-row")));
    await tab.locator("body").focus();
    await pressUntil("Tab", ".row-link");
    await page.keyboard.press("End");
    await tab.waitForFunction(
      (last) => document.activeElement?.closest("[data-row]")?.getAttribute("data-row") === String(last),
      (await rows(tab).count()) - 1,
    );
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowDown");
    assert.equal(await focusedAt(), 1);
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter");

    await isFocused(tab, ".slider input");
    const { checkpoints } = await checkpointsOf(tab, COLLAPSED);
    await waitForPoints(tab, { checkpoint: checkpoints.at(-1).checkpoint });
    await tab.locator(".verdict .finding.bad", { hasText: /^Collapsed to about \d+ of 32 directions/ }).waitFor();
    await tab.locator(".slider-note", { hasText: "Drag to step 0 to see it happen" }).waitFor();
    await page.keyboard.press("Home");
    await waitForPoints(tab, { checkpoint: checkpoints[0].checkpoint });
    assert.equal(checkpoints[0].step, 0);
    await tab.locator(".verdict .finding.calm", { hasText: "As initialised" }).waitFor();

    await pressUntil("Shift+Tab", ".back");
    await page.keyboard.press("Enter");
    await isFocused(tab, ".row-link");
    assert.equal(await focusedAt(), 0);
  },
);

tabTest("shows the collapsed run unasked, and leads to it", {}, async ({ tab }) => {
  const lead = tab.locator(".lead");
  await lead.locator("h2", { hasText: /^Collapsed to about \d+ of 32 directions/ }).waitFor({ timeout: 60_000 });
  assert.match(await lead.textContent(), /Then drag to step 0 to see it happen\./);
  await lead.getByRole("link", { name: "Open its last step" }).click();
  const { checkpoints } = await checkpointsOf(tab, COLLAPSED);
  await waitForPoints(tab, { checkpoint: checkpoints.at(-1).checkpoint });
});

tabTest("filters by name, run and kind, and keeps that in the address", {}, async ({ page, tab }) => {
  await waitForVerdicts(tab);
  const total = await rows(tab).count();
  await tab.getByRole("textbox", { name: "Find a run or matrix" }).fill("FACTORIZED");
  await tab.waitForFunction((n) => document.querySelectorAll(".overview-table tbody tr").length < n, total);
  assert.ok((await rows(tab).allTextContents()).every((text) => text.includes("factorized")));
  await waitForSpec(page, "find", "FACTORIZED");
  await tab.getByRole("button", { name: "Clear" }).click();
  await tab.getByRole("combobox", { name: "Run" }).selectOption(RUN);
  await tab.waitForFunction((n) => document.querySelectorAll(".overview-table tbody tr").length < n, total);
  assert.ok((await rows(tab).allTextContents()).every((text) => text.includes("sentiment_plain")));
  await tab.getByRole("checkbox", { name: "Dense layers" }).check();
  await rows(tab).filter({ hasText: "hidden" }).waitFor();
  await waitForSpec(page, "roles", "embedding,kernel");
  await page.reload();
  const again = await (await page.waitForSelector('iframe[src*="name=embfactor"]')).contentFrame();
  await rows(again).filter({ hasText: "hidden" }).waitFor();
  assert.ok((await rows(again).allTextContents()).every((text) => text.includes("sentiment_plain")));
});

tabTest("sorts by a column, and the other way round", {}, async ({ page, tab }) => {
  await waitForVerdicts(tab);
  const shares = () =>
    tab.$$eval(".overview-table tbody tr", (all) =>
      all.map((row) => {
        const [rank, most] = row.cells[3].textContent.split(" of ").map(Number);
        return rank / most;
      }),
    );
  await tab.getByRole("button", { name: "Effective rank" }).click();
  await waitForSpec(page, "sort", "rank");
  const upward = await shares();
  assert.deepEqual(
    upward,
    [...upward].sort((a, b) => a - b),
  );
  await tab.getByRole("button", { name: "Effective rank" }).click();
  assert.deepEqual(await shares(), [...upward].reverse());
  const column = tab.locator(".overview-table th", { hasText: "Effective rank" });
  assert.equal(await column.getAttribute("aria-sort"), "descending");
});

tabTest("gives runs the colours that TensorBoard gives them", {}, async ({ page, tab }) => {
  await waitForVerdicts(tab);
  const ours = await tab.$$eval(".overview-table .run-name", (all) =>
    Object.fromEntries(all.map((name) => [name.textContent, name.querySelector("i").style.background])),
  );
  await page.getByRole("tab", { name: /time series/i }).click();
  const theirs = await page.waitForFunction(
    (runs) => {
      const rows = [...document.querySelectorAll("tb-data-table-content-row")];
      const colours = rows.map((row) => [
        runs.find((run) => row.textContent.trim() === run),
        row.querySelector('[style*="background"]')?.style.background,
      ]);
      const found = Object.fromEntries(colours.filter(([run, colour]) => run && colour));
      return runs.every((run) => run in found) && found;
    },
    Object.keys(ours),
    { timeout: 30_000 },
  );
  assert.deepEqual(ours, await theirs.jsonValue());
});

tabTest(
  "says where a link led that names a run which is not there",
  { spec: { run: "gone" } },
  async ({ page, tab }) => {
    await tab.locator(".notice", { hasText: "gone" }).waitFor();
    await waitForVerdicts(tab);
    await page.waitForFunction(() => !location.hash.includes("gone"));
  },
);

tabTest("does not search while an input method composes", {}, async ({ page, tab }) => {
  await waitForVerdicts(tab);
  const total = await rows(tab).count();
  await tab.locator(".overview-find input").focus();
  const session = await page.context().newCDPSession(page);
  await session.send("Input.imeSetComposition", { text: "ping", selectionStart: 4, selectionEnd: 4 });
  await tab.waitForFunction(() => document.querySelector(".overview-find input").value === "ping");
  await tab.waitForTimeout(200);
  assert.equal(await rows(tab).count(), total);
  await session.send("Input.insertText", { text: "评论" });
  await tab.waitForFunction(() => document.querySelectorAll(".overview-table tbody tr").length === 0);
  await waitForSpec(page, "find", "评论");
});

tabTest("speaks Chinese to a Chinese browser, and English when asked", { locale: "zh-CN" }, async ({ page, tab }) => {
  await tab.getByRole("heading", { name: "总览" }).waitFor();
  await waitForVerdicts(tab);
  assert.equal(await tab.evaluate(() => document.documentElement.lang), "zh-CN");
  await tab.getByRole("combobox", { name: "语言" }).selectOption("en");
  await tab.getByRole("heading", { name: "Overview" }).waitFor();
  assert.equal(await tab.evaluate(() => document.documentElement.lang), "en");
  await page.reload();
  const again = await (await page.waitForSelector('iframe[src*="name=embfactor"]')).contentFrame();
  await again.getByRole("heading", { name: "Overview" }).waitFor();
});

for (const beside of ["factors", "nearest", "compare"]) {
  const options = { locale: "zh-CN", spec: { run: RUN, view: "factors", beside }, wait: true };
  tabTest(`has the whole view in Chinese, with ${beside}`, options, async ({ tab }) => {
    await tab.locator(".verdict .finding").waitFor();
    if (beside === "factors") await tab.locator(".factor").first().waitFor();
    if (beside === "nearest") await tab.locator(".panel-beside .note").waitFor();
    if (beside === "compare") await tab.locator(".row-list .row-button").first().waitFor({ timeout: 60_000 });
    await tab.getByRole("combobox", { name: "各行", exact: true }).selectOption({ label: "其他步骤……" });
    await tab.locator(".steps-offered").waitFor();
    const english = await tab.evaluate(() => {
      // Names of formats, programs and signs stay as they are.
      const known =
        /^(TensorBoard|Embedding|Projector|English|W|U|V|X|Y|Z|PC|polarity|tsv|metadata|ReLU|GELU|ELU|SiLU|leaky|sigmoid|softplus|tanh|Varimax|ICA|NMF|LDA|SNE|UMAP|Tracy|Widom|CKA|SVCCA|PWCCA|Procrustes|σ)$/;
      const skipped =
        ".points-area, .projector-frame, .run, .matrix, .other-tools select, .legend, .colour-row select, .tip .source, .tip code, .work-task, .row-button";
      const walker = document.createTreeWalker(document.querySelector("#embfactor"), NodeFilter.SHOW_TEXT);
      const found = [];
      while (walker.nextNode()) {
        const { parentElement, data } = walker.currentNode;
        if (parentElement.closest(skipped)) continue;
        const words = data.match(/[A-Za-z]{3,}/g) ?? [];
        found.push(...words.filter((word) => !known.test(word)));
      }
      return found;
    });
    assert.deepEqual(english, []);
  });
}

tabTest(
  "hints go away when they were followed, and come back on request",
  { wait: true, spec: { run: RUN } },
  async ({ page, tab }) => {
    await tab.locator(".points-frame .hint").waitFor();
    await tab.locator(".points-host").click({ position: { x: 5, y: 60 } });
    await tab.locator(".points-frame .hint").waitFor({ state: "detached" });
    await page.reload();
    const again = await (await page.waitForSelector('iframe[src*="name=embfactor"]')).contentFrame();
    await waitForPoints(again);
    assert.equal(await again.locator(".points-frame .hint").count(), 0);
    await again.getByRole("button", { name: "Show hints" }).click();
    await again.locator(".points-frame .hint").getByRole("button", { name: "Close this hint" }).click();
    await again.locator(".points-frame .hint").waitFor({ state: "detached" });
  },
);

for (const theme of ["light", "dark"]) {
  for (const [name, spec] of [
    ["overview", {}],
    ["view", { run: RUN, view: "factors" }],
  ]) {
    tabTest(`the ${name} has no serious accessibility fault, ${theme}`, { spec }, async ({ page, tab }) => {
      await page.evaluate((dark) => document.body.classList.toggle("dark-mode", dark), theme === "dark");
      if (name === "overview") await waitForVerdicts(tab);
      else await waitForPoints(tab);
      await tab.locator(name === "overview" ? ".lead h2" : ".verdict .finding").waitFor();
      assert.deepEqual(await accessibilityFaults(tab), []);
    });
  }
}

for (const width of [900, 1280, 1600, 2560]) {
  tabTest(`the overview fits ${width} pixels`, { width, height: 900 }, async ({ tab }) => {
    await waitForVerdicts(tab);
    const { inner, scroll } = await tab.$eval(".overview", (page) => ({
      inner: page.clientWidth,
      scroll: page.scrollWidth,
    }));
    assert.ok(scroll <= inner, `${scroll} > ${inner}`);
    const cut = await tab.$$eval(".overview-table tbody tr:first-child .number, .lead h2", (all) =>
      all.filter((element) => element.scrollWidth > element.clientWidth + 1).map((element) => element.textContent),
    );
    assert.deepEqual(cut, []);
  });
}
