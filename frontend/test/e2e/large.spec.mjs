// A table that takes seconds to factor: a sample is shown at once, and the exact answer in its place, on a real TensorBoard.
import assert from "node:assert/strict";
import { useBrowser, waitForMark } from "./browser.mjs";

const url = process.env.EMBFACTOR_LARGE_URL;
if (!url)
  throw new Error("Set EMBFACTOR_LARGE_URL to the address of a TensorBoard of one large table; tests/e2e/run.py does.");
const { tabTest } = useBrowser({ url });

tabTest("shows a sample, and then the exact answer", {}, async ({ tab }) => {
  const footnote = tab.locator(".footnote", { hasText: "An estimate from 8,192 rows" });
  const sample = tab.getByText("Made of 8,192 of 60,000 rows");
  const rank = tab.locator(".card", { hasText: "Effective rank" }).locator(".card-value");
  await footnote.waitFor();
  const [, number, around] = /([\d.]+) ± ([\d.]+)/.exec(await rank.textContent());
  await sample.waitFor();

  await waitForMark(tab, "embfactor:exact", 100_000);
  await footnote.waitFor({ state: "detached" });
  await sample.waitFor({ state: "detached" });
  const exact = await rank.textContent();
  assert.doesNotMatch(exact, /±/);
  assert.ok(
    Math.abs(parseFloat(exact) - parseFloat(number)) <= parseFloat(around) + 0.5,
    `${number} ± ${around}, ${exact}`,
  );
  await tab.locator(".finding", { hasText: "No sign of trouble" }).waitFor();
});
