import { HLL_REGISTERS, hllAdd, hllEstimate, hllMerge } from '../../core/sketch/hyperloglog.ts';
import type { Tally } from '../../core/sketch/tally.ts';

/** Hashes that a union holds exactly; above, it is estimated. */
const EXACT_MAX = 4096;
const SLOTS = EXACT_MAX * 2;

/**
 * A tally as a set: how many distinct values, how many hashes follow, the hashes, and the registers where the
 * tally is estimated. All in 32-bit integers of this machine: it never leaves the process.
 */
export function encodeSet(tally: Tally): Uint8Array {
  const { items, registers } = tally;
  const ints = new Int32Array(2 + items.length * 2 + (registers === undefined ? 0 : HLL_REGISTERS / 4));
  ints[0] = tally.distinct();
  ints[1] = items.length;
  items.forEach((item, index) => {
    ints[2 + index * 2] = item.hi;
    ints[3 + index * 2] = item.lo;
  });
  const bytes = new Uint8Array(ints.buffer);
  if (registers !== undefined) bytes.set(registers, (2 + items.length * 2) * 4);
  return bytes;
}

/** How many distinct values an encoded set holds. */
export function distinctOfSet(bytes: Uint8Array): number {
  return new Int32Array(bytes.buffer, bytes.byteOffset, 1)[0] as number;
}

/** The number of distinct values of several sets together; used again and again without allocating. */
export class DistinctUnion {
  readonly #hi = new Int32Array(SLOTS);
  readonly #lo = new Int32Array(SLOTS);
  /** A slot is taken when it carries the number of the present union. */
  readonly #stamp = new Uint32Array(SLOTS);
  readonly #registers = new Uint8Array(HLL_REGISTERS);
  #round = 0;
  #exact = 0;
  #isExact = true;

  get isExact(): boolean {
    return this.#isExact;
  }

  reset(): void {
    this.#round++;
    this.#exact = 0;
    this.#isExact = true;
  }

  add(set: Uint8Array): void {
    const ints = new Int32Array(set.buffer, set.byteOffset, set.byteLength >>> 2);
    const size = ints[1] as number;
    const end = 2 + size * 2;
    for (let at = 2; at < end; at += 2) this.#addHash(ints[at] as number, ints[at + 1] as number);
    if (ints.length === end) return;
    this.#startEstimate();
    hllMerge(this.#registers, set.subarray(end * 4, end * 4 + HLL_REGISTERS));
  }

  /** Distinct values; the estimate never falls below what was seen one by one. */
  count(): number {
    if (this.#isExact) return this.#exact;
    return Math.max(this.#exact, Math.round(hllEstimate(this.#registers)));
  }

  #addHash(hi: number, lo: number): void {
    if (!this.#isExact) hllAdd(this.#registers, hi, lo);
    let slot = lo & (SLOTS - 1);
    while (this.#stamp[slot] === this.#round) {
      if (this.#hi[slot] === hi && this.#lo[slot] === lo) return;
      slot = (slot + 1) & (SLOTS - 1);
    }
    if (this.#exact === EXACT_MAX) {
      this.#startEstimate();
      hllAdd(this.#registers, hi, lo);
      return;
    }
    this.#stamp[slot] = this.#round;
    this.#hi[slot] = hi;
    this.#lo[slot] = lo;
    this.#exact++;
  }

  /** From here on the registers count as well; what is in the table goes into them. */
  #startEstimate(): void {
    if (!this.#isExact) return;
    this.#isExact = false;
    this.#registers.fill(0);
    for (let slot = 0; slot < SLOTS; slot++) {
      if (this.#stamp[slot] === this.#round) hllAdd(this.#registers, this.#hi[slot] as number, this.#lo[slot] as number);
    }
  }
}
