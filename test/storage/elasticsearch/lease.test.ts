import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Elasticsearch } from '../../../storage/elasticsearch/client.ts';
import { openLeaseStore } from '../../../storage/elasticsearch/lease.ts';
import { leaseConformance } from '../../conformance/lease.ts';
import { Prefixes, connect, isMissing, startProxy } from './judge-cluster.ts';

const prefixes = new Prefixes();

describe.skipIf(isMissing)('leases in elasticsearch', () => {
  let one: Elasticsearch;
  let other: Elasticsearch;

  beforeAll(async () => {
    [one, other] = [await connect(), await connect()];
  });
  afterAll(async () => {
    await prefixes.remove(one);
    await one[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
  });

  leaseConformance('elasticsearch', {
    openTwo: async () => {
      const prefix = prefixes.next();
      return [await openLeaseStore({ elasticsearch: one, prefix }), await openLeaseStore({ elasticsearch: other, prefix })];
    },
    racers: 8,
    races: 10,
  });

  test('a write whose answer is lost is known to be written', async () => {
    await using proxy = await startProxy();
    await using shaky = await connect(proxy.node);
    const store = await openLeaseStore({ elasticsearch: shaky, prefix: prefixes.next() });
    for (const [expected, next] of [
      [undefined, { holder: 'a', beat: 1 }],
      [
        { holder: 'a', beat: 1 },
        { holder: 'a', beat: 2 },
      ],
    ] as const) {
      let lost = 0;
      proxy.decide((method) => (method === 'PUT' && lost++ === 0 ? 'lose' : 'pass'));
      expect(await store.write('judge', expected, next)).toBe('written');
      expect(lost).toBeGreaterThan(1);
    }
    expect(await store.read('judge')).toEqual({ holder: 'a', beat: 2 });
  });

  test('a write that arrives late, after somebody else wrote, is lost and changes nothing', async () => {
    await using proxy = await startProxy();
    await using shaky = await connect(proxy.node);
    const prefix = prefixes.next();
    const store = await openLeaseStore({ elasticsearch: shaky, prefix, patienceMs: 0 });
    const steady = await openLeaseStore({ elasticsearch: one, prefix });
    expect(await steady.write('judge', undefined, { holder: 'a', beat: 1 })).toBe('written');
    proxy.decide((method) => (method === 'PUT' ? 'late' : 'pass'));
    await expect(store.write('judge', { holder: 'a', beat: 1 }, { holder: 'slow', beat: 1 })).rejects.toMatchObject({
      name: 'ElasticsearchFault',
      isRetryable: true,
    });
    expect(await steady.write('judge', { holder: 'a', beat: 1 }, { holder: 'a', beat: 2 })).toBe('written');
    await proxy.release();
    expect(await steady.read('judge')).toEqual({ holder: 'a', beat: 2 });
  });

  test('when the leases cannot be read nobody is told that one is free', async () => {
    const prefix = prefixes.next();
    const store = await openLeaseStore({ elasticsearch: one, prefix, patienceMs: 0 });
    await one.client.indices.delete({ index: `${prefix}-lease` });
    await expect(store.read('judge')).rejects.toMatchObject({ name: 'ElasticsearchFault' });
    await expect(store.write('judge', undefined, { holder: 'a', beat: 1 })).rejects.toMatchObject({ name: 'ElasticsearchFault' });
  });
});
