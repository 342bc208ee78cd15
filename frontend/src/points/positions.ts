/** Three coordinates a point, taken from the components that are shown, and how far they reach. */

export interface Extent {
  min: [number, number, number];
  max: [number, number, number];
}

/** Positions (n × 3) from points (n × k). A component that is not there, and z in two dimensions, is 0. */
export function pickComponents(
  points: Float32Array | Float64Array,
  shape: readonly number[],
  components: readonly [number, number, number],
  dims: 2 | 3,
): Float32Array {
  const [n, k] = shape;
  const positions = new Float32Array(n * 3);
  for (let axis = 0; axis < dims; axis++) {
    const component = components[axis];
    if (component >= k) continue;
    for (let row = 0; row < n; row++) positions[row * 3 + axis] = points[row * k + component];
  }
  return positions;
}

/** Ignores points with NaN; a flat or empty axis reaches from -1 to 1 times what others do. */
export function extentOf(positions: Float32Array): Extent {
  const min: Extent["min"] = [Infinity, Infinity, Infinity];
  const max: Extent["max"] = [-Infinity, -Infinity, -Infinity];
  for (let at = 0; at < positions.length; at += 3) {
    for (let axis = 0; axis < 3; axis++) {
      const value = positions[at + axis];
      if (value < min[axis]) min[axis] = value;
      if (value > max[axis]) max[axis] = value;
    }
  }
  const widest = Math.max(...max.map((high, axis) => high - min[axis]).filter(Number.isFinite), 0) || 1;
  for (let axis = 0; axis < 3; axis++) {
    if (max[axis] > min[axis]) continue;
    const middle = Number.isFinite(min[axis]) ? min[axis] : 0;
    min[axis] = middle - widest / 2;
    max[axis] = middle + widest / 2;
  }
  return { min, max };
}

export function unionOf(a: Extent, b: Extent): Extent {
  return {
    min: [0, 1, 2].map((axis) => Math.min(a.min[axis], b.min[axis])) as Extent["min"],
    max: [0, 1, 2].map((axis) => Math.max(a.max[axis], b.max[axis])) as Extent["max"],
  };
}

export function mixExtent(from: Extent, to: Extent, mix: number): Extent {
  const between = (a: Extent["min"], b: Extent["min"]) => a.map((value, axis) => value + (b[axis] - value) * mix);
  return { min: between(from.min, to.min) as Extent["min"], max: between(from.max, to.max) as Extent["max"] };
}

/** `to` where `mix` is 1; a point that is NaN on one side is NaN in between. */
export function mixPositions(from: Float32Array, to: Float32Array, mix: number, into: Float32Array): Float32Array {
  if (mix >= 1) {
    into.set(to);
    return into;
  }
  for (let at = 0; at < to.length; at++) into[at] = from[at] + (to[at] - from[at]) * mix;
  return into;
}
