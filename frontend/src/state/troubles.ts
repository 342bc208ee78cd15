/** Whether trouble came with training: then the way back to its beginning is worth seeing. */
import type { OverviewItem, SpectraInfo } from "../data/types";

/** An effective rank that was at least so many times the present one tells that directions were lost on the way. */
const LOST = 1.5;
const COLLAPSED = "verdict_collapsed";

export interface Past {
  step: number | null;
  rank: number;
}

function pastOf(now: number | null, first: Past | undefined): Past | null {
  return first && now !== null && first.rank >= LOST * now ? first : null;
}

/** Where a collapsed matrix of the overview came from: its first known step, or null where it has not fallen. */
export function fallenFrom({ verdicts, trend, metrics, n_checkpoints }: OverviewItem): Past | null {
  const rank = trend.effective_rank[0];
  const now = metrics.effective_rank;
  if (n_checkpoints < 2 || verdicts[0]?.code !== COLLAPSED || typeof now !== "number") return null;
  return pastOf(now, typeof rank === "number" ? { rank, step: trend.steps[0] } : undefined);
}

/** The same for the checkpoint of a series that is on the screen. */
export function fallenSince({ checkpoints }: SpectraInfo, checkpoint: string): Past | null {
  const at = checkpoints.findIndex((entry) => entry.checkpoint === checkpoint);
  const here = checkpoints[at];
  const rank = checkpoints[0]?.metrics?.effective_rank;
  const now = here?.metrics?.effective_rank;
  if (at < 1 || here.verdicts?.[0]?.code !== COLLAPSED || typeof now !== "number") return null;
  return pastOf(now, typeof rank === "number" ? { rank, step: checkpoints[0].step } : undefined);
}
