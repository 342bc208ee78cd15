/** The JSON documents of docs/http-api.md. */
import type { Distance, Match, Method } from "../state/spec";

export interface Sentence {
  code: string;
  params: Record<string, unknown>;
  text: string;
}

export interface LabelSource {
  source: string;
  n_rows: number;
  columns: string[];
  offset: number;
}

export type Role = "embedding" | "kernel" | "other";

export interface MatrixEntry {
  matrix: string;
  shape: [number, number];
  dtype: string;
  role: Role;
  layer: string | null;
  has_bias: boolean;
  labels: LabelSource | null;
}

export interface CheckpointEntry {
  checkpoint: string;
  step: number | null;
  wall_time: number;
  format: string;
  path: string;
  signature: number;
  fingerprint: string;
  gone: boolean;
  skipped: Sentence[];
}

export interface RunEntry {
  run: string;
  checkpoints: CheckpointEntry[];
}

export interface Problem {
  path: string;
  error: Sentence;
}

export interface Catalogue {
  version: string;
  state: "scanning" | "ready";
  logdir: string;
  error: Sentence | null;
  scanned: { n_runs: number; n_directories: number; n_files: number; n_checkpoints: number };
  signatures: MatrixEntry[][];
  runs: RunEntry[];
  problems: Problem[];
  hints: Sentence[];
}

export interface CatalogueUnchanged {
  version: string;
  state: "scanning" | "ready";
  unchanged: true;
}

export type MetricValue = number | boolean | number[] | null;

export interface SpectraCheckpoint {
  checkpoint: string;
  step: number | null;
  /** "estimated": from a sample, until the exact answer is there. "waiting": so large that it is computed only when somebody asks. */
  state: "done" | "estimated" | "pending" | "failed" | "waiting";
  bytes?: number;
  expected_seconds?: number;
  error: Sentence | null;
  rows_used: number | null;
  rows_skipped: number | null;
  passes: number | null;
  metrics: Record<string, MetricValue> | null;
  /** Of numbers that a sample tells of: by how much each may be off. */
  uncertainty?: Record<string, number>;
  rows_sampled?: number;
  /** What the numbers mean in plain words, most serious first. */
  verdicts?: Sentence[];
}

export interface SpectraInfo {
  run: string;
  matrix: string;
  transform: string | null;
  shape: [number, number];
  n_pending: number;
  checkpoints: SpectraCheckpoint[];
}

export interface OverviewItem {
  run: string;
  matrix: string;
  shape: [number, number];
  dtype: string;
  role: Role;
  layer: string | null;
  /** The last checkpoint of the run that holds the matrix; the numbers are those of it. */
  checkpoint: string;
  step: number | null;
  n_checkpoints: number;
  state: SpectraCheckpoint["state"];
  bytes?: number;
  expected_seconds?: number;
  error: Sentence | null;
  metrics: Record<string, MetricValue>;
  uncertainty?: Record<string, number>;
  verdicts: Sentence[];
  trend: { steps: (number | null)[]; effective_rank: (number | null)[] };
}

export interface OverviewReply {
  version: string;
  n_pending: number;
  items: OverviewItem[];
}

export interface MetricEntry {
  key: string;
  name: string;
  description: string;
  formula: string;
  source: string;
  first: boolean;
}

/** A rule for how many directions to keep. */
export interface RankRule {
  key: string;
  name: string;
  assumes: string;
  formula: string;
  source: string;
  /** Of the centred singular values, or of those of the matrix as stored. */
  centered: boolean;
  /** Null where the rule has no answer. */
  rank: number | null;
  /** The singular value that what is kept exceeds; null for a rule that is no line. */
  line: number | null;
}

export interface ScoredRow {
  row: number;
  label: string | null;
  score: number;
}

export interface Factor {
  /** From 1. */
  factor: number;
  weight: number;
  share: number;
  kurtosis: number | null;
  consistency: number | null;
  gap: number | null;
  /** First and last of the factors that it cannot be told apart from. */
  block: [number, number] | null;
  /** The factor of the reference that it is. */
  continues: { factor: number; cosine: number; overlap: number | null; block: [number, number] | null } | null;
  top: ScoredRow[];
  bottom: ScoredRow[];
  columns: { column: number; entry: number }[];
}

export interface FactorsReply {
  method: string;
  reference: string | null;
  rows_used: number;
  rows_skipped: number;
  sample: { rows: number; of: number; seed: number } | null;
  factors: Factor[];
  blocks: { factors: [number, number]; share: number; top: ScoredRow[] }[];
  notes: Sentence[];
}

export interface RanksReply {
  run: string;
  checkpoint: string;
  step: number | null;
  matrix: string;
  ranks: RankRule[];
}

export interface SparsityReply {
  zero_share: number;
  near_zero_share: number;
  zero_rows: number;
  zero_columns: number;
  /** Shares of the entries, the smallest first; the magnitude below which these lie; the error of setting them to zero. */
  pruned: number[];
  threshold: (number | null)[];
  error: (number | null)[];
}

export interface NeighborsReply {
  metric: Distance;
  /** Of each row that was asked for and has neighbours: the nearest first. */
  queries: {
    row: number;
    label: string | null;
    neighbors: { row: number; label: string | null; distance: number }[];
  }[];
  notes: Sentence[];
}

export interface Compared {
  run: string;
  checkpoint: string;
  step: number | null;
  matrix: string;
}

export interface CompareReply {
  a: Compared;
  b: Compared;
  match: Match;
  rows_matched: number;
  rows_skipped: number;
  measures: Record<string, number | number[] | null>;
  /** Farthest apart first. */
  most_changed: { row: number; row_b: number; label: string | null; change: number }[];
}

export interface PointsInfo {
  run: string;
  checkpoint: string;
  step: number | null;
  matrix: string;
  method: Method;
  axes: string | null;
  points_are: "rows" | "columns";
  rows_used: number;
  rows_skipped: number;
  centered: boolean;
  total_share: number | null;
  notes: Sentence[];
  /** Of a sample of the rows, on axes that it suggests, until the exact points are there. */
  estimated?: true;
  /** The rows that a search or a map was given. */
  sample?: { rows: number; of: number; seed: number };
  /** The leading principal axes that a map is made of. */
  made_of?: { n_dims: number; share: number };
  quality?: { trustworthiness: number | null; continuity: number | null; rows: number; n_neighbors: number } | null;
}

export interface LabelColumn {
  name: string;
  kind: "text" | "number" | "category";
  values: (string | number | null)[];
}

export interface Labels {
  source?: string;
  n_rows?: number;
  offset?: number;
  columns: LabelColumn[];
  notes?: Sentence[];
}

export interface Pending {
  job: string | null;
  task: Sentence | null;
  progress: number | null;
  queued_before: number;
}

export interface Status {
  state: "idle" | "busy" | "stopped";
  /** Only what somebody waits for is computed. */
  paused?: boolean;
  current: { job: string; task: Sentence; progress: number | null; elapsed_seconds: number } | null;
  n_queued: number;
  n_restarts: number;
}

export interface ProjectorAbout {
  values: "scores" | "matrix";
  n_rows: number;
  n_columns: number;
  share: number | null;
  bytes: number;
  available: boolean;
  error: Sentence | null;
}
