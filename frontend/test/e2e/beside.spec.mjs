// What stands beside the points, on a real TensorBoard that shows demo_logs.
import assert from "node:assert/strict";
import {
  accessibilityFaults,
  checkpointsOf,
  isFocused,
  lastReply,
  specOf,
  useBrowser,
  waitForPoints,
  waitForSpec,
} from "./browser.mjs";

const { tabTest } = useBrowser();

const RUN = "sentiment_plain/train";
const FACTORS = { run: RUN, view: "factors" };
const beside = (tab, name) => tab.getByRole("radio", { name, exact: true }).check();
const measure = (tab, name) => tab.locator(".measure", { hasText: name }).locator("b").first();
tabTest(
  "compares a step with the first one; a press on a row of the most changed selects it",
  { spec: FACTORS },
  async ({ page, tab }) => {
    const { checkpoints } = await checkpointsOf(tab, RUN);
    await beside(tab, "Compare");
    await waitForSpec(page, "beside", "compare");
    const rows = tab.locator(".row-list .row-button");
    await rows.first().waitFor({ timeout: 60_000 });
    const { query, reply } = await lastReply(tab, "compare");
    assert.deepEqual(
      [query.checkpoint, query.run_b, query.checkpoint_b, query.match],
      [checkpoints.at(-1).checkpoint, RUN, checkpoints[0].checkpoint, "index"],
    );
    assert.equal(await measure(tab, "linear CKA").textContent(), reply.measures.linear_cka.toFixed(3));
    assert.equal(await tab.locator(".angles i").count(), reply.measures.principal_angles.length);
    const numbers = await rows.locator("b").allTextContents();
    assert.deepEqual(
      [...numbers].sort((a, b) => b - a),
      numbers,
    );
    await rows.nth(1).click();
    await tab.locator(".chip", { hasText: await rows.nth(1).locator(".row-name").textContent() }).waitFor();
    await tab.getByRole("button", { name: /^Select these \d+$/ }).click();
    await tab.locator(".chips", { hasText: `${numbers.length} selected` }).waitFor();

    await tab.getByRole("combobox", { name: "Step of the other" }).selectOption(checkpoints.at(-2).checkpoint);
    await waitForSpec(page, "with_checkpoint", checkpoints.at(-2).checkpoint);
    await tab.waitForFunction(
      (before) => Number(document.querySelector(".measure b").textContent) > before,
      reply.measures.linear_cka + 0.2,
      { timeout: 60_000 },
    );
  },
);

tabTest("compares two runs by label, by keys alone", { spec: FACTORS }, async ({ page, tab }) => {
  await tab.getByRole("radio", { name: "Factors", exact: true }).nth(1).focus();
  for (const shown of ["nearest", "compare"]) {
    await page.keyboard.press("ArrowRight");
    await waitForSpec(page, "beside", shown);
  }
  await tab.getByRole("combobox", { name: "Run of the other" }).selectOption("sentiment_factorized");
  await waitForSpec(page, "with_run", "sentiment_factorized");
  assert.equal(await tab.getByRole("radio", { name: "By label" }).isChecked(), true);
  await tab.locator(".row-list .row-button").first().waitFor({ timeout: 60_000 });
  const { query, reply } = await lastReply(tab, "compare");
  assert.deepEqual([query.run_b, query.match], ["sentiment_factorized", "label"]);
  assert.ok(reply.rows_matched > 900 && reply.measures.linear_cka > 0.5, JSON.stringify(reply.measures));
  await tab.locator(".row-list .row-button").first().focus();
  await tab.locator(".hover-tip").waitFor();
  await page.keyboard.press("Enter");
  await tab.locator(".chip").waitFor();
  await page.reload();
  await page.waitForTimeout(500);
  assert.equal(specOf(page).with_run, "sentiment_factorized");
});

tabTest(
  "says why two matrices cannot be compared, and goes on where they can",
  {
    spec: {
      ...FACTORS,
      matrix: "model/hidden/kernel",
      transform: "bias",
      beside: "compare",
      with_matrix: "model/word_embedding/embeddings",
    },
  },
  async ({ tab, errors }) => {
    const panel = tab.locator(".panel-beside");
    await panel.getByRole("alert").filter({ hasText: "no bias" }).waitFor({ timeout: 60_000 });
    // The browser itself complains of such a reply.
    assert.ok(errors.every((text) => /status of 4\d\d/.test(text)));
    errors.length = 0;
    await tab.getByRole("combobox", { name: "Rows" }).selectOption("");
    await panel.locator(".footnote", { hasText: "32 rows in common" }).waitFor({ timeout: 60_000 });
  },
);

/** The rows nearest to one, found here from the rows themselves. */
const nearestOf = (tab, names, row, metric) =>
  tab.evaluate(
    async ([where, chosen, distance]) => {
      const url = `rows?${new URLSearchParams({ ...where, start: 0, stop: 1000 })}`;
      const buffer = await (await fetch(url)).arrayBuffer();
      const length = Number(new DataView(buffer).getBigUint64(0, true));
      const [{ data_offsets, shape }] = Object.entries(
        JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length))),
      )
        .filter(([name]) => name !== "__metadata__")
        .map(([, entry]) => entry);
      const values = new Float32Array(buffer.slice(8 + length + data_offsets[0], 8 + length + data_offsets[1]));
      const [n, d] = shape;
      const rowOf = (at) => values.subarray(at * d, (at + 1) * d);
      const dot = (a, b) => a.reduce((sum, value, at) => sum + value * b[at], 0);
      const own = rowOf(chosen);
      const far = (other) =>
        distance === "cosine"
          ? 1 - dot(own, other) / Math.sqrt(dot(own, own) * dot(other, other))
          : Math.sqrt(own.reduce((sum, value, at) => sum + (value - other[at]) ** 2, 0));
      const others = Array.from({ length: n }, (_, at) => at).filter((at) => at !== chosen);
      return others.map((at) => ({ row: at, distance: far(rowOf(at)) })).sort((a, b) => a.distance - b.distance);
    },
    [names, row, metric],
  );

tabTest(
  "lists the rows nearest to the selected one; a press on one goes on from there",
  { spec: FACTORS },
  async ({ page, tab }) => {
    const panel = tab.locator(".panel-beside");
    await tab.locator(".factor-end.positive .row-button").first().click();
    await tab.getByRole("button", { name: "Nearest rows" }).click();
    await waitForSpec(page, "beside", "nearest");
    for (const [name, metric] of [
      ["Cosine", "cosine"],
      ["Euclidean", "euclidean"],
    ]) {
      await beside(panel, name);
      await tab.waitForFunction(
        (wanted) => performance.getEntriesByType("resource").some((entry) => entry.name.includes(`metric=${wanted}`)),
        metric,
      );
      await panel.locator(".row-list .row-button").nth(9).waitFor({ timeout: 60_000 });
      const { query, reply } = await lastReply(tab, "neighbors");
      const [found] = reply.queries;
      const { run, checkpoint, matrix } = query;
      const expected = (await nearestOf(tab, { run, checkpoint, matrix }, found.row, metric)).slice(0, 10);
      assert.equal(query.metric, metric);
      assert.deepEqual(
        found.neighbors.map(({ row }) => row),
        expected.map(({ row }) => row),
      );
      for (const [at, { distance }] of found.neighbors.entries()) {
        assert.ok(Math.abs(distance - expected[at].distance) < 1e-5 * Math.max(1, distance), `${metric} ${at}`);
      }
    }
    const near = await panel.locator(".row-list .row-name").first().textContent();
    await panel.locator(".row-list .row-button").first().focus();
    await page.keyboard.press("Enter");
    await panel.locator(".list-head b", { hasText: near }).waitFor({ timeout: 60_000 });
    await isFocused(tab, ".row-list .row-button");
    await tab.locator(".chip", { hasText: near }).waitFor();
    await panel.getByRole("button", { name: "Select these 10 too" }).click();
    await tab.locator(".chips", { hasText: "11 selected" }).waitFor();
    await panel.locator(".list-head").nth(4).waitFor({ timeout: 60_000 });
    assert.equal(await panel.locator(".list-head").count(), 5);
    assert.deepEqual(await accessibilityFaults(tab), []);
    await tab.getByRole("button", { name: "Clear selection" }).click();
    await panel.getByText("Select a row (search, or click a point)").waitFor();
  },
);

tabTest(
  "names columns where columns are factored, and rows where the points are columns",
  { spec: { ...FACTORS, transform: "transpose", beside: "nearest" } },
  async ({ page, tab }) => {
    await tab.getByRole("combobox", { name: "Search tokens" }).fill("3");
    await page.keyboard.press("Enter");
    await tab.locator(".chip", { hasText: "column 3" }).waitFor();
    const near = tab.locator(".row-list .row-button");
    await near.nth(9).waitFor({ timeout: 60_000 });
    assert.match((await near.allTextContents()).join(" "), /^(column \d+\S* ?){10}$/);
    await near.first().click();
    await tab.locator(".chip", { hasText: /^column \d+$/ }).waitFor();
    await beside(tab.locator(".panel-beside"), "Factors");
    await tab.locator(".factor-head button").first().click();
    await tab.locator(".colour-row", { hasText: "Score on factor 1" }).locator(".ramp").waitFor();
    assert.equal(await tab.locator(".carried").count(), await tab.locator(".factor").count());
    await tab.locator(".factor .footnote", { hasText: /^Heaviest rows: (worst|perfect|excellent|waste) / }).waitFor();

    await tab.getByRole("combobox", { name: "Rows", exact: true }).selectOption("");
    await tab.getByRole("combobox", { name: "Projection" }).selectOption("v");
    await waitForPoints(tab, { method: "v" });
    const words = tab.locator(".factor").first().locator(".row-button");
    await words.filter({ hasText: "worst" }).waitFor();
    await words.first().hover();
    await tab.waitForTimeout(300);
    assert.equal(await tab.locator(".hover-tip").count(), 0);
  },
);

for (const theme of ["light", "dark"]) {
  tabTest(
    `the comparison has no serious accessibility fault, ${theme}`,
    { spec: { ...FACTORS, beside: "compare" } },
    async ({ page, tab }) => {
      await page.evaluate((dark) => document.body.classList.toggle("dark-mode", dark), theme === "dark");
      await tab.locator(".row-list .row-button").first().waitFor({ timeout: 60_000 });
      await tab.locator(".row-list .row-button").first().click();
      assert.deepEqual(await accessibilityFaults(tab), []);
    },
  );
}
