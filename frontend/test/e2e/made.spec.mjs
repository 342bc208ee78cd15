// Matrices made of others and steps of one's own, on a real TensorBoard that shows demo_logs.
import assert from "node:assert/strict";
import {
  accessibilityFaults,
  isFocused,
  lastReply,
  specOf,
  useBrowser,
  waitForPoints,
  waitForSpec,
} from "./browser.mjs";

const { tabTest } = useBrowser();

const FACTORIZED = { run: "sentiment_factorized", view: "factors" };
const PRODUCT = "word_factors/embeddings @ factor_embedding/kernel";
const matrixBox = (tab) => tab.getByRole("combobox", { name: "Matrix", exact: true });
const rowsBox = (tab) => tab.getByRole("combobox", { name: "Rows", exact: true });
const step = (tab, name) => tab.locator(".steps-offered").getByRole("button", { name, exact: true });

tabTest("makes a product of layers, by keys alone", { spec: FACTORIZED }, async ({ page, tab }) => {
  await matrixBox(tab).selectOption({ label: "Put together…" });
  const maker = tab.getByRole("dialog", { name: "A matrix made of others" });
  await isFocused(tab, ".maker select");
  await maker.locator(".made", { hasText: "word_factors @ factor_embedding" }).waitFor();
  assert.match(await maker.locator(".made").textContent(), /1,000 × 32/);
  assert.deepEqual(await accessibilityFaults(tab), []);
  await maker.getByRole("button", { name: "Show it" }).focus();
  await page.keyboard.press("Enter");
  await maker.waitFor({ state: "hidden" });
  await waitForSpec(page, "matrix", PRODUCT);
  await tab.locator(".factor", { hasText: "worst" }).first().waitFor();
  assert.equal(await matrixBox(tab).inputValue(), PRODUCT);
});

tabTest(
  "puts three layers side by side that the catalogue does not list",
  { spec: FACTORIZED },
  async ({ page, tab }) => {
    const maker = tab.getByRole("dialog", { name: "A matrix made of others" });
    const made = `${PRODUCT} @ hidden/kernel`;
    for (const [first, how, second] of [
      [PRODUCT, "Product A @ B", "hidden/kernel"],
      [made, "Side by side A | B", "word_factors/embeddings"],
    ]) {
      await matrixBox(tab).selectOption({ label: "Put together…" });
      await maker.getByRole("combobox", { name: "First matrix" }).selectOption(first);
      await maker.getByRole("radio", { name: how }).check();
      await maker.getByRole("combobox", { name: "Second matrix" }).selectOption(second);
      await maker.getByRole("button", { name: "Show it" }).click();
      await maker.waitFor({ state: "hidden" });
    }
    await waitForSpec(page, "matrix", `${made} | word_factors/embeddings`);
    await tab.locator(".chip, .factor").first().waitFor({ timeout: 60_000 });
    const { query, reply } = await lastReply(tab, "factors");
    assert.equal(query.matrix, `${made} | word_factors/embeddings`);
    assert.equal(reply.rows_used, 1000);
    await page.reload();
    const frame = await (await page.waitForSelector('iframe[src*="name=embfactor"]')).contentFrame();
    await waitForPoints(frame);
    assert.equal(
      await matrixBox(frame).locator("option:checked").textContent(),
      "word_factors @ factor_embedding @ hidden | word_factors (1,000 × 24)",
    );
  },
);

tabTest("says where nothing fits", { spec: { ...FACTORIZED, matrix: "is_positive/kernel" } }, async ({ tab }) => {
  await matrixBox(tab).selectOption({ label: "Put together…" });
  await tab.getByRole("radio", { name: "Product A @ B" }).check();
  await tab.locator(".maker", { hasText: "it would need 1 row" }).waitFor();
  assert.equal(await tab.getByRole("button", { name: "Show it" }).count(), 0);
});

tabTest(
  "does steps of one's own to the rows, in the order in which they were added",
  { spec: { ...FACTORIZED, matrix: "hidden/kernel" } },
  async ({ page, tab }) => {
    await rowsBox(tab).selectOption({ label: "Other steps…" });
    await isFocused(tab, ".steps button");
    for (const name of ["+ b", "SiLU", "without the top 1"]) await step(tab, name).click();
    await waitForSpec(page, "transform", "bias,silu,without_top:1");
    await tab.getByRole("spinbutton", { name: "Directions taken out" }).fill("2");
    await page.keyboard.press("Tab");
    await waitForSpec(page, "transform", "bias,silu,without_top:2");
    await step(tab, "columns as rows").click();
    await step(tab, "length 1").click();
    await waitForSpec(page, "transform", "bias,silu,without_top:2,unit_rows,transpose");
    assert.deepEqual(await accessibilityFaults(tab), []);
    for (const name of ["columns as rows", "length 1"]) {
      await tab.getByRole("button", { name: `Leave out ${name}` }).click();
    }
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => !/unit_rows|transpose/.test(location.hash));
    assert.equal(specOf(page).transform, "bias,silu,without_top:2");
    await waitForPoints(tab);
    const asked = await tab.evaluate(() => {
      const urls = performance.getEntriesByType("resource").map(({ name }) => new URL(name));
      return urls
        .filter(({ pathname }) => pathname.endsWith("/factors"))
        .map((url) => url.searchParams.get("transform"));
    });
    assert.ok(asked.includes("bias,silu,without_top:2"), `${asked}`);
    assert.equal(await rowsBox(tab).locator("option:checked").textContent(), "+ b → SiLU → without the top 2");
  },
);
