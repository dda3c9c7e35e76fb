import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import type { MetricStore } from '../../../core/ports.ts';
import type { Elasticsearch } from '../../../storage/elasticsearch/client.ts';
import { openMetricStore } from '../../../storage/elasticsearch/metric-store.ts';
import { metricStoreConformance } from '../../conformance/metric-store.ts';
import { elasticsearch, fresh, lacks } from '../../services/needs.ts';
import { deletePrefix, openCluster } from './cluster.ts';

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
  afterAll(() => cluster[Symbol.asyncDispose]());

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
    // Each makes a dozen indices.
    runs: 3,
  });
});
