import type { ByteReader, ByteWriter } from '../../core/bytes.ts';
import { LATENCY_BUCKETS } from '../../core/sketch/latency.ts';

/** Adds up packed latency histograms; reused from group to group. */
export class LatencyMerger {
  readonly #counts = new Float64Array(LATENCY_BUCKETS);
  #used = 0;

  clear(): void {
    if (this.#used > 0) this.#counts.fill(0);
    this.#used = 0;
  }

  add(input: ByteReader): void {
    const size = input.varint();
    let bucket = 0;
    for (let i = 0; i < size; i++) {
      bucket += input.varint();
      const before = this.#counts[bucket] as number;
      if (before === 0) this.#used++;
      this.#counts[bucket] = before + input.varint();
    }
  }

  encode(out: ByteWriter): void {
    out.varint(this.#used);
    if (this.#used === 0) return;
    let last = 0;
    for (let bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
      const count = this.#counts[bucket] as number;
      if (count === 0) continue;
      out.varint(bucket - last);
      out.varint(count);
      last = bucket;
    }
  }

  static skip(input: ByteReader): void {
    for (let rest = input.varint() * 2; rest > 0; rest--) input.varint();
  }
}
