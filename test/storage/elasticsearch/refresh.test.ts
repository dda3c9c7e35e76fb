import { describe, expect, test } from 'vitest';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { FakeElasticsearch } from '../../support/fake-elasticsearch.ts';
import { elasticsearch, fresh, lacks } from '../../services/needs.ts';
import { BASE, batchesOf } from '../../conformance/history.ts';
import { openElasticsearch } from '../../../storage/elasticsearch/client.ts';
import { openMetricStore } from '../../../storage/elasticsearch/metric-store.ts';
import { refresh } from '../../../storage/elasticsearch/read-docs.ts';
import { systemClock } from '../../../core/clock.ts';
import { deletePrefix, openCluster } from './cluster.ts';

describe('a refresh of which a shard failed', () => {
  test('is asked for again: what was written before could be missing from what is read', async () => {
    await using fake = await new FakeElasticsearch().listen();
    await using cluster = await openElasticsearch({ nodes: [fake.url] }, { clock: systemClock, random: () => 0 });
    fake.failedRefreshes = 2;
    await refresh(cluster, ['rows']);
    expect(fake.refreshes).toBe(3);
  });

  test('for too long is a fault that may pass, and says which shard and why', async () => {
    await using fake = await new FakeElasticsearch().listen();
    const clock = new VirtualClock(0);
    await using cluster = await openElasticsearch({ nodes: [fake.url] }, { clock, random: () => 0.5 });
    fake.failedRefreshes = Number.POSITIVE_INFINITY;
    await expect(refresh(cluster, ['rows'], { patienceMs: 0 })).rejects.toMatchObject({
      isRetryable: true,
      message: 'elasticsearch: refreshing rows: 1 of 2 shards failed: one/0: engine_exception of the fake',
    });
  });

  test('of some shards that are not there is none: a cluster of one node has no copies', async () => {
    await using fake = await new FakeElasticsearch().listen();
    await using cluster = await openElasticsearch({ nodes: [fake.url] }, { clock: systemClock, random: () => 0 });
    await refresh(cluster, ['rows']);
    expect(fake.refreshes).toBe(1);
  });
});

test.skipIf(lacks('elasticsearch'))(
  'a resume from stored rows goes on behind all of them, also when the first refresh fails on a shard',
  async () => {
    const url = await elasticsearch();
    const prefix = fresh('kw-refresh');
    await using cluster = await openCluster(url);
    await using fake = await new FakeElasticsearch({ behind: url }).listen();
    try {
      await using store = await openMetricStore({ prefix, replicas: 0 }, { elasticsearch: cluster });
      const source = await store.source('topic');
      const events = Array.from({ length: 20 }, (_, key) => ({ window: BASE, key, isAccepted: true, bytes: 1, address: key, us: 1 }));
      const batches = batchesOf({ events, flushes: [10, 20] }, { source, index: 0, isSealed: false });
      for (const batch of batches) expect(await store.put(batch)).toEqual({ ok: true });
      await using behindFake = await openCluster(fake.url);
      await using other = await openMetricStore({ prefix, replicas: 0 }, { elasticsearch: behindFake });
      fake.failedRefreshes = 3;
      const resumed = await other.resume(source, 0);
      expect(resumed).toMatchObject({ next: batches.at(-1)?.next, isSealed: false });
      expect(resumed?.rows.length).toBe(new Set(batches.flatMap(({ rows }) => rows.map(({ entity }) => entity))).size);
      expect(fake.refreshes).toBeGreaterThan(3);
    } finally {
      await deletePrefix(cluster, prefix);
    }
  },
  60_000,
);
