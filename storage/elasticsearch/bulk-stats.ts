import type { DurationMs } from '../../core/types.ts';

/** Upper bounds of the latency buckets; the last bucket is open. */
export const BULK_LATENCY_BOUNDS_MS: readonly DurationMs[] = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000];

/** What the bulk writer did since it was made. Counters only grow. */
export type BulkStats = {
  /** Requests that were sent, repeated ones too. */
  requests: number;
  /** Documents that Elasticsearch acknowledged, conflicts included. */
  documents: number;
  /** Of those, the ones where the same or a newer version was there already. */
  conflicts: number;
  /** Bytes of acknowledged requests. */
  bytes: number;
  /** Requests that were repeated after a fault that may pass. */
  retries: number;
  /** Answers that asked to slow down (429). */
  overloads: number;
  /** Writes that were given up, for now or for good. */
  failures: number;
  /** One more than there are bounds. */
  readonly latencyCounts: number[];
  latencySumMs: number;
};

export function emptyBulkStats(): BulkStats {
  return {
    requests: 0,
    documents: 0,
    conflicts: 0,
    bytes: 0,
    retries: 0,
    overloads: 0,
    failures: 0,
    latencyCounts: Array.from({ length: BULK_LATENCY_BOUNDS_MS.length + 1 }, () => 0),
    latencySumMs: 0,
  };
}

export function addLatency(stats: BulkStats, ms: DurationMs): void {
  const bucket = BULK_LATENCY_BOUNDS_MS.findIndex((bound) => ms <= bound);
  const place = bucket === -1 ? BULK_LATENCY_BOUNDS_MS.length : bucket;
  stats.latencyCounts[place] = (stats.latencyCounts[place] ?? 0) + 1;
  stats.latencySumMs += ms;
}
