import { latencyBucket, latencyOf } from '../../core/sketch/latency.ts';

/** Ints per bucket: its number, how often a value fell into it, and what `rise` notes. */
const STRIDE = 3;

/**
 * How often values fell into buckets that grow with the value (16 per doubling, so within 3.2 %), only those that
 * occurred: a few hundred bytes however many values come. Values are integers from 0 to 2^31 - 1. Beside it, how
 * often the series rose over any level.
 */
export class LogCounts {
  #ints = new Int32Array(STRIDE * 4);
  #size = 0;
  #total = 0;

  get total(): number {
    return this.#total;
  }

  add(value: number): void {
    const at = this.#place(latencyBucket(value));
    this.#ints[at + 1] = (this.#ints[at + 1] as number) + 1;
    this.#total++;
  }

  /** The series rose from at most `from` to `to`: over every level between. */
  rise(from: number, to: number): void {
    const low = this.#place(latencyBucket(from));
    this.#ints[low + 2] = (this.#ints[low + 2] as number) + 1;
    const high = this.#place(latencyBucket(to));
    this.#ints[high + 2] = (this.#ints[high + 2] as number) - 1;
  }

  /** How often the series rose over `level`. */
  risesOver(level: number): number {
    const bucket = latencyBucket(level);
    let rises = 0;
    for (let at = 0; at < this.#size * STRIDE && (this.#ints[at] as number) <= bucket; at += STRIDE) rises += this.#ints[at + 2] as number;
    return rises;
  }

  /** The value that a share `p` of the values does not pass; undefined for none. */
  quantile(p: number): number | undefined {
    if (this.#total === 0) return undefined;
    const rank = Math.max(1, Math.ceil(p * this.#total));
    let seen = 0;
    for (let at = 0; at < this.#size * STRIDE; at += STRIDE) {
      seen += this.#ints[at + 1] as number;
      if (seen >= rank) return latencyOf(this.#ints[at] as number);
    }
    return undefined;
  }

  /** Where a bucket is, made where it is not; buckets ascend. */
  #place(bucket: number): number {
    let low = 0;
    let high = this.#size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ints[middle * STRIDE] as number) < bucket) low = middle + 1;
      else high = middle;
    }
    const at = low * STRIDE;
    const end = this.#size * STRIDE;
    if (low < this.#size && this.#ints[at] === bucket) return at;
    if (end + STRIDE > this.#ints.length) {
      const grown = new Int32Array(this.#ints.length * 2);
      grown.set(this.#ints);
      this.#ints = grown;
    }
    this.#ints.copyWithin(at + STRIDE, at, end);
    this.#ints.fill(0, at, at + STRIDE);
    this.#ints[at] = bucket;
    this.#size++;
    return at;
  }
}
