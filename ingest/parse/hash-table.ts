/**
 * Open-addressing map from a 64-bit hash (two signed lanes) to a small integer. No deletion: it is cleared
 * whole, at a segment's end, when it has grown past its cap.
 */
export class HashTable {
  size = 0;
  #hi: Int32Array;
  #lo: Int32Array;
  /** Value + 1; 0 is free. */
  #value: Int32Array;
  #mask: number;

  constructor(capacity = 1024) {
    this.#hi = new Int32Array(capacity);
    this.#lo = new Int32Array(capacity);
    this.#value = new Int32Array(capacity);
    this.#mask = capacity - 1;
  }

  /** The value, or -1. */
  find(hi: number, lo: number): number {
    const mask = this.#mask;
    const values = this.#value;
    let at = lo & mask;
    for (;;) {
      const value = values[at] as number;
      if (value === 0) return -1;
      if (this.#lo[at] === lo && this.#hi[at] === hi) return value - 1;
      at = (at + 1) & mask;
    }
  }

  /** The caller has looked: the hash is not in the table. */
  insert(hi: number, lo: number, value: number): void {
    if (this.size * 2 >= this.#mask) this.#grow();
    this.#place(hi, lo, value + 1);
    this.size++;
  }

  clear(): void {
    this.#value.fill(0);
    this.size = 0;
  }

  #place(hi: number, lo: number, stored: number): void {
    let at = lo & this.#mask;
    while (this.#value[at] !== 0) at = (at + 1) & this.#mask;
    this.#hi[at] = hi;
    this.#lo[at] = lo;
    this.#value[at] = stored;
  }

  #grow(): void {
    const hi = this.#hi;
    const lo = this.#lo;
    const value = this.#value;
    const capacity = value.length * 2;
    this.#hi = new Int32Array(capacity);
    this.#lo = new Int32Array(capacity);
    this.#value = new Int32Array(capacity);
    this.#mask = capacity - 1;
    for (let i = 0; i < value.length; i++) {
      if (value[i] !== 0) this.#place(hi[i] as number, lo[i] as number, value[i] as number);
    }
  }
}

/** Up to here an array doubles; a bigger one grows by a quarter: a million rows must not cost the memory of two. */
const DOUBLES_UNTIL = 1 << 16;

/** How long an array of `length` is when it has grown; a power of two stays a multiple of 1024. */
export function grownLength(length: number): number {
  return length < DOUBLES_UNTIL ? length * 2 : length + (length >>> 2);
}

/** A copy of this length. */
export function longer<T extends Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer> | Float64Array<ArrayBuffer>>(array: T, length: number): T {
  const bigger = new (array.constructor as new (length: number) => T)(length);
  bigger.set(array);
  return bigger;
}

export function grown(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  return longer(array, grownLength(array.length));
}

export function bump(counters: Float64Array, index: number, by: number): void {
  counters[index] = (counters[index] as number) + by;
}
