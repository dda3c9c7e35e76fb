import type { ByteReader, ByteWriter } from '../bytes.ts';

/**
 * Log-bucket histogram of integer microseconds: exact below 16, then 16 buckets per octave, so a quantile is
 * within 3.2 % of the true value. Merging adds counts, so it is exact whatever the order.
 */
export const LATENCY_BUCKETS = 448;
/** 2^31 - 1 us, 35 minutes: longer requests count there. */
export const LATENCY_MAX_US = 0x7fffffff;

export function latencyBucket(us: number): number {
  if (us < 16) return us;
  const value = us > LATENCY_MAX_US ? LATENCY_MAX_US : us;
  const exponent = 31 - Math.clz32(value);
  return ((exponent - 3) << 4) | ((value >>> (exponent - 4)) & 15);
}

/** The middle of a bucket, in microseconds. */
export function latencyOf(bucket: number): number {
  if (bucket < 16) return bucket;
  const exponent = (bucket >>> 4) + 3;
  const width = 2 ** (exponent - 4);
  return (16 + (bucket & 15)) * width + (width - 1) / 2;
}

export class LatencyHistogram {
  /** Bucket to count, buckets ascending. */
  readonly counts = new Map<number, number>();

  add(bucket: number, count: number): void {
    this.counts.set(bucket, (this.counts.get(bucket) ?? 0) + count);
  }

  merge(other: LatencyHistogram): void {
    for (const [bucket, count] of other.counts) this.add(bucket, count);
  }

  /** Microseconds at quantile `q` (0..1); undefined when nothing was measured. */
  quantile(q: number): number | undefined {
    const entries = [...this.counts].sort((a, b) => a[0] - b[0]);
    const total = entries.reduce((sum, [, count]) => sum + count, 0);
    if (total === 0) return undefined;
    const rank = Math.min(total, Math.max(1, Math.ceil(q * total)));
    let seen = 0;
    for (const [bucket, count] of entries) {
      seen += count;
      if (seen >= rank) return latencyOf(bucket);
    }
    return undefined;
  }

  encode(out: ByteWriter): void {
    const entries = [...this.counts].sort((a, b) => a[0] - b[0]);
    out.varint(entries.length);
    let last = 0;
    for (const [bucket, count] of entries) {
      out.varint(bucket - last);
      out.varint(count);
      last = bucket;
    }
  }

  static decode(input: ByteReader): LatencyHistogram {
    const histogram = new LatencyHistogram();
    const size = input.varint();
    let bucket = 0;
    for (let i = 0; i < size; i++) {
      bucket += input.varint();
      histogram.counts.set(bucket, input.varint());
    }
    return histogram;
  }
}
