/** The effective rank over the checkpoints of a run, on an axis from 0 to all directions, so that rows can be compared. */
interface TrendLineProps {
  ranks: readonly (number | null)[];
  most: number;
  width: number;
  height: number;
}

const EDGE = 3;

export function TrendLine({ ranks, most, width, height }: TrendLineProps) {
  const x = (at: number) => EDGE + (at * (width - 2 * EDGE)) / (ranks.length - 1);
  const y = (rank: number) => height - EDGE - Math.min(rank / most, 1) * (height - 2 * EDGE);
  const known = ranks.flatMap((rank, at) => (rank === null ? [] : [{ x: x(at), y: y(rank) }]));
  const last = known[known.length - 1];
  if (known.length < 2) return null;
  const line = known.map((point) => `${point.x.toFixed(1)},${point.y.toFixed(1)}`).join(" ");
  const floor = height - EDGE;
  return (
    <svg
      class="trend"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      aria-hidden="true"
      focusable="false"
    >
      <line x1={EDGE} x2={width - EDGE} y1={EDGE} y2={EDGE} />
      <polygon points={`${known[0].x.toFixed(1)},${floor} ${line} ${last.x.toFixed(1)},${floor}`} />
      <polyline points={line} />
      <circle cx={last.x} cy={last.y} r={2.5} />
    </svg>
  );
}
