import { setTimeout as delay } from 'node:timers/promises';
import { C, at } from '../../../core/counters.ts';
import { openMetricStore } from '../../../storage/sqlite/metric-store.ts';

/** What a data directory holds: per owner and minute the requests, and what was read of the logs. */
export type StoredCounts = {
  readonly records: number;
  readonly rejected: number;
  readonly requests: number;
  readonly owners: ReadonlyMap<string, number>;
  /** `entity minute` to requests. */
  readonly minutes: ReadonlyMap<string, number>;
  readonly positions: readonly { readonly name: string; readonly next: number }[];
};

/** Reads the store as a second process may, while the first one writes or when it is gone. */
export async function storedCounts(directory: string): Promise<StoredCounts> {
  await using store = await openMetricStore({ directory, readOnly: true });
  const owners = new Map<string, number>();
  const minutes = new Map<string, number>();
  for await (const { entity, window, counters } of store.windows({ from: 0, to: Number.MAX_SAFE_INTEGER, resolution: 'minute' })) {
    if (entity.startsWith('network:')) continue;
    const requests = at(counters, C.requests);
    owners.set(entity, (owners.get(entity) ?? 0) + requests);
    minutes.set(`${entity} ${window.start / 60_000}`, requests);
  }
  const sources = await store.sources();
  return {
    records: sources.reduce((sum, { records }) => sum + records, 0),
    rejected: sources.reduce((sum, { rejects }) => sum + Object.values(rejects).reduce((count, reject) => count + reject.count, 0), 0),
    requests: [...owners.values()].reduce((sum, requests) => sum + requests, 0),
    owners,
    minutes,
    positions: sources.map(({ name, next }) => ({ name, next })),
  };
}

/** Resolves once the store holds `records` records. Looks every 50 ms: another process has no other way to tell. */
export async function untilStored(directory: string, records: number, timeoutMs = 40_000): Promise<void> {
  const started = performance.now();
  for (let found = 0; found < records; await delay(50)) {
    try {
      found = await storedRecords(directory);
    } catch {
      // Not there yet.
    }
    if (performance.now() - started > timeoutMs) throw new Error(`${found} of ${records} records were stored within ${timeoutMs / 1000} s`);
  }
}

export async function storedRecords(directory: string): Promise<number> {
  await using store = await openMetricStore({ directory, readOnly: true });
  return (await store.sources()).reduce((sum, source) => sum + source.records, 0);
}
