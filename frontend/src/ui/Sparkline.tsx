/** How a number went through the checkpoints, as a small line with the current one marked. */
interface SparklineProps {
  values: readonly (number | null)[];
  at: number;
}

const WIDTH = 46;
const HEIGHT = 18;
const EDGE = 3;

export function Sparkline({ values, at }: SparklineProps) {
  const known = values.filter((value): value is number => value !== null);
  if (known.length < 2) return null;
  const low = Math.min(...known);
  const span = Math.max(...known) - low || 1;
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
