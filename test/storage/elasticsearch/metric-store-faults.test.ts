/** What only a store of many processes without transactions can get wrong, on a real Elasticsearch. */
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { encodeCells } from '../../../core/cells.ts';
import { systemClock } from '../../../core/clock.ts';
import { C, emptyCounters } from '../../../core/counters.ts';
import type { PartialBatch } from '../../../core/partial.ts';
import type { MetricStore, Retention } from '../../../core/ports.ts';
import { Sketch } from '../../../core/sketch/sketch.ts';
import { type EntityId, entityId } from '../../../core/types.ts';
import { BulkWriter } from '../../../storage/elasticsearch/bulk-writer.ts';
import { type Elasticsearch, openElasticsearch } from '../../../storage/elasticsearch/client.ts';
import { Controls } from '../../../storage/elasticsearch/controls.ts';
import { Eras } from '../../../storage/elasticsearch/eras.ts';
import { openMetricStore } from '../../../storage/elasticsearch/metric-store.ts';
import { BASE, SEGMENT_LENGTH, type TestEvent, batchesOf, cellsOf, openRowsOf, segmentsArb, truthOf, viewOf } from '../../conformance/history.ts';
import { EVER, hex, plain, readView, rowMap } from '../../conformance/read.ts';
import { elasticsearch, fresh, lacks } from '../../services/needs.ts';
import { FakeElasticsearch } from '../../support/fake-elasticsearch.ts';
import { deletePrefix, openCluster } from './cluster.ts';

const DAY = 1440;
const DAY_MS = 86_400_000;
const NOW = BASE * 60_000;
const FOREVER: Retention = { partialsMs: 5000 * DAY_MS, minutesMs: 5000 * DAY_MS, hoursMs: 5000 * DAY_MS, daysMs: 5000 * DAY_MS, bytesMax: 0 };

function event(window: number, key = 1): TestEvent {
  return { window, key, isAccepted: true, bytes: 100, address: key, us: 5 };
}

function one(index: number, events: readonly TestEvent[], isSealed = true): readonly PartialBatch[] {
  return batchesOf({ events, flushes: [events.length] }, { source: 1, index, isSealed });
}

function requestsOnly(requests: number): Uint8Array {
  const counters = emptyCounters();
  counters[C.requests] = requests;
  return encodeCells(counters, new Sketch());
}

// Every history makes a dozen indices: seconds on a quiet machine, a minute on a busy one.
vi.setConfig({ testTimeout: 300_000 });

describe.skipIf(lacks('elasticsearch'))('on a real Elasticsearch', () => {
  let cluster: Elasticsearch;
  let url: string;
  const used: string[] = [];

  const prefixOf = (): string => {
    const prefix = fresh('kw-faults');
    used.push(prefix);
    return prefix;
  };
  const openOn = (prefix: string, rowsMax = 200_000): Promise<MetricStore> => openMetricStore({ prefix, replicas: 0, rowsMax }, { elasticsearch: cluster });
  const indicesOf = async (prefix: string): Promise<readonly string[]> =>
    Object.keys(await cluster.client.indices.get({ index: `${prefix}-*` }))
      .map((name) => name.slice(prefix.length + 1))
      .toSorted();

  beforeAll(async () => {
    url = await elasticsearch();
    cluster = await openCluster(url);
  });
  afterEach(async () => {
    for (const prefix of used.splice(0)) await deletePrefix(cluster, prefix);
  });
  afterAll(async () => {
    vi.resetConfig();
    await cluster[Symbol.asyncDispose]();
  });

  test('after half a put, wherever it was cut, a resume knows of every row how far it is, and putting again gives the sums', async () => {
    await fc.assert(
      fc.asyncProperty(segmentsArb, fc.nat(12), fc.nat(9), fc.boolean(), async (segments, cutAt, documents, isReadAgain) => {
        const prefix = prefixOf();
        await using store = await openOn(prefix);
        const source = await store.source('topic');
        const batches = segments.flatMap((segment, index) =>
          batchesOf(segment, { source, index, isSealed: index < segments.length - 1 }).map((batch) => ({ batch, segment })),
        );
        const at = Math.min(cutAt, batches.length - 1);
        for (const { batch } of batches.slice(0, at)) expect(await store.put(batch)).toEqual({ ok: true });
        const cut = batches[at];
        if (cut === undefined) throw new Error('a history without batches');
        await putInPart(prefix, cut.batch, documents);
        // The next process.
        await using next = await openOn(prefix);
        const resumed = await next.resume(source, 0);
        if (resumed !== undefined && !resumed.isSealed) {
          const { segment } = batches.find(({ batch }) => batch.segment.start === resumed.segment.start) ?? cut;
          for (const row of [...resumed.rows, ...resumed.held]) {
            const isHeld = resumed.held.includes(row);
            const seen = (row.next ?? 0) >= resumed.segment.start + SEGMENT_LENGTH ? segment.events.length : (row.next ?? 0) - resumed.segment.start;
            const view = openRowsOf(segment, seen);
            const want = (isHeld ? view.held : view.rows).get(`${row.window} ${row.entity}`);
            expect(hex(rowMap([row]))).toEqual(want === undefined ? 'no such row' : hex(new Map([[`${row.window} ${row.entity}`, want]])));
          }
        }
        // From the start of the segment, or from what was acknowledged.
        const from = isReadAgain ? batches.findIndex(({ batch }) => batch.segment.start === cut.batch.segment.start) : at;
        for (const { batch } of batches.slice(from)) expect(await next.put(batch)).toEqual({ ok: true });
        const truth = plain(truthOf(segments.map((segment) => viewOf(segment.events))));
        expect(plain(await readView(next))).toEqual(truth);
        await next.fold();
        const hours = truthOf(
          segments.map((segment) => viewOf(segment.events)),
          (window) => window - (window % 60),
        );
        expect(plain(await readView(next, 'hour'))).toEqual(plain(hours));
      }),
      { numRuns: 4 },
    );
  });

  test('a held credential is given up only once its own rows are acknowledged', async () => {
    const prefix = prefixOf();
    await using store = await openOn(prefix);
    const source = await store.source('topic');
    const key = entityId('key', 'held-then-accepted');
    const [first] = batchesOf({ events: [event(BASE)], flushes: [1] }, { source, index: 0, isSealed: false });
    if (first === undefined) throw new Error('a history without batches');
    const heldCells = requestsOnly(1);
    const grownCells = requestsOnly(2);
    const held: PartialBatch = { ...first, rows: [], held: [{ window: BASE, entity: key, cells: heldCells }], gone: [] };
    expect(await store.put(held)).toEqual({ ok: true });
    // It succeeds: it gets a row of its own and is held no more. The row is refused, whatever else is in the request.
    const accepted: PartialBatch = {
      ...held,
      next: held.next + 1,
      rows: [{ window: BASE, entity: key, cells: grownCells }],
      held: [],
      gone: [{ window: BASE, entity: key, isHeld: true }],
    };
    await using fake = await new FakeElasticsearch({ behind: url }).listen();
    fake.always = {
      kind: 'items',
      fails: ({ index }) => (index.includes('-partial-') ? { status: 400, type: 'mapper_parsing_exception', reason: 'planted' } : undefined),
    };
    await using through = await openElasticsearch({ nodes: [fake.url] }, { clock: systemClock, random: () => 0 });
    await using next = await openMetricStore({ prefix, replicas: 0 }, { elasticsearch: through, writer: new BulkWriter(through, { patienceMs: 0 }) });
    expect((await next.put(accepted)).ok).toBe(false);
    // Whoever goes on from the rows must still find what was counted for it.
    const resumed = await store.resume(source, 0);
    expect(hex(rowMap(resumed?.held ?? []))).toEqual(hex(new Map([[`${BASE} ${key}`, heldCells]])));
    fake.always = undefined;
    expect(await next.put(accepted)).toEqual({ ok: true });
    const after = await store.resume(source, 0);
    expect(hex(rowMap(after?.rows ?? []))).toEqual(hex(new Map([[`${BASE} ${key}`, grownCells]])));
    expect(after?.held).toEqual([]);
  });

  /** A process that ends in the middle of a bulk of rows. */
  async function putInPart(prefix: string, batch: PartialBatch, documents: number): Promise<void> {
    await using fake = await new FakeElasticsearch({ behind: url }).listen();
    fake.applies = (items) => items.some((item) => item.index.includes('-partial-') || item.index.includes('-held-') || item.index.endsWith('-segment'));
    fake.always = { kind: 'half', documents };
    await using dying = await openElasticsearch({ nodes: [fake.url] }, { clock: systemClock, random: () => 0 });
    await using store = await openMetricStore({ prefix, replicas: 0 }, { elasticsearch: dying, writer: new BulkWriter(dying, { patienceMs: 0 }) });
    expect(await store.put(batch)).toMatchObject({ ok: false, retryable: true });
  }

  test('processes that write, fold and drop at once lose nothing and count nothing twice', async () => {
    const partitions = [0, 1, 2];
    const eventsArb = fc.array(fc.record({ window: fc.integer({ min: 0, max: 4000 }), key: fc.nat(3) }), { minLength: 4, maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(eventsArb, { minLength: 2, maxLength: 4 }), { minLength: 3, maxLength: 3 }), async (histories) => {
        const prefix = prefixOf();
        await using first = await openOn(prefix);
        await using second = await openOn(prefix, 3);
        const views = histories.flat().map((events) => viewOf(events.map(({ window, key }) => event(BASE - 4320 + window, key))));
        const writing = new Set(partitions);
        const write = async (partition: number): Promise<void> => {
          const store = partition === 1 ? second : first;
          for (const [index, raw] of (histories[partition] ?? []).entries()) {
            const events = raw.map(({ window, key }) => event(BASE - 4320 + window, key));
            const flushes = [Math.ceil(events.length / 2), events.length];
            for (const batch of batchesOf({ events, flushes }, { source: 1, index, isSealed: true })) {
              expect(await store.put({ ...batch, segment: { ...batch.segment, partition } })).toEqual({ ok: true });
            }
          }
          writing.delete(partition);
        };
        const judge = async (store: MetricStore, minutesMs: number): Promise<void> => {
          while (writing.size > 0) {
            await store.fold();
            await store.retain({ ...FOREVER, minutesMs, hoursMs: 3 * DAY_MS }, NOW + DAY_MS);
          }
        };
        await Promise.all([...partitions.map(write), judge(first, DAY_MS), judge(second, 2 * DAY_MS)]);
        const truth = plain(truthOf(views, (window) => window - (window % DAY)));
        expect(plain(await readView(first, 'day'))).toEqual(truth);
        await second.fold();
        await second.retain({ ...FOREVER, minutesMs: DAY_MS, hoursMs: DAY_MS }, NOW + 90 * DAY_MS);
        expect(plain(await readView(first, 'day'))).toEqual(truth);
      }),
      { numRuns: 2 },
    );
  });

  test('a write to a day that is about to be dropped calls the drop off', async () => {
    const prefix = prefixOf();
    await using store = await openOn(prefix);
    const day = BASE - 20 * DAY - ((BASE - 20 * DAY) % DAY);
    const eras = new Eras({ elasticsearch: cluster, controls: new Controls(cluster, `${prefix}-control`) });
    const closing = await eras.close('day', day);
    for (const batch of one(0, [event(day + 5)])) expect(await store.put(batch)).toEqual({ ok: true });
    expect(await eras.finish(closing)).toBe(false);
    // Nobody comes in between.
    const again = await eras.close('day', day);
    expect(await eras.finish(again)).toBe(true);
    expect(await eras.forWriting('day', day)).toBe(1);
  });

  test('a write that comes late does not bring a dropped day back; new rows of that day open the next era', async () => {
    const prefix = prefixOf();
    await using store = await openOn(prefix);
    await using other = await openOn(prefix);
    const old = BASE - 20 * DAY;
    // This process knows the segment as its own, and then it stands still.
    const [flush, seal] = one(0, [event(old), event(old + 1)]);
    if (flush === undefined || seal === undefined) throw new Error('a history without batches');
    await store.put(flush);
    await other.put(seal);
    for (const batch of one(1, [event(BASE)], false)) await other.put(batch);
    expect((await other.retain({ ...FOREVER, minutesMs: DAY_MS }, NOW)).droppedMinuteDays).toEqual(['2026-11-10']);
    expect(await store.put(flush)).toEqual({ ok: true });
    expect(await store.put(seal)).toEqual({ ok: true });
    expect((await indicesOf(prefix)).filter((name) => name.includes('2026.11.10'))).toEqual([]);
    for (const batch of one(2, [event(old + 2)])) await other.put(batch);
    expect((await indicesOf(prefix)).filter((name) => name.includes('partial-2026.11.10'))).toEqual(['partial-2026.11.10-1']);
    expect(Array.from((await readView(store, 'hour')).values(), (row) => row.sums.requests)).toEqual([3, 1]);
  });

  test('what a drop left half done is finished, and nothing counts twice meanwhile', async () => {
    const prefix = prefixOf();
    await using store = await openOn(prefix);
    for (const batch of one(0, [event(BASE - 20 * DAY)])) await store.put(batch);
    await store.fold();
    // The era is over, and its index is still there.
    const ts = BASE - 20 * DAY - ((BASE - 20 * DAY) % DAY);
    await cluster.client.index({
      index: `${prefix}-control`,
      id: `era.day.${ts.toString(36)}`,
      document: { kind: 'era', level: 'day', ts, era: 1, closing: false },
    });
    expect(Array.from((await readView(store, 'hour')).values(), (row) => row.sums.requests)).toEqual([1]);
    expect((await readView(store, 'minute')).size).toBe(0);
    await store.retain(FOREVER, NOW);
    expect((await indicesOf(prefix)).filter((name) => name.startsWith('partial'))).toEqual([]);
    expect(Array.from((await readView(store, 'day')).values(), (row) => row.sums.requests)).toEqual([1]);
  });

  test('more rows than one page or one pass are all read, in order', async () => {
    const prefix = prefixOf();
    await using store = await openOn(prefix, 2500);
    const source = await store.source('topic');
    const [base] = one(0, [event(BASE)]);
    if (base === undefined) throw new Error('a history without batches');
    const cells = cellsOf({ requests: 1, s2xx: 1, s401: 0, failedAuth: 0, bytesOut: 1, latencySum: 1, addresses: new Map([['203.0.113.9', 1]]) });
    const rows = Array.from({ length: 12_000 }, (_, i) => ({ window: BASE + (i % 2), entity: entityId('key', `k${i >> 1}`), cells }));
    expect(await store.put({ ...base, segment: { ...base.segment, source }, next: SEGMENT_LENGTH, isSealed: true, rows })).toEqual({ ok: true });
    const minutes: string[] = [];
    for await (const { window, entity } of store.windows(EVER)) minutes.push(`${window.start} ${entity}`);
    expect(minutes).toEqual(rows.map((row) => `${row.window * 60_000} ${row.entity}`).toSorted());
    const hours = async (): Promise<ReadonlyMap<EntityId, number>> => {
      const found = new Map<EntityId, number>();
      for await (const { entity, counters } of store.windows({ ...EVER, resolution: 'hour' })) found.set(entity, (found.get(entity) ?? 0) + (counters[0] ?? 0));
      return found;
    };
    const want = new Map(rows.map((row) => [row.entity, 2]));
    expect(await hours()).toEqual(want);
    // Every hour, and every day.
    expect(await store.fold()).toBe(12_000);
    expect(await hours()).toEqual(want);
    const totals = await store.totals({ from: 0, to: Number.POSITIVE_INFINITY, limit: 5 });
    expect(totals.map((total) => [total.entity, total.counters[0]])).toEqual(['k0', 'k1', 'k10', 'k100', 'k1000'].map((key) => [`key:${key}`, 2]));
  });

  test('names of any length and any script are kept apart and come back whole', async () => {
    const prefix = prefixOf();
    await using store = await openOn(prefix);
    const [base] = one(0, [event(BASE)], false);
    if (base === undefined) throw new Error('a history without batches');
    const names = ['"quoted" \\ and\nbroken\u0000', 'ключ 🔑', 'x'.repeat(700), `${'x'.repeat(700)}y`, 'ü'.repeat(300)];
    const cells = cellsOf({ requests: 1, s2xx: 1, s401: 0, failedAuth: 0, bytesOut: 1, latencySum: 1, addresses: new Map() });
    const rows = names.map((name) => ({ window: BASE, entity: entityId('client', name), cells }));
    expect(await store.put({ ...base, rows, held: rows })).toEqual({ ok: true });
    const resumed = await store.resume(1, 0);
    expect(new Set(resumed?.rows.map((row) => row.entity))).toEqual(new Set(rows.map((row) => row.entity)));
    expect(resumed?.held.map((row) => row.entity)).toEqual(rows.map((row) => row.entity));
    for (const { entity } of rows) {
      const found: EntityId[] = [];
      for await (const window of store.windows({ ...EVER, entity })) found.push(window.entity);
      expect(found).toEqual([entity]);
    }
    await store.fold();
    expect((await store.totals({ from: 0, to: Number.POSITIVE_INFINITY, limit: 10 })).map((total) => total.entity).toSorted()).toEqual(
      rows.map((row) => row.entity as string).toSorted(),
    );
  });

  test('a read-only index holds a put back with a line that says what to do, and nothing is lost', async () => {
    const prefix = prefixOf();
    await using store = await openMetricStore({ prefix, replicas: 0 }, { elasticsearch: cluster, writer: new BulkWriter(cluster, { patienceMs: 0 }) });
    const [first, second] = batchesOf({ events: [event(BASE), event(BASE, 2)], flushes: [1, 2] }, { source: 1, index: 0, isSealed: false });
    if (first === undefined || second === undefined) throw new Error('a history without batches');
    await store.put(first);
    const block = (isBlocked: boolean): Promise<unknown> =>
      cluster.client.indices.putSettings({ index: `${prefix}-partial-*`, settings: { 'index.blocks.read_only_allow_delete': isBlocked } });
    await block(true);
    const outcome = await store.put(second);
    expect(outcome).toMatchObject({ ok: false, retryable: true });
    expect(JSON.stringify(outcome)).toContain('writing is blocked');
    expect(JSON.stringify(outcome)).toContain('free disk space or remove index.blocks.read_only_allow_delete');
    expect(await store.heads()).toMatchObject([{ next: first.next }]);
    await block(false);
    expect(await store.put(second)).toEqual({ ok: true });
    expect((await readView(store)).size).toBe(2);
  });

  test('a mapping that somebody changed stops the partition and names the document', async () => {
    const prefix = prefixOf();
    await using store = await openOn(prefix);
    await cluster.client.indices.deleteIndexTemplate({ name: `${prefix}-partial` });
    await cluster.client.indices.create({ index: `${prefix}-partial-2026.12.01`, mappings: { dynamic: 'strict', properties: { ts: { type: 'ip' } } } });
    const [batch] = one(0, [event(BASE + 130)], false);
    if (batch === undefined) throw new Error('a history without batches');
    const outcome = await store.put(batch);
    expect(outcome).toMatchObject({ ok: false, retryable: false });
    expect(JSON.stringify(outcome)).toMatch(new RegExp(`does not take document \\S+key:k1 of index ${prefix}-partial-2026\\.12\\.01: 400 `));
    expect(await store.heads()).toEqual([]);
  });

  test('opening again installs nothing anew, and no write makes an index by itself', async () => {
    const prefix = prefixOf();
    await using store = await openOn(prefix);
    await store.setControl('a', 'b');
    await using again = await openOn(prefix);
    expect(await again.control('a')).toBe('b');
    // An installation that was cut off, or an index that somebody deleted, is made whole.
    await cluster.client.indices.delete({ index: `${prefix}-alias` });
    await cluster.client.indices.deleteIndexTemplate({ name: `${prefix}-1h` });
    await using whole = await openOn(prefix);
    expect(await whole.aliases()).toEqual(new Map());
    expect(await whole.control('a')).toBe('b');
    expect(await cluster.client.indices.existsIndexTemplate({ name: `${prefix}-1h` })).toBe(true);
    await expect(cluster.client.index({ index: `${prefix}-partial-2026.01.01`, id: 'x', document: {} })).rejects.toMatchObject({ statusCode: 404 });
  });

  test('sources that many processes ask for at once have one number each, without gaps', async () => {
    const prefix = prefixOf();
    const stores = await Promise.all([openOn(prefix), openOn(prefix), openOn(prefix)]);
    const names = ['a', 'b', 'c', 'd'];
    const told = await Promise.all(stores.flatMap((store) => names.map(async (name) => [name, await store.source(name)] as const)));
    expect(new Set(told.map(([name, id]) => `${name} ${id}`)).size).toBe(4);
    expect([...new Set(told.map(([, id]) => id))].toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4]);
    for (const store of stores) await store[Symbol.asyncDispose]();
  });

  test('a sum of forgotten segments that was cut off counts nothing twice and is finished', async () => {
    const prefix = prefixOf();
    await using store = await openOn(prefix);
    const source = await store.source('topic');
    for (const index of [0, 1, 2]) {
      for (const batch of batchesOf({ events: [event(BASE - 9 * DAY + index)], flushes: [1] }, { source, index, isSealed: true })) await store.put(batch);
    }
    // Two segments are in the sum, and were not deleted yet.
    const sum = { kind: 'forgotten', source, p: 0, generation: 1, start: SEGMENT_LENGTH, records: 2, dropped: 0, rejects: {}, cleaning: true };
    await cluster.client.index({ index: `${prefix}-segment`, id: `f.${source.toString(36)}.0`, document: sum });
    expect((await store.sources()).map(({ records }) => records)).toEqual([3]);
    await store.retain(FOREVER, NOW);
    expect((await store.sources()).map(({ records, next }) => [records, next])).toEqual([[3, 3 * SEGMENT_LENGTH]]);
    const left = await cluster.client.count({ index: `${prefix}-segment`, query: { term: { kind: 'head' } } });
    expect(left.count).toBe(1);
  });
});
