import { hashLanes, hashText } from '../../core/hash.ts';

/**
 * Seeded randomness (sfc32, Doty-Humphrey; public domain). The same seed gives the same sequence on every
 * machine, so that a simulated day can be made again from one number.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;
  #spare: number | undefined;

  constructor(seed: number, stream = '') {
    hashText(`${seed}/${stream}`);
    this.#a = hashLanes.hi;
    this.#b = hashLanes.lo;
    this.#c = Math.imul(hashLanes.hi ^ (hashLanes.lo >>> 7), 0x9e3779b1) | 0;
    for (let i = 0; i < 16; i++) this.uint32();
  }

  uint32(): number {
    const t = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + t) | 0;
    return t >>> 0;
  }

  /** Uniform in [0, 1). */
  unit(): number {
    return this.uint32() / 4_294_967_296;
  }

  /** A whole number in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.unit() * bound);
  }

  /** A whole number in [from, to]. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1);
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError('BUG: nothing to pick from');
    return item;
  }

  /** Waiting time of a Poisson process with the given mean. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.unit());
  }

  /** Standard normal by Box-Muller; the second value of each pair is kept for the next call. */
  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.unit()));
    const angle = 2 * Math.PI * this.unit();
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** Log-normal with the given median; `sigma` 0.5 is a narrow spread, 1.2 has a long tail. */
  logNormal(median: number, sigma: number): number {
    return median * Math.exp(sigma * this.normal());
  }

  hex(digits: number): string {
    let text = '';
    while (text.length < digits) text += this.uint32().toString(16).padStart(8, '0');
    return text.slice(0, digits);
  }

  /** Letters and digits, for key secrets. */
  base62(length: number): string {
    let text = '';
    for (let i = 0; i < length; i++) text += BASE62[this.below(62)] ?? '';
    return text;
  }

  /** A version 4 UUID. */
  uuid(): string {
    const hex = this.hex(32);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${'89ab'[this.below(4)] ?? '8'}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  }
}

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/**
 * Draws an index with the given weights in constant time (Walker's alias method). Two table look-ups and
 * one random number, whatever the number of weights.
 */
export class WeightedSampler {
  readonly #share: Float64Array;
  readonly #alias: Uint32Array;

  constructor(weights: readonly number[] | Float64Array) {
    const size = weights.length;
    this.#share = new Float64Array(size);
    this.#alias = new Uint32Array(size);
    let total = 0;
    for (const weight of weights) total += weight;
    if (size === 0 || !(total > 0)) throw new RangeError('BUG: weights must have a positive sum');
    const small: number[] = [];
    const large: number[] = [];
    for (let i = 0; i < size; i++) {
      this.#share[i] = ((weights[i] ?? 0) * size) / total;
      ((this.#share[i] ?? 0) < 1 ? small : large).push(i);
    }
    for (;;) {
      const low = small.pop();
      const high = large.pop();
      if (low === undefined || high === undefined) {
        // What is left differs from 1 by rounding only.
        for (const rest of low === undefined ? [high, ...large] : [low, ...small]) if (rest !== undefined) this.#share[rest] = 1;
        return;
      }
      this.#alias[low] = high;
      const rest = (this.#share[high] ?? 0) + (this.#share[low] ?? 0) - 1;
      this.#share[high] = rest;
      (rest < 1 ? small : large).push(high);
    }
  }

  draw(random: Random): number {
    const at = random.unit() * this.#share.length;
    const index = Math.floor(at);
    return at - index < (this.#share[index] ?? 1) ? index : (this.#alias[index] ?? index);
  }
}

/** Popularity of the k-th of `size` items: 1 / k^exponent (Zipf). */
export function zipfWeights(size: number, exponent: number): Float64Array {
  const weights = new Float64Array(size);
  for (let i = 0; i < size; i++) weights[i] = 1 / (i + 1) ** exponent;
  return weights;
}
