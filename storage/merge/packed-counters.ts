import type { ByteReader } from '../../core/bytes.ts';
import { C, COUNTERS, COUNTER_COUNT, type Counters } from '../../core/counters.ts';

const SUM = 0;
const MAX = 1;
const MIN = 2;
const MERGES = Uint8Array.from(COUNTERS, (counter) => (counter.merge === 'sum' ? SUM : counter.merge === 'max' ? MAX : MIN));

/** Makes `into` the counters of no events. */
export function clearCounters(into: Counters): void {
  into.fill(0);
  into[C.first] = Number.POSITIVE_INFINITY;
}

/**
 * Merges the packed counters at the reader's position into `into`, without an array of their own: the same
 * result as `mergeCounters(into, decodeCounters(input))`. The store reads every row it writes with this
 * (test/bench/store.ts).
 */
export function mergePackedCounters(input: ByteReader, into: Counters): void {
  const map = input.varint();
  let first = 0;
  for (let i = 0; i < COUNTER_COUNT; i++) {
    if ((map & (1 << i)) === 0) continue;
    let value = input.varint();
    if (i === C.first) first = value;
    else if (i === C.last) value += first;
    const before = into[i] as number;
    const merge = MERGES[i];
    if (merge === SUM) into[i] = before + value;
    else if (merge === MAX ? value > before : value < before) into[i] = value;
  }
}
