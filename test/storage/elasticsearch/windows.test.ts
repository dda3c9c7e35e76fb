import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../../core/clock.ts';
import { C, emptyCounters } from '../../../core/counters.ts';
import { hashLanes, hashText } from '../../../core/hash.ts';
import type { WindowDocument, WindowStore } from '../../../core/ports.ts';
import { latencyBucket } from '../../../core/sketch/latency.ts';
import { type Dimension, Sketch } from '../../../core/sketch/sketch.ts';
import { Tally, type TallyItem, compareItems } from '../../../core/sketch/tally.ts';
import { OK, entityId } from '../../../core/types.ts';
import { DAY_MS, windowOf } from '../../../core/window.ts';
import { BulkWriter } from '../../../storage/elasticsearch/bulk-writer.ts';
import { Elasticsearch } from '../../../storage/elasticsearch/client.ts';
import { retainJudgeIndices } from '../../../storage/elasticsearch/judge-retention.ts';
import { windowDocument } from '../../../storage/elasticsearch/window-document.ts';
import { windowStore } from '../../../storage/elasticsearch/windows.ts';
import { LAST_MINUTE, findingOf, windowConformance, windowOfKey } from '../../conformance/windows.ts';
import { Prefixes, connect, isMissing, startProxy } from './judge-cluster.ts';

const prefixes = new Prefixes();

/** A tally of these values with their counts, as an ingester makes it. */
function tallyOf(values: Readonly<Record<string, number>>): Tally {
  const items = Object.entries(values).map(([text, count]): TallyItem => {
    hashText(text);
    return { hi: hashLanes.hi, lo: hashLanes.lo, text, count, failed: 0, over: 0 };
  });
  return new Tally(items.sort(compareItems));
}

function sketchOf(tallies: Partial<Record<Dimension, Readonly<Record<string, number>>>>, latenciesUs: readonly number[] = []): Sketch {
  const sketch = new Sketch();
  for (const [dimension, values] of Object.entries(tallies)) sketch.tallies.set(dimension as Dimension, tallyOf(values));
  for (const us of latenciesUs) sketch.latency.add(latencyBucket(us), 1);
  return sketch;
}

describe('a window for dashboards', () => {
  const busy: WindowDocument = (() => {
    const counters = emptyCounters();
    const counts = { requests: 200, s2xx: 150, s3xx: 10, s4xx: 25, s5xx: 10, aborted: 5, s401: 6, s403: 4, s429: 5, failedAuth: 11 };
    const more = {
      bytesIn: 1000,
      bytesInKnown: 200,
      bytesOut: 9000,
      bytesOutKnown: 199,
      reads: 120,
      writes: 80,
      latencyKnown: 4,
      latencySum: 100_000,
      latencyMax: 70_000,
    };
    for (const [name, value] of Object.entries({ ...counts, ...more, first: 1000, last: 59_000 })) counters[C[name as keyof typeof C]] = value;
    const routes = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`/route/${i}`, 12 - i]));
    const sketch = sketchOf(
      {
        address: { '203.0.113.7': 150, '203.0.113.8': 40, '198.51.100.1': 10 },
        country: { DE: 190, FR: 10 },
        agent: { 'curl/8.5.0': 200 },
        route: routes,
        asn: { AS64500: 200 },
      },
      [10_000, 10_000, 10_000, 70_000],
    );
    const owner = { entity: entityId('key', 'kf1_9f'), resolution: 'minute', window: windowOf(100), counters, sketch: () => sketch } as const;
    return { ...owner, label: 'billing', plan: 'gold', score: 71.5, expected: 180, low: 120, high: 240 };
  })();

  test('has flat fields with units, and rates that are ready to be shown', () => {
    const document = windowDocument(busy, 42);
    expect(document).toMatchObject({
      '@timestamp': 6_000_000,
      key: 'key:kf1_9f',
      kind: 'key',
      name: 'kf1_9f',
      label: 'billing',
      plan: 'gold',
      requests: 200,
      status_1xx: 0,
      status_2xx: 150,
      status_3xx: 10,
      status_4xx: 25,
      status_5xx: 10,
      aborted: 5,
      status_401: 6,
      status_403: 4,
      status_429: 5,
      errors: 20,
      error_rate: 0.1,
      failed_auth: 11,
      bytes: 10_000,
      bytes_in: 1000,
      bytes_out: 9000,
      reads: 120,
      writes: 80,
      latency_avg_ms: 25,
      latency_max_ms: 70,
      ips: 3,
      networks: 2,
      agents: 1,
      routes: 12,
      countries: 2,
      asns: 1,
      top_ips: ['203.0.113.7', '203.0.113.8', '198.51.100.1'],
      top_countries: ['DE', 'FR'],
      top_agents: ['curl/8.5.0'],
      first_event: 1000,
      last_event: 59_000,
      score: 71.5,
      expected: 180,
      low: 120,
      high: 240,
      seq: 42,
    });
    expect(document['top_routes']).toEqual(Array.from({ length: 8 }, (_, i) => `/route/${i}`));
    // The histogram's buckets are within 3.2 %.
    expect(document['latency_p50_ms']).toBeCloseTo(10, 0);
    expect(Math.abs(Number(document['latency_p99_ms']) - 70)).toBeLessThan(70 * 0.032);
    expect(document['latency']).toBeUndefined();
  });

  test('leaves out what the source does not show, instead of saying 0', () => {
    const counters = emptyCounters();
    counters[C.requests] = 3;
    const document = JSON.parse(JSON.stringify(windowDocument({ ...busy, counters, sketch: () => new Sketch() }, 1))) as Record<string, unknown>;
    const unknown = Object.keys(document).filter((name) =>
      /latency|bytes|ips|networks|agents|routes|countries|asns|top_|reads|writes|attempted|first|last/.test(name),
    );
    expect(unknown).toEqual([]);
    expect(document).toMatchObject({ requests: 3, status_5xx: 0, error_rate: 0 });
    const bare = JSON.parse(JSON.stringify(windowDocument(windowOfKey({ requests: 0 }), 1))) as Record<string, unknown>;
    for (const name of ['plan', 'score', 'expected', 'low', 'high', 'error_rate']) expect(bare).not.toHaveProperty(name);
  });

  test('names no text longer than a name, and none that is known by its hash only', () => {
    const long = 'x'.repeat(1000);
    const sketch = sketchOf({ agent: { [long]: 5, short: 3 } });
    sketch.tallies.get('agent')?.items.push({ hi: 1, lo: 1, count: 1, failed: 0, over: 0 });
    const document = windowDocument({ ...busy, sketch: () => sketch }, 1);
    expect(document['top_agents']).toEqual([`${'x'.repeat(255)}…`, 'short']);
    expect(document['agents']).toBe(3);
  });

  test('holds the whole latency distribution where the server has the type for it', () => {
    const document = windowDocument(busy, 1, { histogram: true });
    const { values, counts } = document['latency'] as { readonly values: readonly number[]; readonly counts: readonly number[] };
    expect(counts).toEqual([3, 1]);
    expect(values.map((value) => Math.round(value / 10))).toEqual([1, 7]);
    expect(windowDocument({ ...busy, sketch: () => new Sketch() }, 1, { histogram: true })['latency']).toBeUndefined();
  });
});

describe.skipIf(isMissing)('windows in elasticsearch', () => {
  let elasticsearch: Elasticsearch;
  const prefixOf = new WeakMap<WindowStore, string>();

  beforeAll(async () => {
    elasticsearch = await connect();
  });
  afterAll(async () => {
    await prefixes.remove(elasticsearch);
    await elasticsearch[Symbol.asyncDispose]();
  });

  function open(prefix = prefixes.next(), over: Partial<Parameters<typeof windowStore>[0]> = {}): WindowStore {
    const store = windowStore({ elasticsearch, prefix, replicas: 0, ...over });
    prefixOf.set(store, prefix);
    return store;
  }

  async function read<T>(store: WindowStore, index: string): Promise<readonly T[]> {
    const { client } = elasticsearch;
    const name = `${prefixOf.get(store)}-${index}-*`;
    await client.indices.refresh({ index: name });
    const { hits } = await client.search<T>({ index: name, size: 100 });
    return hits.hits.flatMap((hit) => (hit._source === undefined ? [] : [hit._source]));
  }

  type Stored = { readonly key: string; readonly '@timestamp': number; readonly requests: number; readonly label: string };

  windowConformance('elasticsearch', {
    open: async () => open(),
    windows: async (store) =>
      (await read<Stored>(store, 'window')).map((stored) => ({
        entity: stored.key,
        start: stored['@timestamp'],
        requests: stored.requests,
        label: stored.label,
      })),
    findings: async (store) => (await read<{ readonly id: string; readonly why: string }>(store, 'finding')).map(({ id, why }) => ({ id, why })),
  });

  test('windows go to the index of their day and findings to that of their month, with types that dashboards can use', async () => {
    const prefix = prefixes.next();
    const store = open(prefix);
    const quiet = { ...windowOfKey({ requests: 1, minute: LAST_MINUTE + 1 }), score: 12.5, expected: 3 };
    await store.putWindows([{ ...windowOfKey({ requests: 600 }), sketch: () => sketchOf({ route: { '/pay': 600 } }) }, quiet], 1);
    await store.putFindings([findingOf()]);
    const { client } = elasticsearch;
    const names = Object.keys(await client.indices.get({ index: `${prefix}-*` })).sort();
    expect(names).toEqual([`${prefix}-finding-2026.11`, `${prefix}-window-2026.11.23`, `${prefix}-window-2026.11.24`]);
    await client.indices.refresh({ index: `${prefix}-window` });
    const answer = await client.search({
      index: `${prefix}-window`,
      size: 0,
      query: { range: { '@timestamp': { gte: '2026-11-23T23:59:00Z', lt: '2026-11-24T00:01:00Z' } } },
      aggs: {
        perMinute: {
          date_histogram: { field: '@timestamp', fixed_interval: '1m' },
          aggs: { rate: { max: { field: 'requests' } }, keys: { cardinality: { field: 'key' } } },
        },
        routes: { terms: { field: 'top_routes' } },
        errors: { sum: { field: 'errors' } },
        score: { max: { field: 'score' } },
        latency: { avg: { field: 'latency_avg_ms' } },
      },
    });
    expect(answer.aggregations).toMatchObject({
      perMinute: { buckets: [{ doc_count: 1, rate: { value: 600 }, keys: { value: 1 } }, { rate: { value: 1 } }] },
      routes: { buckets: [{ key: '/pay', doc_count: 1 }] },
      errors: { value: 0 },
      score: { value: 12.5 },
      // Unknown is no 0 that would pull an average down.
      latency: { value: null },
    });
    await client.indices.refresh({ index: `${prefix}-finding` });
    const again = await client.search({
      index: `${prefix}-finding`,
      size: 0,
      aggs: { rules: { terms: { field: 'rule' } }, what: { terms: { field: 'dimensions' } } },
    });
    expect(again.aggregations).toMatchObject({ rules: { buckets: [{ key: 'requests-per-minute' }] }, what: { buckets: [{ key: 'route' }] } });
  });

  test('old days and months go by name, nothing else does, and a late write does not bring them back', async () => {
    const prefix = prefixes.next();
    const noon = Date.UTC(2026, 10, 24, 12);
    const clock: Clock = { ...systemClock, now: () => noon };
    await using at = new Elasticsearch((await connect()).client, { clock, random: Math.random, nodes: [] });
    const everything = open(prefix);
    const retention = { windowsMs: 2 * DAY_MS, findingsMs: 30 * DAY_MS };
    const day = (days: number): number => LAST_MINUTE - days * 1440;
    await everything.putWindows(
      [0, 1, 2, 3].map((days) => windowOfKey({ requests: days, minute: day(days) })),
      1,
    );
    await everything.putFindings([
      findingOf(),
      findingOf({ id: 'september', window: windowOf(day(60)) }),
      findingOf({ id: 'october', window: windowOf(day(25)) }),
    ]);
    await elasticsearch.client.indices.create({ index: `${prefix}-window-notes` });
    // The day of the 22nd ended 36 hours ago and is kept; that of the 21st ended 60 hours ago.
    const dropped = [`${prefix}-finding-2026.09`, `${prefix}-window-2026.11.20`, `${prefix}-window-2026.11.21`];
    expect(await retainJudgeIndices(elasticsearch, prefix, retention, noon)).toEqual(dropped);
    const late = windowStore({ elasticsearch: at, prefix, writer: new BulkWriter(at), retention });
    expect(
      await late.putWindows(
        [0, 1, 2, 3].map((days) => windowOfKey({ requests: 50, minute: day(days) })),
        2,
      ),
    ).toEqual(OK);
    expect(await late.putFindings([findingOf({ id: 'late', window: windowOf(day(60)) })])).toEqual(OK);
    const names = Object.keys(await elasticsearch.client.indices.get({ index: `${prefix}-*` })).sort();
    expect(names).toEqual([
      `${prefix}-finding-2026.10`,
      `${prefix}-finding-2026.11`,
      `${prefix}-window-2026.11.22`,
      `${prefix}-window-2026.11.23`,
      `${prefix}-window-notes`,
    ]);
    expect(await retainJudgeIndices(elasticsearch, prefix, retention, noon)).toEqual([]);
  });

  test('a cluster that does not answer is an outcome that may be tried again, and then works', async () => {
    await using proxy = await startProxy();
    await using shaky = await connect(proxy.node);
    const prefix = prefixes.next();
    const store = open(prefix, { elasticsearch: shaky, writer: new BulkWriter(shaky, { patienceMs: 0 }) });
    proxy.decide((_, path) => (path.includes('_bulk') ? 'refuse' : 'pass'));
    expect(await store.putWindows([windowOfKey({ requests: 1 })], 1)).toMatchObject({ ok: false, retryable: true });
    expect(await store.putFindings([findingOf()])).toMatchObject({ ok: false, retryable: true });
    proxy.decide(() => 'pass');
    expect(await store.putWindows([windowOfKey({ requests: 1 })], 1)).toEqual(OK);
    expect(await read<Stored>(store, 'window')).toHaveLength(1);
  });
});
