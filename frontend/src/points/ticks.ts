/** Round numbers (1, 2 or 5 times a power of ten) between two others. */
export function roundTicks(low: number, high: number, count: number): number[] {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return [];
  const rough = span / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const ticks: number[] = [];
  for (let at = Math.ceil(low / step); at <= Math.floor(high / step); at++) ticks.push(at * step);
  return ticks;
}

/** A tick as text, with no more decimals than the distance of ticks needs. */
export function tickText(tick: number, ticks: readonly number[]): string {
  const step = ticks.length > 1 ? Math.abs(ticks[1] - ticks[0]) : Math.abs(tick) || 1;
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  if (decimals > 4 || Math.abs(tick) >= 1e6) return tick === 0 ? "0" : tick.toExponential(1).replace("-", "−");
  return tick.toFixed(decimals).replace("-", "−");
}
