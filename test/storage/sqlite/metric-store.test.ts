import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import type { MetricStore } from '../../../core/ports.ts';
import { openMetricStore } from '../../../storage/sqlite/metric-store.ts';
import { metricStoreConformance } from '../../conformance/metric-store.ts';
import { scratchDirectory } from '../scratch.ts';

let scratch: ReturnType<typeof scratchDirectory>;
const directories = new WeakMap<MetricStore, string>();
let count = 0;

async function openIn(directory: string): Promise<MetricStore> {
  const store = await openMetricStore({ directory });
  directories.set(store, directory);
  return store;
}

beforeEach(() => {
  scratch = scratchDirectory();
});

afterEach(() => scratch.remove());

metricStoreConformance('sqlite', {
  open: async () => openIn(join(scratch.path, String(count++))),
  reopen: async (store) => {
    await store[Symbol.asyncDispose]();
    return openIn(directories.get(store) ?? scratch.path);
  },
  runs: 20,
});
