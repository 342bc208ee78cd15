// The tab on a real TensorBoard that shows demo_logs: npm run e2e with EMBFACTOR_URL set (tests/e2e/run.py starts one).
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  checkpointsOf,
  inkOf,
  openTab,
  projectorFrame,
  specOf,
  tabFrame,
  useBrowser,
  waitForMark,
  waitForPoints,
  waitForSpec,
} from "./browser.mjs";

const { opened, tabTest } = useBrowser();

const RUN = "sentiment_plain/train";
const EMBEDDING = "model/word_embedding/embeddings";
const VIEW = { run: RUN };
const FACTORS = { run: RUN, view: "factors" };
/** Chooses one of a few that stand side by side. */
const choose = (tab, name) => tab.getByRole("radio", { name, exact: true }).check();
const chooseMethod = (tab, name) => tab.getByRole("combobox", { name: "Projection" }).selectOption({ label: name });
const slider = (tab) => tab.locator(".slider input");

tabTest(
  "shows the spectrum, the numbers and the points of the latest checkpoint",
  { spec: FACTORS },
  async ({ tab }) => {
    const { checkpoints } = await checkpointsOf(tab, RUN);
    await waitForPoints(tab, { checkpoint: checkpoints.at(-1).checkpoint, method: "pca" });
    await waitForMark(tab, "embfactor:exact");
    assert.ok((await inkOf(tab, ".points-canvas")) > 0.001);
    assert.ok((await inkOf(tab, ".spectrum-plot canvas")) > 0.005);
    assert.ok((await tab.locator(".card").count()) >= 3);
    await tab.locator(".card").first().focus();
    assert.equal(await tab.locator(".tip:visible code").count(), 1);
  },
);

tabTest(
  "says how far the matrix has come from the first step and from the one before",
  { spec: { ...FACTORS, matrix: EMBEDDING } },
  async ({ page, tab }) => {
    const { checkpoints } = await checkpointsOf(tab, RUN);
    const compared = (now, then) =>
      tab.evaluate(
        async (query) => (await (await fetch(`compare?${new URLSearchParams(query)}`)).json()).measures.linear_cka,
        { run: RUN, matrix: EMBEDDING, checkpoint: now.checkpoint, checkpoint_b: then.checkpoint, wait: 30 },
      );
    const shows = (name, value) =>
      tab
        .locator(".card", { hasText: name })
        .locator(".card-value", { hasText: new RegExp(`^${value}$`) })
        .waitFor();
    await tab.getByRole("button", { name: "More", exact: true }).click();
    await shows("CKA to first step", (await compared(checkpoints.at(-1), checkpoints[0])).toFixed(3));
    await shows("CKA to previous step", (await compared(checkpoints.at(-1), checkpoints.at(-2))).toFixed(3));
    await slider(tab).focus();
    await page.keyboard.press("Home");
    for (const name of ["CKA to first step", "Procrustes to previous step"]) await shows(name, "–");
    assert.equal(
      await tab
        .locator(".card", { hasText: /CKA|Procrustes/ })
        .locator(".sparkline polyline")
        .count(),
      4,
    );
  },
);

tabTest(
  "walks through the steps by keys and keeps the step in the address",
  { spec: FACTORS },
  async ({ page, tab }) => {
    const { checkpoints } = await checkpointsOf(tab, RUN);
    await slider(tab).focus();
    await page.keyboard.press("Home");
    await waitForPoints(tab, { checkpoint: checkpoints[0].checkpoint });
    await page.keyboard.press("ArrowRight");
    await waitForPoints(tab, { checkpoint: checkpoints[1].checkpoint });
    await waitForSpec(page, "checkpoint", checkpoints[1].checkpoint);
    assert.equal(specOf(page).axes, checkpoints.at(-1).checkpoint);
    await page.reload();
    await waitForPoints(await tabFrame(page), { checkpoint: checkpoints[1].checkpoint });
  },
);

tabTest("goes back and forward through choices", { spec: FACTORS }, async ({ page, tab }) => {
  await choose(tab, "3-D");
  await waitForSpec(page, "dims", "3");
  await chooseMethod(tab, "Rows of U");
  await waitForPoints(tab, { method: "u" });
  await waitForSpec(page, "method", "u");
  await page.goBack();
  await waitForPoints(tab, { method: "pca" });
  assert.equal(specOf(page).dims, "3");
  await page.goForward();
  await waitForPoints(tab, { method: "u" });
});

for (const [key, value, said] of [
  ["matrix", "gone/kernel", "The link names the matrix gone/kernel"],
  ["checkpoint", "gone/ckpt-1", "The checkpoint gone/ckpt-1 is not there"],
]) {
  tabTest(
    `says what it shows where a link names a ${key} that is not there`,
    { spec: { ...FACTORS, [key]: value } },
    async ({ tab }) => {
      const notice = tab.locator(".notice", { hasText: said });
      await notice.waitFor();
      await notice.getByRole("button", { name: "Close this note" }).click();
      await notice.waitFor({ state: "detached" });
      await tab.getByRole("combobox", { name: "Run", exact: true }).selectOption("transformer");
      await waitForPoints(tab);
      assert.equal(await tab.locator(".notice").count(), 0);
    },
  );
}

tabTest(
  "has no way through steps where there is one only",
  { spec: { run: "article_example", view: "factors" } },
  async ({ tab }) => {
    await tab.locator(".step-text", { hasText: "Step 3,000" }).waitFor();
    assert.equal(await slider(tab).count(), 0);
    // Centred, 100 rows have 99 directions.
    await tab
      .locator(".card", { hasText: "Effective rank" })
      .locator("small", { hasText: /^ ?of 99$/ })
      .waitFor();
    assert.equal(await tab.getByRole("button", { name: "Play through the checkpoints" }).count(), 0);
  },
);

tabTest("plays to the last step and stops there", { spec: FACTORS }, async ({ page, tab }) => {
  const { checkpoints } = await checkpointsOf(tab, RUN);
  await slider(tab).focus();
  await page.keyboard.press("Home");
  for (let at = 0; at < checkpoints.length - 3; at++) await page.keyboard.press("ArrowRight");
  await tab.getByRole("button", { name: "Play through the checkpoints" }).click();
  await waitForPoints(tab, { checkpoint: checkpoints.at(-1).checkpoint });
  await tab.getByRole("button", { name: "Play through the checkpoints" }).waitFor();
});

tabTest("shows every method in two and three dimensions", { spec: FACTORS }, async ({ tab }) => {
  for (const [method, name] of [
    ["u", "Rows of U"],
    ["v", "Columns of V"],
    ["pca_of_u", "PCA of U"],
    ["pca", "PCA of W"],
  ]) {
    for (const dims of ["2-D", "3-D"]) {
      await choose(tab, dims);
      await chooseMethod(tab, name);
      await waitForPoints(tab, { method });
      await tab.waitForTimeout(200);
      assert.ok((await inkOf(tab, ".points-canvas")) > 0.0002, `${name} in ${dims}`);
    }
    if (method === "pca_of_u") assert.match(await tab.locator(".points-notes").textContent(), /axes/i);
  }
});

const CHINESE = { run: "chinese_reviews", view: "factors" };

tabTest("turns the axes, with the factors of the same method beside them", { spec: CHINESE }, async ({ tab }) => {
  for (const [method, name, title] of [
    ["varimax", "Varimax axes", "varimax"],
    ["ica", "Independent axes (ICA)", "independent"],
  ]) {
    await chooseMethod(tab, name);
    await waitForPoints(tab, { method });
    await tab.locator(".factors-of", { hasText: title }).waitFor();
    await tab.locator(".factor", { hasText: "found again" }).first().waitFor({ timeout: 60_000 });
    assert.ok((await inkOf(tab, ".points-canvas")) > 0.0002, name);
  }
});

tabTest("tells the groups of a label column apart, and says what chance would", { spec: CHINESE }, async ({ tab }) => {
  await chooseMethod(tab, "Discriminants of labels");
  await waitForPoints(tab, { method: "lda" });
  assert.equal(await tab.getByRole("combobox", { name: "Tell apart" }).inputValue(), "topic");
  await tab.locator(".points-notes", { hasText: /tell \d groups apart.*random groups/ }).waitFor();
});

tabTest("draws the line from one row to another", { spec: CHINESE }, async ({ page, tab }) => {
  await tab.locator(".factor").first().waitFor();
  await chooseMethod(tab, "Line between rows");
  await waitForPoints(tab, { method: "line" });
  const ends = () => new URL(page.url()).hash.match(/between=(\d+)%7C(\d+)/)?.slice(1) ?? [];
  await page.waitForFunction(() => /between=\d+%7C\d+/.test(location.hash));
  const [from, to] = ends();
  await tab.locator(".factor-end.positive button").nth(4).click();
  await tab.locator(".line-end").first().click();
  await page.waitForFunction((earlier) => !location.hash.includes(`between=${earlier}%7C`), from);
  assert.equal(ends()[1], to);
});

tabTest("maps neighbours, and says how faithfully", { spec: CHINESE }, async ({ tab }) => {
  await chooseMethod(tab, "t-SNE");
  await waitForPoints(tab, { method: "tsne" });
  await tab.getByRole("button", { name: "How faithful is this picture?" }).click();
  const kept = tab.locator(".points-notes", { hasText: /trustworthiness 0\.9\d+, continuity 0\.9\d+/ });
  await kept.waitFor({ timeout: 60_000 });
});

test("offers activated rows where parts cannot be negative", { timeout: 120_000 }, async () => {
  const { page, tab } = await openTab(opened.browser, { spec: { ...CHINESE, method: "nmf" }, wait: false });
  await tab.getByRole("button", { name: "Take the activated rows" }).first().click();
  await waitForSpec(page, "transform", "relu");
  await waitForPoints(tab, { method: "nmf" });
  await page.close();
});

tabTest(
  "lists the factors with their rows; choosing one colours the points by its score",
  { spec: FACTORS },
  async ({ page, tab }) => {
    const first = tab.locator(".factor").first();
    await first.waitFor();
    const ends = await first.locator(".factor-end").allTextContents();
    assert.ok(
      ends.some((words) => /excellent|perfect/.test(words)) && ends.some((words) => /worst|awful/.test(words)),
      ends,
    );
    await first.locator(".factor-head button").click();
    await waitForSpec(page, "colour", "@factor-1");
    await tab.locator(".colour-row", { hasText: "Score on factor 1" }).locator(".ramp").waitFor();
    await first.locator(".footnote", { hasText: /^Heaviest columns: \d+ \(−?0\.\d+\), / }).waitFor();
    // The row with the most of it stands farthest out on the axis that it is.
    const { top, farthest } = await tab.evaluate(async () => {
      const urls = performance.getEntriesByType("resource").map(({ name }) => name);
      const asked = urls.findLast((url) => url.includes("/factors?"));
      const checkpoint = new URL(asked).searchParams.get("checkpoint");
      const { factors } = await (await fetch(asked)).json();
      const isSame = (url) => url.includes("/points?") && new URL(url).searchParams.get("checkpoint") === checkpoint;
      const buffer = await (await fetch(urls.find(isSame))).arrayBuffer();
      const length = Number(new DataView(buffer).getBigUint64(0, true));
      const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
      const [start, end] = header.points.data_offsets;
      const [n, k] = header.points.shape;
      const points = new Float32Array(buffer.slice(8 + length + start, 8 + length + end));
      const scores = Array.from({ length: n }, (_, row) => points[row * k]);
      return {
        top: factors[0].top[0],
        farthest: { row: scores.indexOf(Math.max(...scores)), score: Math.max(...scores) },
      };
    });
    assert.equal(top.row, farthest.row);
    assert.ok(Math.abs(top.score - farthest.score) < 1e-4 * Math.abs(top.score));
    await first.locator(".factor-head button").click();
    await waitForSpec(page, "colour", "@none");
  },
);

tabTest("shows which factors the selected rows have", { spec: FACTORS }, async ({ tab }) => {
  const first = tab.locator(".factor").first();
  await first.locator(".factor-end.positive button").first().click();
  await tab.locator(".chip").waitFor();
  await first.locator(".carried b", { hasText: /^\+[2-9]/ }).waitFor();
  assert.equal(await tab.locator(".factor .carried").count(), await tab.locator(".factor").count());
});

tabTest(
  "draws a rule for how many directions to keep on the spectrum that it looks at",
  { spec: FACTORS },
  async ({ page, tab }) => {
    await tab.getByRole("button", { name: "Directions to keep" }).click();
    const rule = (name) => tab.locator(".rule", { hasText: name });
    const isDrawn = async (name) => (await rule(name).getAttribute("aria-pressed")) === "true";
    assert.deepEqual([await isDrawn("Tracy–Widom"), await isDrawn("optimal hard threshold")], [true, false]);
    const before = await inkOf(tab, ".spectrum-plot canvas");
    await rule("Tracy–Widom").click();
    await waitForSpec(page, "rules", "gavish_donoho");
    assert.notEqual(await inkOf(tab, ".spectrum-plot canvas"), before);
    await rule("optimal hard threshold").click();
    await waitForSpec(page, "centered", "false");
    assert.deepEqual([await isDrawn("Tracy–Widom"), await isDrawn("optimal hard threshold")], [false, true]);
    await rule("optimal hard threshold").hover();
    assert.match(await tab.locator(".tip:visible").textContent(), /Assumes: .*low rank.*Gavish/s);
  },
);

tabTest("tells what pruning would cost", { spec: FACTORS }, async ({ page, tab }) => {
  await tab.getByRole("button", { name: "Pruning" }).click();
  const panel = tab.locator(".sparsity");
  await panel.locator("p", { hasText: /can be set to zero at an error of 10\.0 %/ }).waitFor({ timeout: 30_000 });
  assert.ok((await panel.locator("polyline").getAttribute("points")).split(" ").length > 50);
  await page.keyboard.press("Escape");
  await panel.waitFor({ state: "hidden" });
});

tabTest(
  "shows rows of length 1, and the activated rows of a layer with a bias",
  { spec: FACTORS },
  async ({ page, tab }) => {
    const transforms = tab.getByRole("combobox", { name: "Rows" });
    const asked = () =>
      tab.evaluate(async () => {
        const entries = performance.getEntriesByType("resource").filter(({ name }) => name.includes("/points?"));
        return new URL(entries.at(-1).name).searchParams.get("transform");
      });
    await transforms.selectOption("unit_rows");
    await waitForSpec(page, "transform", "unit_rows");
    await waitForPoints(tab, { method: "pca" });
    assert.equal(await asked(), "unit_rows");
    const offered = await transforms.locator("option").allTextContents();
    assert.ok(offered.includes("Without the top direction") && !offered.some((name) => name.includes("b)")), offered);
    await tab.getByRole("combobox", { name: "Matrix" }).selectOption("model/hidden/kernel");
    await waitForSpec(page, "matrix", "model/hidden/kernel");
    assert.equal(specOf(page).transform, undefined);
    await transforms.selectOption("bias,relu");
    await waitForPoints(tab, { method: "pca" });
    await tab.locator(".card", { hasText: "Mean cosine" }).waitFor();
    // Rows without a negative value have no negative cosine.
    assert.ok(Number(await tab.locator(".card", { hasText: "Mean cosine" }).locator(".card-value").textContent()) > 0);
  },
);

tabTest("finds a token and selects it", { spec: FACTORS }, async ({ page, tab }) => {
  const box = tab.getByRole("combobox", { name: "Search tokens" });
  await box.fill("=good");
  const options = tab.locator(".search-list").getByRole("option");
  await options.first().waitFor();
  assert.equal(await options.count(), 1);
  await page.keyboard.press("Enter");
  await tab.locator(".chip", { hasText: "good" }).waitFor();
  await tab.locator(".chip").click();
  assert.equal(await tab.locator(".chip").count(), 0);
});

tabTest(
  "says the label of the point under the pointer and selects it by a click",
  { spec: FACTORS },
  async ({ tab }) => {
    await tab.waitForTimeout(300);
    const host = tab.locator(".points-host");
    const box = await host.boundingBox();
    let found = false;
    for (let turn = 0; turn < 200 && !found; turn++) {
      const x = box.width * (0.3 + (0.4 * (turn % 20)) / 20);
      const y = box.height * (0.4 + (0.2 * Math.floor(turn / 20)) / 10);
      await host.hover({ position: { x, y } });
      await tab.waitForTimeout(30);
      found = (await tab.locator(".hover-tip b").count()) > 0;
      if (found) await host.click({ position: { x, y } });
    }
    assert.ok(found);
    await tab.locator(".chip").waitFor();
  },
);

tabTest("reads the spectrum by keys, on a linear and a logarithmic index", { spec: FACTORS }, async ({ page, tab }) => {
  await tab.locator(".spectrum-plot").focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  assert.match(await tab.locator(".readout").textContent(), /σ2 = .*%/s);
  await choose(tab, "Log");
  await waitForSpec(page, "index", "log");
  await choose(tab, "As stored");
  await waitForSpec(page, "centered", "false");
  assert.ok((await inkOf(tab, ".spectrum-plot canvas")) > 0.005);
});

tabTest(
  "shows the standard projector beside it, on the same data",
  { spec: VIEW, width: 1700, height: 900 },
  async ({ tab }) => {
    const { checkpoints } = await checkpointsOf(tab, RUN);
    const catalogue = await tab.evaluate(() => fetch("catalogue").then((reply) => reply.json()));
    const [matrix] = catalogue.signatures[checkpoints.at(-1).signature];
    const projector = await projectorFrame(tab);
    const shown = await projector.evaluate(() => {
      const element = document.querySelector("vz-projector-dashboard").shadowRoot.querySelector("vz-projector");
      return element.dataSet.points.length;
    });
    assert.equal(shown, matrix.shape[0]);
    await tab.locator(".figures", { hasText: "Exact share of three components" }).waitFor({ timeout: 30_000 });
    await tab.locator(".figures", { hasText: /Its own figure is [\d.]+ %/ }).waitFor({ timeout: 30_000 });
  },
);

tabTest(
  "shows the standard projector alone",
  { spec: { run: RUN, view: "projector" }, wait: false },
  async ({ tab }) => {
    const projector = await projectorFrame(tab);
    const hasPanels = () =>
      projector.evaluate(() => {
        const element = document.querySelector("vz-projector-dashboard").shadowRoot.querySelector("vz-projector");
        return element.shadowRoot.querySelector("#left-pane").offsetWidth > 0;
      });
    assert.equal(await hasPanels(), false);
    await tab.getByRole("button", { name: "Side panels" }).click();
    await projector.waitForFunction(() => {
      const element = document.querySelector("vz-projector-dashboard").shadowRoot.querySelector("vz-projector");
      return element.shadowRoot.querySelector("#left-pane").offsetWidth > 0;
    });
  },
);

tabTest(
  "takes the standard projector along to another step",
  { spec: VIEW, width: 1700, height: 900 },
  async ({ page, tab }) => {
    await projectorFrame(tab);
    const before = await tab.locator(".projector-frame").getAttribute("src");
    await slider(tab).focus();
    await page.keyboard.press("Home");
    await tab.waitForFunction((src) => document.querySelector(".projector-frame").getAttribute("src") !== src, before);
    await projectorFrame(tab);
    assert.equal(await tab.locator(".projector-frame").count(), 1);
  },
);

tabTest(
  "links the selection with the standard projector both ways",
  { spec: VIEW, width: 1700, height: 900 },
  async ({ page, tab }) => {
    const projector = await projectorFrame(tab);
    await tab.waitForTimeout(600);
    await tab.getByRole("combobox", { name: "Search tokens" }).fill("=good");
    await page.keyboard.press("Enter");
    await projector.waitForFunction(() => {
      const element = document.querySelector("vz-projector-dashboard").shadowRoot.querySelector("vz-projector");
      return element.selectedPointIndices.length === 1;
    });
    await projector.evaluate(() => {
      const element = document.querySelector("vz-projector-dashboard").shadowRoot.querySelector("vz-projector");
      element.notifySelectionChanged([1, 2, 3]);
    });
    await tab.locator(".chips", { hasText: "3 selected" }).waitFor();
  },
);

tabTest("follows the dark mode of TensorBoard", { spec: FACTORS }, async ({ page, tab }) => {
  const theme = () => tab.evaluate(() => document.documentElement.dataset.theme);
  const ground = () => tab.$eval(".panel", (panel) => getComputedStyle(panel).backgroundColor);
  const before = [await theme(), await ground()];
  await page.evaluate(() => document.body.classList.toggle("dark-mode"));
  await tab.waitForFunction((earlier) => document.documentElement.dataset.theme !== earlier, before[0]);
  assert.notEqual(await ground(), before[1]);
});

tabTest("survives being hidden behind another tab", { spec: { ...FACTORS, dims: "3" } }, async ({ page, tab }) => {
  await page
    .getByRole("tab", { name: /scalars/i })
    .first()
    .click();
  await page.waitForTimeout(800);
  await page
    .getByRole("tab", { name: /embedding factors/i })
    .first()
    .click();
  await waitForPoints(tab);
  await page.waitForTimeout(300);
  assert.ok((await inkOf(tab, ".points-canvas")) > 0.0002);
  assert.equal(specOf(page).dims, "3");
});

for (const [width, height, nPanels] of [
  [900, 1000, 3],
  [1280, 720, 3],
  [1280, 1000, 3],
  [1600, 1000, 4],
  [2560, 1300, 4],
]) {
  tabTest(`fits ${width} × ${height} pixels`, { spec: VIEW, width, height }, async ({ tab }) => {
    const { inner, scroll } = await tab.evaluate(() => ({
      inner: window.innerWidth,
      scroll: document.scrollingElement.scrollWidth,
    }));
    assert.ok(scroll <= inner, `${scroll} > ${inner}`);
    const panels = await tab.locator(".panel:visible").count();
    assert.equal(panels, nPanels);
    const low = await tab.$$eval(".panel", (all) =>
      all.filter((panel) => panel.clientHeight > 0).map((panel) => panel.clientHeight),
    );
    assert.ok(Math.min(...low) > 150);
  });
}
