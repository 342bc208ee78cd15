/** How a number went through the checkpoints, as a small line with the current one marked. */
interface SparklineProps {
  values: readonly (number | null)[];
  at: number;
  /** Of numbers that count out of so many: the line stands between none and all of them. */
  most: number | null;
}

const WIDTH = 46;
const HEIGHT = 18;
const EDGE = 3;
/** The line never makes more of a change than this share of the number itself. */
const LEAST_SPAN = 0.2;

function rangeOf(known: readonly number[], most: number | null): { low: number; span: number } {
  if (most !== null) return { low: 0, span: most };
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const least = LEAST_SPAN * Math.max(Math.abs(low), Math.abs(high)) || 1;
  const span = Math.max(high - low, least);
  return { low: (low + high - span) / 2, span };
}

export function Sparkline({ values, at, most }: SparklineProps) {
  const known = values.filter((value): value is number => value !== null);
  if (known.length < 2) return null;
  const { low, span } = rangeOf(known, most);
  const x = (index: number) => EDGE + (index * (WIDTH - 2 * EDGE)) / (values.length - 1);
  const y = (value: number) => HEIGHT - EDGE - ((value - low) * (HEIGHT - 2 * EDGE)) / span;
  const points = values.map((value, index) =>
    value === null ? null : `${x(index).toFixed(1)},${y(value).toFixed(1)}`,
  );
  const current = values[at];
  return (
    <svg class="sparkline" width={WIDTH} height={HEIGHT} aria-hidden="true" focusable="false">
      <polyline points={points.filter((point) => point !== null).join(" ")} />
      {typeof current === "number" && <circle cx={x(at)} cy={y(current)} r={2.5} />}
    </svg>
  );
}
