/** `values` in `points` columns. Each shows the highest value it covers, so that a short spike is never smoothed away. */
export function resample(values: ArrayLike<number>, points: number): number[] {
  const length = values.length;
  if (length <= points) return Array.from(values);
  const result = new Array<number>(points).fill(0);
  for (let i = 0; i < points; i++) {
    const end = Math.floor(((i + 1) * length) / points);
    for (let j = Math.floor((i * length) / points); j < end; j++) result[i] = Math.max(result[i] ?? 0, values[j] ?? 0);
  }
  return result;
}

/** The largest value, at least 0. */
export function peakOf(values: ArrayLike<number>): number {
  let peak = 0;
  for (let i = 0; i < values.length; i++) peak = Math.max(peak, values[i] ?? 0);
  return peak;
}

/** The point of `resample` that shows value `index`. */
export function pointOf(index: number, length: number, points: number): number {
  return length <= points ? index : Math.ceil(((index + 1) * points) / length) - 1;
}
