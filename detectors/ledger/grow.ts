/** Copies of typed arrays with room for `length` elements. */
export function floats(from: Float64Array, length: number): Float64Array {
  const to = new Float64Array(length);
  to.set(from);
  return to;
}

export function words(from: Uint32Array, length: number): Uint32Array {
  const to = new Uint32Array(length);
  to.set(from);
  return to;
}

export function ints(from: Int32Array, length: number): Int32Array {
  const to = new Int32Array(length);
  to.set(from);
  return to;
}

/** The next size of a table: twice, and a half more once it is large, so that a million entities do not pay for two. */
export function nextSize(size: number): number {
  return size < 1 << 18 ? size * 2 : Math.ceil(size * 1.5);
}
