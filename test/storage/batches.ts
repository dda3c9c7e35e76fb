import type { PartialBatch } from '../../core/partial.ts';
import { entityId } from '../../core/types.ts';
import { BASE, cellsOf } from '../conformance/history.ts';

export const ROWS_PER_BATCH = 50;
/** The batches go round over these many minutes. */
export const MINUTES = 30;

/** Sealed segment number `index`: 50 keys with `index + 1` requests each, so that a torn or a doubled batch shows in the sum. */
export function numberedBatch(index: number): PartialBatch {
  const requests = index + 1;
  const cells = cellsOf({
    requests,
    s2xx: requests,
    s401: 0,
    failedAuth: 0,
    bytesOut: requests * 10,
    latencySum: 0,
    addresses: new Map([['203.0.113.7', requests]]),
  });
  return {
    segment: { source: 1, partition: 0, generation: 1, start: index },
    next: index + 1,
    isSealed: true,
    rows: Array.from({ length: ROWS_PER_BATCH }, (_, key) => ({ window: BASE + (index % MINUTES), entity: entityId('key', `k${key}`), cells })),
    held: [],
    gone: [],
    aliases: [],
    rejects: {},
    dropped: 0,
    records: ROWS_PER_BATCH * requests,
    newest: (BASE + (index % MINUTES)) * 60_000,
  };
}

/** Requests in the first `batches` numbered batches. */
export function requestsIn(batches: number): number {
  return (ROWS_PER_BATCH * batches * (batches + 1)) / 2;
}
