import { afterAll, afterEach, beforeAll, describe, vi } from 'vitest';
import type { MetricStore } from '../../../core/ports.ts';
import type { Elasticsearch } from '../../../storage/elasticsearch/client.ts';
import { openMetricStore } from '../../../storage/elasticsearch/metric-store.ts';
import { metricStoreConformance } from '../../conformance/metric-store.ts';
import { elasticsearch, fresh, lacks } from '../../services/needs.ts';
import { deletePrefix, openCluster } from './cluster.ts';

// Every history makes a dozen indices: seconds on a quiet machine, a minute on a busy one.
vi.setConfig({ testTimeout: 300_000 });

describe.skipIf(lacks('elasticsearch'))('on a real Elasticsearch', () => {
  let cluster: Elasticsearch;
  const prefixes = new WeakMap<MetricStore, string>();
  const used: string[] = [];

  const openOn = async (prefix: string): Promise<MetricStore> => {
    const store = await openMetricStore({ prefix, replicas: 0 }, { elasticsearch: cluster });
    prefixes.set(store, prefix);
    return store;
  };

  beforeAll(async () => {
    cluster = await openCluster(await elasticsearch());
  });
  afterEach(async () => {
    for (const prefix of used.splice(0)) await deletePrefix(cluster, prefix);
  });
  afterAll(async () => {
    vi.resetConfig();
    await cluster[Symbol.asyncDispose]();
  });

  metricStoreConformance('elasticsearch', {
    open: () => {
      const prefix = fresh('kw-store');
      used.push(prefix);
      return openOn(prefix);
    },
    reopen: async (store) => {
      await store[Symbol.asyncDispose]();
      return openOn(prefixes.get(store) ?? '');
    },
    runs: 2,
  });
});
