import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../core/clock.ts';
import { Elasticsearch, openElasticsearch } from '../../../storage/elasticsearch/client.ts';
import { type ClusterHealth, diskStage, judgeHealth, readHealth } from '../../../storage/elasticsearch/health.ts';
import { startFakeIlmServer } from './fake-ilm-server.ts';
import { Prefixes, connect, isMissing } from './judge-cluster.ts';

const GIB = 2 ** 30;
const FINE: ClusterHealth = {
  cluster: 'prod',
  status: 'green',
  versions: ['8.19.0', '8.19.0'],
  nodes: 2,
  unassignedShards: 0,
  disks: [{ node: 'n1', totalBytes: 100 * GIB, freeBytes: 50 * GIB, stage: 'fine' }],
  isDiskGuarded: true,
  blocked: [],
  shards: 100,
  shardsMax: 2000,
  clockSkewMs: 200,
};

describe('what the health of a cluster means', () => {
  test('a sound cluster has nothing to do', () => {
    expect(judgeHealth(FINE).map(({ state, fix }) => [state, fix])).toEqual(Array.from({ length: 5 }, () => ['ok', '']));
  });

  const cases: readonly (readonly [string, Partial<ClusterHealth>, RegExp])[] = [
    ['a red cluster fails', { status: 'red', unassignedShards: 1 }, /^fail elasticsearch: prod: red/],
    ['replicas on a single node are explained', { status: 'yellow', nodes: 1, unassignedShards: 4 }, /^warn .*replicas: 0/],
    ['nodes of two versions', { versions: ['8.18.0', '8.19.0'] }, /^warn elasticsearch version: nodes run 8\.18\.0, 8\.19\.0/],
    ['indices that a full disk blocked', { blocked: ['kw-journal'] }, /^fail elasticsearch disk: 1 indices take no writes: kw-journal/],
    [
      'a disk over the flood stage',
      { disks: [{ node: 'n1', totalBytes: 100 * GIB, freeBytes: GIB, stage: 'flood' }] },
      /^fail elasticsearch disk: n1 has 1\.0 of 100\.0 GiB free: over the flood stage/,
    ],
    [
      'a disk over a watermark',
      { disks: [{ node: 'n1', totalBytes: 100 * GIB, freeBytes: 9 * GIB, stage: 'high' }] },
      /^warn elasticsearch disk: .*over the high watermark/,
    ],
    [
      'a full disk that nothing guards',
      { isDiskGuarded: false, disks: [{ node: 'n1', totalBytes: 100 * GIB, freeBytes: GIB, stage: 'flood' }] },
      /^warn elasticsearch disk: .*switched off/,
    ],
    ['shards at their limit', { shards: 2000 }, /^fail elasticsearch shards: 2000 of at most 2000/],
    ['shards near their limit', { shards: 1800 }, /^warn elasticsearch shards/],
    ['a clock that is behind', { clockSkewMs: -61_000 }, /^warn elasticsearch clock: 61\.0 s behind ours/],
    [
      'what may not be seen is not called fine',
      { disks: undefined, shardsMax: undefined, clockSkewMs: undefined, versions: [] },
      /^warn elasticsearch version: these credentials may not see it/,
    ],
  ];
  test.each(cases)('%s', (_name, over, want) => {
    const rows = judgeHealth({ ...FINE, ...over }).filter((row) => row.state !== 'ok');
    expect(rows.map((row) => `${row.state} ${row.name}: ${row.evidence}; ${row.fix}`)[0]).toMatch(want);
    expect(rows.every((row) => row.fix !== '')).toBe(true);
  });

  test('watermarks are shares with a headroom, or free space', () => {
    const stem = 'cluster.routing.allocation.disk.watermark';
    const defaults = new Map([
      [`${stem}.low`, '85%'],
      [`${stem}.low.max_headroom`, '200GB'],
      [`${stem}.high`, '0.9'],
      [`${stem}.high.max_headroom`, '-1'],
      [`${stem}.flood_stage`, '95%'],
      [`${stem}.flood_stage.max_headroom`, '100GB'],
    ]);
    const stage = (totalGib: number, freeGib: number, settings: ReadonlyMap<string, string> = defaults): string =>
      diskStage({ totalBytes: totalGib * GIB, freeBytes: freeGib * GIB }, settings);
    expect([stage(100, 16), stage(100, 14), stage(100, 9), stage(100, 4)]).toEqual(['fine', 'low', 'high', 'flood']);
    // 10 TiB: 5 % would be 512 GiB, but 100 are enough.
    expect([stage(10_240, 1100), stage(10_240, 150), stage(10_240, 99)]).toEqual(['fine', 'high', 'flood']);
    const absolute = new Map([
      [`${stem}.low`, '30gb'],
      [`${stem}.high`, '20gb'],
      [`${stem}.flood_stage`, '512mb'],
    ]);
    expect([stage(100, 31, absolute), stage(100, 25, absolute), stage(100, 0.6, absolute), stage(100, 0.4, absolute)]).toEqual([
      'fine',
      'low',
      'high',
      'flood',
    ]);
  });
});

describe.skipIf(isMissing)('the health of a real elasticsearch', () => {
  const prefixes = new Prefixes();
  let elasticsearch: Elasticsearch;

  beforeAll(async () => {
    elasticsearch = await connect();
  });
  afterAll(async () => {
    await prefixes.remove(elasticsearch);
    await elasticsearch[Symbol.asyncDispose]();
  });

  test('is read: version, nodes, disks, shards and the clock', async () => {
    const health = await readHealth(elasticsearch, prefixes.next());
    expect(health).toMatchObject({ nodes: 1, versions: [elasticsearch.version], shardsMax: 1000, blocked: [] });
    expect(['green', 'yellow', 'red']).toContain(health.status);
    expect(health.disks?.[0]?.totalBytes).toBeGreaterThan(GIB);
    // One machine, one clock.
    expect(Math.abs(health.clockSkewMs ?? Number.NaN)).toBeLessThan(5000);
  });

  test('names an index that takes no writes', async () => {
    const prefix = prefixes.next();
    const { client } = elasticsearch;
    for (const name of ['blocked', 'open']) await client.indices.create({ index: `${prefix}-${name}`, settings: { number_of_replicas: 0 } });
    await client.indices.putSettings({ index: `${prefix}-blocked`, settings: { 'index.blocks.read_only_allow_delete': true } });
    expect((await readHealth(elasticsearch, prefix)).blocked).toEqual([`${prefix}-blocked`]);
  });

  test('a clock of ours that is wrong is noticed', async () => {
    await using ahead = new Elasticsearch((await connect()).client, {
      clock: { ...systemClock, now: () => systemClock.now() + 3_600_000 },
      random: () => 0,
      nodes: [],
    });
    expect((await readHealth(ahead, prefixes.next())).clockSkewMs).toBeLessThan(-3_590_000);
  });
});

test('where a proxy says the time in its header, that is taken', async () => {
  await using fake = await startFakeIlmServer({ date: 'Tue, 24 Nov 2026 12:00:00 GMT' });
  const noon = Date.UTC(2026, 10, 24, 12);
  await using elasticsearch = await openElasticsearch({ nodes: [fake.node] }, { clock: { ...systemClock, now: () => noon - 30_000 }, random: () => 0 });
  fake.forbidden.add('/_cluster/settings').add('/kw-');
  const health = await readHealth(elasticsearch, 'kw');
  expect(health).toMatchObject({ clockSkewMs: 30_500, disks: undefined, shardsMax: undefined, blocked: undefined });
});
