// An invented overview: of the mock's own runs, or (scenario "many") of 300 matrices whose results come in bit by bit.
const N_MANY = Number(process.env.MOCK_MATRICES ?? 300);
const SECONDS = Number(process.env.MOCK_SECONDS ?? 60);
const SAMPLES = 12;
const LAST_STEP = 20_000;
const D = 64;

const share = (at) => ((at * 2654435761) % 1000) / 1000;
const verdict = (code, text, params) => ({ code, params, text });

/** What is wrong with the matrix at this place: most are fine. */
function verdictOf(at, rank) {
  const kind = share(at);
  if (kind < 0.04) {
    const text = `Collapsed to about ${Math.round(rank)} of ${D} directions, which hold 99.9 % of the variance. Try less.`;
    return verdict("verdict_collapsed", text, { k: Math.round(rank), d: D });
  }
  if (kind < 0.12)
    return verdict("verdict_untrained", "Looks untrained: like a random start. Check that it is used.", {});
  if (kind < 0.2) {
    return verdict("verdict_dominated", "One common direction dominates: cosine 0.83. Try centring.", {
      cosine: "0.83",
    });
  }
  return verdict("verdict_fine", `No sign of trouble: effective rank ${rank.toFixed(1)} of ${D}.`, {
    rank: rank.toFixed(1),
    d: D,
  });
}

function item(at, run, matrix, isDone) {
  const kind = share(at);
  const end = kind < 0.04 ? 2 + 40 * kind : kind < 0.12 ? 63.8 : 12 + 44 * share(at + 7);
  const ranks = Array.from({ length: SAMPLES }, (_, step) => 63.8 + (end - 63.8) * (step / (SAMPLES - 1)) ** 0.7);
  const base = { run, matrix, shape: [20_000 + 137 * at, D], dtype: "float32", role: "embedding", layer: matrix };
  const place = { checkpoint: `${run}/ckpt-${LAST_STEP}`, step: LAST_STEP, n_checkpoints: 100, error: null };
  if (at % 97 === 96) {
    const wait = { state: "waiting", bytes: 13.4e9, expected_seconds: 340, metrics: {}, verdicts: [] };
    return { ...base, ...place, ...wait, trend: { steps: [], effective_rank: [] } };
  }
  const steps = ranks.map((_, step) => Math.round((LAST_STEP * step) / (SAMPLES - 1)));
  if (!isDone)
    return { ...base, ...place, state: "pending", metrics: {}, verdicts: [], trend: { steps: [], effective_rank: [] } };
  const known = { metrics: { effective_rank: end, mean_cosine: 0.02 }, verdicts: [verdictOf(at, end)] };
  return { ...base, ...place, ...known, state: "done", trend: { steps, effective_rank: ranks } };
}

const SEVERITY = { verdict_collapsed: 4, verdict_untrained: 3, verdict_dominated: 2, verdict_fine: 0 };
const severity = ({ verdicts }) => SEVERITY[verdicts[0]?.code] ?? -1;

export const manyNames = Array.from({ length: N_MANY }, (_, at) => ({
  run: `sweep/lr=${[0.1, 0.03, 0.01][at % 3]}/train`,
  matrix: `model/tables/feature_${String(Math.floor(at / 3)).padStart(3, "0")}/embeddings`,
}));

const startedAt = Date.now();
export function overview(names) {
  const nDone = Math.floor((names.length * (Date.now() - startedAt)) / 1000 / SECONDS);
  const items = names.map(({ run, matrix }, at) => item(at, run, matrix, (at * 41) % names.length < nDone));
  items.sort((a, b) => severity(b) - severity(a));
  return { version: "1", n_pending: items.filter(({ state }) => state === "pending").length * SAMPLES, items };
}
