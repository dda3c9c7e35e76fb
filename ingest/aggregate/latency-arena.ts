import type { ByteWriter } from '../../core/bytes.ts';
import { LATENCY_BUCKETS, type LatencyHistogram } from '../../core/sketch/latency.ts';
import { grown } from '../parse/hash-table.ts';

const CLASSES = 5;
const FIRST_PAIRS = 2;
const DENSE_HEADER = -1;

/** Latency histograms of the open segment in one Int32Array: lists of (bucket, count) from 2 to 32 pairs, then one int per bucket. */
export class LatencyArena {
  #ints = new Int32Array(1 << 16);
  #length = 1;
  readonly #free = new Int32Array(CLASSES + 1);

  clear(): void {
    this.#length = 1;
    this.#free.fill(0);
  }

  get bytes(): number {
    return this.#ints.byteLength;
  }

  /** Counts a bucket; returns the histogram's offset, which may have changed. */
  add(histogram: number, bucket: number, count: number): number {
    if (histogram === 0) {
      const fresh = this.#allocate(0);
      const ints = this.#ints;
      ints[fresh] = 1;
      ints[fresh + 1] = bucket;
      ints[fresh + 2] = count;
      return fresh;
    }
    const ints = this.#ints;
    const header = ints[histogram] as number;
    if (header === DENSE_HEADER) {
      const at = histogram + 1 + bucket;
      ints[at] = (ints[at] as number) + count;
      return histogram;
    }
    const size = header & 0xff;
    const end = histogram + 1 + size * 2;
    for (let at = histogram + 1; at < end; at += 2) {
      if (ints[at] === bucket) {
        ints[at + 1] = (ints[at + 1] as number) + count;
        return histogram;
      }
    }
    const klass = header >>> 8;
    if (size < FIRST_PAIRS << klass) {
      ints[end] = bucket;
      ints[end + 1] = count;
      ints[histogram] = header + 1;
      return histogram;
    }
    const bigger = this.#allocate(klass + 1);
    const now = this.#ints;
    if (klass + 1 === CLASSES) {
      now.fill(0, bigger, bigger + 1 + LATENCY_BUCKETS);
      now[bigger] = DENSE_HEADER;
      for (let at = histogram + 1; at < end; at += 2) now[bigger + 1 + (now[at] as number)] = now[at + 1] as number;
      now[bigger + 1 + bucket] = (now[bigger + 1 + bucket] as number) + count;
    } else {
      now.copyWithin(bigger + 1, histogram + 1, end);
      now[bigger + 1 + size * 2] = bucket;
      now[bigger + 2 + size * 2] = count;
      now[bigger] = ((klass + 1) << 8) | (size + 1);
    }
    now[histogram] = this.#free[klass] as number;
    this.#free[klass] = histogram;
    return bigger;
  }

  free(histogram: number): void {
    if (histogram === 0) return;
    const header = this.#ints[histogram] as number;
    const klass = header === DENSE_HEADER ? CLASSES : header >>> 8;
    this.#ints[histogram] = this.#free[klass] as number;
    this.#free[klass] = histogram;
  }

  merge(into: number, from: number): number {
    let target = into;
    const pairs = this.#pairs(from).slice();
    for (let i = 0; i < pairs.length; i += 2) target = this.add(target, pairs[i] as number, pairs[i + 1] as number);
    return target;
  }

  restore(stored: LatencyHistogram): number {
    let histogram = 0;
    for (const [bucket, count] of stored.counts) histogram = this.add(histogram, bucket, count);
    return histogram;
  }

  /** As `LatencyHistogram.encode`: pairs by bucket, buckets as differences. */
  encode(histogram: number, out: ByteWriter): void {
    const pairs = this.#pairs(histogram);
    const size = pairs.length / 2;
    out.varint(size);
    // Insertion sort in place: lists are short and nearly stay in order from flush to flush.
    for (let i = 2; i < pairs.length; i += 2) {
      const bucket = pairs[i] as number;
      const count = pairs[i + 1] as number;
      let j = i;
      while (j > 0 && (pairs[j - 2] as number) > bucket) {
        pairs[j] = pairs[j - 2] as number;
        pairs[j + 1] = pairs[j - 1] as number;
        j -= 2;
      }
      pairs[j] = bucket;
      pairs[j + 1] = count;
    }
    let last = 0;
    for (let i = 0; i < pairs.length; i += 2) {
      const bucket = pairs[i] as number;
      out.varint(bucket - last);
      out.varint(pairs[i + 1] as number);
      last = bucket;
    }
  }

  /** The live list itself, or a fresh one made from a dense histogram. */
  #pairs(histogram: number): Int32Array {
    if (histogram === 0) return new Int32Array(0);
    const header = this.#ints[histogram] as number;
    if (header !== DENSE_HEADER) return this.#ints.subarray(histogram + 1, histogram + 1 + (header & 0xff) * 2);
    const pairs: number[] = [];
    for (let bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
      const count = this.#ints[histogram + 1 + bucket] as number;
      if (count !== 0) pairs.push(bucket, count);
    }
    return Int32Array.from(pairs);
  }

  #allocate(klass: number): number {
    const free = this.#free[klass] as number;
    if (free !== 0) {
      this.#free[klass] = this.#ints[free] as number;
      this.#ints[free] = klass << 8;
      return free;
    }
    const ints = klass === CLASSES ? 1 + LATENCY_BUCKETS : 1 + (FIRST_PAIRS << klass) * 2;
    while (this.#length + ints > this.#ints.length) {
      this.#ints = grown(this.#ints);
    }
    const at = this.#length;
    this.#length += ints;
    this.#ints[at] = klass << 8;
    return at;
  }
}
