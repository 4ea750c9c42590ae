/** The arithmetic of charts. */
export type Point = readonly [number, number];

export interface Scale {
  min: number;
  max: number;
  at: (value: number) => number;
  invert: (position: number) => number;
}

/** A linear scale from the values' range, widened by a share of it, to pixels. */
export function scale(values: number[], from: number, to: number, widen = 0): Scale {
  let min = Infinity;
  let max = -Infinity;
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (min > max) [min, max] = [0, 1];
  // Nothing but zeros is nothing of something: no figure here is less than none.
  if (min === 0 && max === 0) max = 1;
  if (min === max) [min, max] = [min - 0.5, max + 0.5];
  const more = (max - min) * widen;
  min -= more;
  max += more;
  const factor = (to - from) / (max - min);
  return { min, max, at: (value) => from + (value - min) * factor, invert: (position) => min + (position - from) / factor };
}

/** About `wanted` round numbers within a range: steps of 1, 2 or 5 times a power of ten. */
export function ticks(min: number, max: number, wanted: number): number[] {
  const raw = (max - min) / Math.max(1, wanted);
  if (!(raw > 0) || !Number.isFinite(raw)) return [];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((times) => times * power).find((candidate) => candidate >= raw * 0.999)!;
  const found: number[] = [];
  for (let index = Math.ceil(min / step - 1e-9); index * step <= max + step * 1e-9; index++) found.push(Number((index * step).toPrecision(12)));
  return found;
}

/** The point whose x is nearest; points are in order of x. */
export function nearest(points: readonly Point[], x: number): Point | undefined {
  let low = 0;
  let high = points.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle]![0] < x) low = middle;
    else high = middle;
  }
  const [left, right] = [points[low], points[high]];
  if (!left || !right) return left ?? right;
  return x - left[0] <= right[0] - x ? left : right;
}

/** At most `most` points, each bucket keeping its lowest and highest, so that no spike is lost. */
export function thin(points: Point[], most: number): Point[] {
  if (points.length <= most) return points;
  const size = Math.ceil(points.length / (most / 2));
  const kept: Point[] = [];
  for (let start = 0; start < points.length; start += size) {
    const bucket = points.slice(start, start + size);
    const low = bucket.reduce((a, b) => (b[1] < a[1] ? b : a));
    const high = bucket.reduce((a, b) => (b[1] > a[1] ? b : a));
    kept.push(...(low === high ? [low] : low[0] < high[0] ? [low, high] : [high, low]));
  }
  return kept;
}
