import { manyNames } from "./overview.mjs";

// Invented data: 2000 words in groups whose structure grows over eight checkpoints.
const N_ROWS = Number(process.env.MOCK_ROWS ?? 2000);
const N_DIMS = 64;
const N_STEPS = 8;

/** Seeded numbers, so that every start of the server shows the same picture. */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 4294967296;
  };
}
function normals(seed, count) {
  const random = generator(seed);
  return Float64Array.from(
    { length: count },
    () => Math.sqrt(-2 * Math.log(random() + 1e-12)) * Math.cos(2 * Math.PI * random()),
  );
}

const GROUPS = ["noun", "verb", "adjective", "adverb", "name", "number", "place", "function word"];
const SYLLABLES = ["ka", "lo", "mi", "ter", "an", "so", "ri", "ven", "dal", "pu", "esh", "on", "ba", "li", "gra", "ne"];
const random = generator(7);
const words = Array.from({ length: N_ROWS }, (_, row) => {
  const count = 1 + Math.floor(random() * 3);
  const text = Array.from({ length: count }, () => SYLLABLES[Math.floor(random() * SYLLABLES.length)]).join("");
  return row % 97 === 0 ? "mountain".slice(0, 3 + (row % 6)) + row : text;
});
const groupOf = Array.from({ length: N_ROWS }, () => Math.floor(random() ** 1.6 * GROUPS.length));
const counts = Array.from({ length: N_ROWS }, (_, row) => Math.round(40000 / (row + 1) ** 0.9) + 1);
const sentiment = Array.from(
  { length: N_ROWS },
  (_, row) => Math.round(200 * (random() - 0.5 + (groupOf[row] % 3) * 0.1)) / 100,
);

const centres = normals(11, GROUPS.length * 16);
const noise = normals(13, N_ROWS * 16);
const drift = normals(17, N_ROWS * 16);
const growth = (at) => 0.12 + 0.88 * (1 - Math.exp(-at / 2.2));

const STEPS = Array.from({ length: N_STEPS }, (_, at) => (at === 0 ? 0 : at * 400));
const sigmasAt = (at, k) =>
  Array.from({ length: k }, (_, index) => {
    const flat = 6.4 * (1 - 0.4 * (index / k));
    const learnt = 48 * growth(at) * Math.exp(-index / (3 + 2 * growth(at)));
    return flat * (at === 7 ? 0.9 : 1) + learnt + (index === 0 ? 20 * growth(at) : 0);
  });

const MATRICES = [
  { matrix: "tok_emb/embeddings", shape: [N_ROWS, N_DIMS], role: "embedding", layer: "tok_emb", labels: true },
  { matrix: "pos_emb/embeddings", shape: [256, N_DIMS], role: "embedding", layer: "pos_emb", labels: false },
  { matrix: "head/kernel", shape: [N_DIMS, 12], role: "kernel", layer: "head", labels: false },
];
const shapeOf = (matrix) => MATRICES.find((entry) => entry.matrix === matrix)?.shape ?? [N_ROWS, N_DIMS];

const sentence = (text, code = "hint_elsewhere", params = {}) => ({ code, params, text });
const signature = MATRICES.map((entry) => ({
  matrix: entry.matrix,
  shape: entry.shape,
  dtype: "float32",
  role: entry.role,
  layer: entry.layer,
  has_bias: false,
  labels: entry.labels
    ? { source: "metadata.tsv", n_rows: N_ROWS, columns: ["word", "count", "kind", "sentiment"], offset: 0 }
    : null,
}));
const checkpoint = (run, at) => ({
  checkpoint: `${run}/ckpt-${STEPS[at]}`,
  step: STEPS[at],
  wall_time: 1.7636e9 + at * 420,
  format: "tf-checkpoint",
  path: `${run}/ckpt-${STEPS[at]}.index`,
  signature: 0,
  fingerprint: `f${run}${at}`,
  gone: false,
  skipped: [],
});

export const seriesNames = ["plain", "finetune"].flatMap((run) =>
  MATRICES.filter(({ role }) => role === "embedding").map(({ matrix }) => ({ run, matrix })),
);

/** The catalogue of the scenario in which there are many matrices. */
function many() {
  const runs = [...new Set(manyNames.map(({ run }) => run))];
  const signatures = runs.map((run) =>
    manyNames.filter((name) => name.run === run).map(({ matrix }) => ({ ...signature[0], matrix, labels: null })),
  );
  const entries = runs.map((run, at) => ({ run, checkpoints: [{ ...checkpoint(run, 7), signature: at }] }));
  return { signatures, runs: entries };
}

export function catalogue(scenario, since) {
  const version = `v-${scenario}`;
  const state = scenario === "scanning" ? "scanning" : "ready";
  if (since === version) return { version, state, unchanged: true };
  const base = {
    version,
    state,
    logdir: "logs",
    error: null,
    scanned: { n_runs: 3, n_directories: 9, n_files: 41, n_checkpoints: 0 },
    signatures: [],
    runs: [],
    problems: [],
    hints: [],
  };
  if (scenario === "scanning") return base;
  if (scenario === "broken") {
    return {
      ...base,
      error: sentence("The log directory logs does not exist. Check the path given to --logdir.", "logdir_missing", {
        path: "logs",
      }),
    };
  }
  if (scenario === "empty") {
    const hints = [
      sentence(
        "Checkpoints lie beside the log directory; use --embfactor_checkpoints RUN=../checkpoints to see them.",
        "hint_beside",
        { path: "../checkpoints", run: "RUN" },
      ),
      sentence(
        "They may lie behind a symbolic link that leaves the log directory; use --embfactor_allow_root PATH.",
        "hint_allow_root",
      ),
    ];
    return { ...base, hints };
  }
  const problems = [
    {
      path: "plain/ckpt-3200",
      error: sentence(
        "plain/ckpt-3200 ends at byte 40960, but 131072 bytes are needed (the tensor tok_emb). It is incomplete or still being written; it is tried again when it changes.",
        "file_truncated",
      ),
    },
    {
      path: "finetune/model.bin",
      error: sentence("Reading PyTorch needs the package torch. Install it with: pip install torch", "library_missing"),
    },
  ];
  if (scenario === "many") return { ...base, ...many() };
  const runs = ["plain", "finetune"].map((run) => ({ run, checkpoints: STEPS.map((_, at) => checkpoint(run, at)) }));
  return { ...base, scanned: { ...base.scanned, n_checkpoints: 16 }, signatures: [signature], runs, problems };
}

const metric = (key, name, first, description, formula, source) => ({ key, name, first, description, formula, source });
export const METRICS = [
  metric(
    "effective_rank",
    "Effective rank",
    true,
    "How many directions carry the variance: the exponential of the entropy of the singular values.",
    "exp(−Σ pᵢ ln pᵢ), pᵢ = σᵢ / Σσ",
    "Roy & Vetterli 2007",
  ),
  metric(
    "energy_rank_90",
    "Rank for 90 % of variance",
    true,
    "The number of leading directions that hold 90 % of the variance.",
    "min r: Σᵢ≤r σᵢ² ≥ 0.9 Σσ²",
    "",
  ),
  metric(
    "mean_cosine",
    "Mean cosine",
    true,
    "Mean cosine between two different rows: near 0 where directions are used evenly, near 1 where all rows point the same way.",
    "(‖g‖² − n) / (n(n−1))",
    "Ethayarajh 2019, arXiv 1909.00512",
  ),
  metric(
    "zero_share",
    "Zero share",
    true,
    "Share of the stored numbers that are exactly zero.",
    "#{Wᵢⱼ = 0} / (V d)",
    "",
  ),
  metric(
    "stable_rank",
    "Stable rank",
    false,
    "Variance over the largest variance of one direction.",
    "Σλ / λ₁",
    "Rudelson & Vershynin 2007",
  ),
  metric("condition_number", "Condition number", false, "Largest over smallest singular value.", "σ₁ / σ_k", ""),
  metric(
    "gavish_donoho_rank",
    "Gavish–Donoho rank",
    false,
    "Number of singular values above the optimal hard threshold.",
    "#{σᵢ > ω(β) σ_median}",
    "arXiv 1305.5870",
  ),
  metric("n_spikes", "Spikes", false, "Eigenvalues above the noise edge.", "#{λᵢ > edge}", ""),
];

function metricsAt(at, k) {
  const sigmas = sigmasAt(at, k);
  const sum = sigmas.reduce((a, b) => a + b, 0);
  const squares = sigmas.map((s) => s * s);
  const total = squares.reduce((a, b) => a + b, 0);
  let running = 0;
  const rank90 =
    squares.findIndex((square) => {
      running += square;
      return running >= 0.9 * total;
    }) + 1;
  return {
    effective_rank: Math.exp(-sigmas.reduce((h, s) => h + (s / sum) * Math.log(s / sum), 0)),
    energy_rank_90: rank90,
    mean_cosine: 0.02 + 0.11 * growth(at),
    zero_share: 0,
    stable_rank: total / squares[0],
    condition_number: at === 0 ? null : sigmas[0] / sigmas[k - 1],
    gavish_donoho_rank: Math.round(4 + 9 * growth(at)),
    n_spikes: Math.round(2 + 10 * growth(at)),
  };
}

function safetensors(info, arrays) {
  const header = { __metadata__: { info: JSON.stringify(info) } };
  let offset = 0;
  const buffers = [];
  for (const [name, { shape, values }] of Object.entries(arrays)) {
    const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    header[name] = {
      dtype: values instanceof Float64Array ? "F64" : "F32",
      shape,
      data_offsets: [offset, offset + bytes.length],
    };
    offset += bytes.length;
    buffers.push(bytes);
  }
  let json = JSON.stringify(header);
  json += " ".repeat((8 - (Buffer.byteLength(json) % 8)) % 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(json)));
  return Buffer.concat([length, Buffer.from(json), ...buffers]);
}

const verdictAt = (at) =>
  at < 2
    ? sentence(
        "Looks untrained: its spectrum is that of a random initialisation. Check that the layer gets gradients.",
        "verdict_untrained",
      )
    : sentence("No sign of trouble: the spectrum stands out from a random initialisation.", "verdict_fine");

let turn = 0;
export function spectra(scenario, run, matrix, state) {
  const [rows, dims] = shapeOf(matrix);
  const k = Math.min(rows, dims);
  const slow = scenario === "slow";
  if (slow && !state.paused) turn += 0.5;
  const nDone = slow ? Math.min(Math.floor(turn), N_STEPS) : N_STEPS;
  const isDone = (at) => !slow || at >= N_STEPS - nDone;
  const stored = new Float64Array(N_STEPS * k).fill(Number.NaN);
  const centred = new Float64Array(N_STEPS * k).fill(Number.NaN);
  const bounds = new Float64Array(N_STEPS * k).fill(1e-13);
  for (let at = 0; at < N_STEPS; at++) {
    if (!isDone(at)) continue;
    sigmasAt(at, k).forEach((sigma, index) => {
      const collapsed = matrix.startsWith("pos") && index >= k - 9;
      centred[at * k + index] = collapsed ? 1e-12 : sigma;
      stored[at * k + index] = index === 0 ? sigma * 1.6 : sigma;
      if (collapsed) bounds[at * k + index] = Number.POSITIVE_INFINITY;
    });
  }
  const failed = scenario === "failing";
  const checkpoints = STEPS.map((step, at) => ({
    checkpoint: `${run}/ckpt-${step}`,
    step,
    state: isDone(at) ? (failed && at === 7 ? "failed" : "done") : "pending",
    error:
      failed && at === 7
        ? sentence("All 2000 rows of tok_emb/embeddings hold NaN or Inf, so it has no factors.", "rows_not_finite")
        : null,
    rows_used: rows,
    rows_skipped: 0,
    passes: 1,
    metrics: isDone(at) ? metricsAt(at, k) : null,
    verdicts: isDone(at) ? [verdictAt(at)] : [],
  }));
  const shape = [N_STEPS, k];
  return safetensors(
    { run, matrix, transform: null, shape: [rows, dims], n_pending: N_STEPS - nDone, checkpoints },
    {
      singular_values: { shape, values: stored },
      error_bound: { shape, values: bounds },
      centered_singular_values: { shape, values: centred },
      centered_error_bound: { shape, values: bounds },
    },
  );
}

function scoresAt(at, n, k, method) {
  const grown = growth(at);
  const points = new Float32Array(n * k);
  const sigmas = sigmasAt(at, 64);
  for (let row = 0; row < n; row++) {
    const group = groupOf[row];
    for (let axis = 0; axis < k; axis++) {
      const centre = centres[group * 16 + axis] * grown * 1.3;
      const spread = noise[row * 16 + axis] * (0.25 + 0.25 * grown) + drift[row * 16 + axis] * 0.25 * (1 - grown);
      const scale = method === "pca" ? sigmas[axis] / 30 : 1 / Math.sqrt(n);
      points[row * k + axis] = (centre + spread) * scale;
    }
  }
  return points;
}

export function points(scenario, { run, checkpoint: id, matrix, method, n_components, axes }) {
  const at = STEPS.indexOf(Number(id.split("-").pop()));
  if (scenario === "failing" && (at === 7 || method === "pca_of_u")) {
    return {
      error: sentence(
        "plain/ckpt-2800 is damaged: the checksum of tok_emb/embeddings is wrong. Write the checkpoint again, or delete it.",
        "file_damaged",
      ),
    };
  }
  const [rows, dims] = shapeOf(matrix);
  const k = Math.min(Number(n_components), 16, dims);
  const n = method === "v" ? dims : rows;
  const sigmas = sigmasAt(at, dims);
  const total = sigmas.reduce((sum, s) => sum + s * s, 0);
  const values = method === "pca_of_u" ? normals(at + 3, n * k) : null;
  const share = Float64Array.from({ length: k }, (_, index) =>
    method === "pca_of_u" ? 1 / dims : sigmas[index] ** 2 / total,
  );
  const notes =
    method === "pca_of_u"
      ? [
          sentence(
            "The columns of U have equal variance, so PCA of U has no preferred axes: a change of 1e-15 in W gives another picture. The basis shown is a fixed choice.",
            "pca_of_u_basis",
          ),
        ]
      : [];
  const info = {
    run,
    checkpoint: id,
    step: STEPS[at],
    matrix,
    method,
    axes: axes ?? null,
    points_are: method === "v" ? "columns" : "rows",
    rows_used: rows,
    rows_skipped: matrix.startsWith("pos") ? 3 : 0,
    centered: method === "pca",
    total_share: share.reduce((a, b) => a + b, 0),
    notes,
  };
  return safetensors(info, {
    points: {
      shape: [n, k],
      values: values ? Float32Array.from(values, (v) => v / Math.sqrt(n)) : scoresAt(at, n, k, method),
    },
    weight: { shape: [k], values: Float64Array.from(sigmas.slice(0, k)) },
    share: { shape: [k], values: share },
  });
}

export function labels(matrix) {
  if (!matrix.startsWith("tok")) return { columns: [] };
  return {
    source: "metadata.tsv",
    n_rows: N_ROWS,
    offset: 0,
    notes: [],
    columns: [
      { name: "word", kind: "text", values: words },
      { name: "kind", kind: "category", values: groupOf.map((group) => GROUPS[group]) },
      { name: "count", kind: "number", values: counts },
      { name: "sentiment", kind: "number", values: sentiment },
    ],
  };
}

export function about({ matrix, values }, available) {
  const [n_rows, n_dims] = shapeOf(matrix);
  const n_columns = values === "scores" ? Math.min(16, n_dims) : n_dims;
  return {
    values,
    n_rows,
    n_columns,
    share: values === "scores" ? 0.812 : 1,
    bytes: n_rows * n_columns * 4,
    available,
    error: null,
  };
}

export function projectorInfo({ matrix, values }) {
  const { n_rows, n_columns } = about({ matrix, values }, true);
  const embedding = { tensorName: matrix, tensorShape: [n_rows, n_columns], metadataPath: "metadata.tsv" };
  if (!matrix.startsWith("tok")) delete embedding.metadataPath;
  return { embeddings: [embedding], modelCheckpointPath: "mock" };
}

export function metadata() {
  const lines = words.map((word, row) => `${word}\t${GROUPS[groupOf[row]]}\t${counts[row]}`);
  return `word\tkind\tcount\n${lines.join("\n")}`;
}

export function tensor({ checkpoint: id, matrix, values }) {
  const at = STEPS.indexOf(Number(id.split("-").pop()));
  const { n_rows, n_columns } = about({ matrix, values }, true);
  const k = Math.min(n_columns, 16);
  const scores = scoresAt(at, n_rows, k, "pca");
  const full = new Float32Array(n_rows * n_columns);
  for (let row = 0; row < n_rows; row++) full.set(scores.subarray(row * k, (row + 1) * k), row * n_columns);
  return Buffer.from(full.buffer);
}
