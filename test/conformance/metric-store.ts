/** The promises of `MetricStore`, for every adapter. Expectations are plain sums over the events (`history.ts`). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeCells } from '../../core/cells.ts';
import type { MetricStore } from '../../core/ports.ts';
import type { PartialBatch } from '../../core/partial.ts';
import { entityId, entityKind } from '../../core/types.ts';
import { BASE, SEGMENT_LENGTH, type TestSegment, addSums, batchesOf, cellsOf, newestOf, openRowsOf, segmentsArb, truthOf, viewOf } from './history.ts';
import { chainConformance } from './metric-store-chain.ts';
import { EVER, RESOLUTION_MINUTES, hex, plain, readView, rowMap, sumsOf } from './read.ts';
import { retentionConformance } from './metric-store-retention.ts';

export type OpenStore = {
  /** A new, empty store. */
  readonly open: () => Promise<MetricStore>;
  /** Closes a store and opens it again on what it kept. */
  readonly reopen: (store: MetricStore) => Promise<MetricStore>;
  /** Random histories per property. */
  readonly runs: number;
};

export function metricStoreConformance(name: string, adapter: OpenStore): void {
  describe(`${name} keeps the promises of a metric store`, () => {
    historyTests(adapter);
    readingTests(adapter);
    chainConformance(adapter);
    retentionConformance(adapter);
  });
}

/** All batches of a history, in order; the last segment is still open. */
export function allBatches(segments: readonly TestSegment[], source: number): readonly PartialBatch[] {
  return segments.flatMap((segment, index) => batchesOf(segment, { source, index, isSealed: index < segments.length - 1 }));
}

function historyTests({ open, reopen, runs }: OpenStore): void {
  test('batches in any order and repeated give the sums of the events', async () => {
    const seeds = fc.array(fc.nat(1000), { minLength: 30, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(segmentsArb, seeds, async (segments, order) => {
        await using store = await open();
        const batches = allBatches(segments, await store.source('partition'));
        const shuffled = [...batches, ...batches].map((batch, i) => ({ batch, rank: order[i % order.length] ?? 0 })).sort((a, b) => a.rank - b.rank);
        for (const { batch } of shuffled) expect(await store.put(batch)).toEqual({ ok: true });
        const views = segments.map((segment) => viewOf(segment.events));
        expect(plain(await readView(store))).toEqual(plain(truthOf(views)));
        const [source] = await store.sources();
        const records = segments.reduce((sum, segment) => sum + segment.events.length, 0);
        const bad = segments
          .map((segment, index) => ({ count: Math.floor(segment.events.length / 3), first: index * SEGMENT_LENGTH + 2 }))
          .filter((reject) => reject.count > 0);
        expect(source?.records).toBe(records);
        expect(source?.dropped).toBe(segments.reduce((sum, segment) => sum + Math.floor(segment.events.length / 5), 0));
        expect(source?.rejects).toEqual(
          bad.length === 0 ? {} : { bad_json: { count: bad.reduce((sum, reject) => sum + reject.count, 0), first: bad[0]?.first } },
        );
        expect(source?.next).toBe(batches.at(-1)?.next);
        expect(source?.cursor).toBe(batches.at(-1)?.cursor);
      }),
      { numRuns: runs },
    );
  });

  test('a resume gives exactly what the uninterrupted process holds, at every flush and after a restart', async () => {
    await fc.assert(
      fc.asyncProperty(segmentsArb, fc.nat(20), async (segments, crashAfter) => {
        let store = await open();
        const source = await store.source('partition');
        let puts = 0;
        for (const [index, segment] of segments.entries()) {
          const batches = batchesOf(segment, { source, index, isSealed: index < segments.length - 1 });
          for (const batch of batches) {
            await store.put(batch);
            if (puts++ === crashAfter) store = await reopen(store);
            const resumed = await store.resume(source, 0);
            const want = batch.isSealed ? { rows: new Map<string, Uint8Array>(), held: new Map<string, Uint8Array>() } : openRowsOf(segment, batch.records);
            expect(hex(rowMap(resumed?.rows ?? []))).toEqual(hex(want.rows));
            expect(hex(rowMap(resumed?.held ?? []))).toEqual(hex(want.held));
            const { segment: place, next, isSealed, rejects, dropped, records, overLimit, skewed, span, newest, cursor } = batch;
            const head = { segment: place, next, isSealed, rejects, dropped, records, overLimit, skewed, span, newest, cursor };
            expect({ ...resumed, rows: undefined, held: undefined }).toEqual({ ...head, rows: undefined, held: undefined });
            expect(await store.heads(source)).toEqual([head]);
          }
        }
        await store[Symbol.asyncDispose]();
      }),
      { numRuns: runs },
    );
  });

  test('a window cut over many segments equals the same window in one segment, byte for byte', async () => {
    await fc.assert(
      fc.asyncProperty(segmentsArb, async (segments) => {
        const accepted = segments.map((segment) => ({ ...segment, events: segment.events.map((event) => ({ ...event, isAccepted: true })) }));
        const events = accepted.flatMap((segment) => segment.events);
        await using many = await open();
        await using one = await open();
        for (const batch of allBatches(accepted, await many.source('partition'))) await many.put(batch);
        for (const batch of allBatches([{ events, flushes: [events.length] }], await one.source('partition'))) await one.put(batch);
        expect(await bytesOf(many)).toEqual(await bytesOf(one));
      }),
      { numRuns: runs },
    );
  });

  test('hours and days are the sums of their minutes, before a fold, after it, and after late rows', async () => {
    await fc.assert(
      fc.asyncProperty(segmentsArb, fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }), async (segments, folds) => {
        await using store = await open();
        const source = await store.source('partition');
        for (const [index, segment] of segments.entries()) {
          for (const batch of batchesOf(segment, { source, index, isSealed: true })) await store.put(batch);
          if (folds[index] === true) await store.fold();
          if (folds[index + 4] === true) await store.fold(BASE + 60);
          const views = segments.slice(0, index + 1).map((done) => viewOf(done.events));
          for (const resolution of ['hour', 'day'] as const) {
            const length = RESOLUTION_MINUTES[resolution];
            expect(plain(await readView(store, resolution))).toEqual(plain(truthOf(views, (window) => window - (window % length))));
          }
        }
        await store.fold();
        expect(await store.fold()).toBe(0);
      }),
      { numRuns: runs },
    );
  });

  test('totals over any stretch are the sums of the windows that start in it, folded or not', async () => {
    const edge = fc.integer({ min: -1500, max: 1700 });
    await fc.assert(
      fc.asyncProperty(
        segmentsArb,
        fc.array(fc.tuple(edge, edge, fc.integer({ min: -1, max: 1 })), { minLength: 4, maxLength: 4 }),
        fc.boolean(),
        async (segments, edges, isFolded) => {
          await using store = await open();
          for (const batch of allBatches(segments, await store.source('partition'))) await store.put(batch);
          if (isFolded) await store.fold();
          const truth = truthOf(segments.map((segment) => viewOf(segment.events)));
          for (const [a, b, offset] of edges) {
            // One millisecond before, at, and after the start of a minute.
            const from = (BASE + Math.min(a, b)) * 60_000 + offset;
            const to = (BASE + Math.max(a, b)) * 60_000 + offset;
            const want = new Map<string, { requests: number; bytesOut: number; addresses: number }>();
            for (const [entity, sums] of inStretch(truth, from, to))
              want.set(entity, { requests: sums.requests, bytesOut: sums.bytesOut, addresses: sums.addresses.size });
            const got = new Map(
              (await store.totals({ from, to })).map((total) => [
                total.entity as string,
                { ...pick(sumsOf(total.counters, new Map())), addresses: total.addresses },
              ]),
            );
            expect(got).toEqual(want);
          }
        },
      ),
      { numRuns: runs },
    );
  });
}

function pick(sums: { readonly requests: number; readonly bytesOut: number }): { requests: number; bytesOut: number } {
  return { requests: sums.requests, bytesOut: sums.bytesOut };
}

function inStretch(truth: ReturnType<typeof truthOf>, from: number, to: number): Map<string, ReturnType<typeof addSums>> {
  const sums = new Map<string, ReturnType<typeof addSums>>();
  for (const row of truth.values()) {
    const start = row.window * 60_000;
    if (start < from || start >= to) continue;
    const before = sums.get(row.entity);
    sums.set(row.entity, before === undefined ? row.sums : addSums(before, row.sums));
  }
  return sums;
}

async function bytesOf(store: MetricStore): Promise<Record<string, string>> {
  const bytes: Record<string, string> = {};
  for await (const row of store.windows(EVER))
    bytes[`${row.window.start} ${row.entity}`] = Buffer.from(encodeCells(row.counters, row.sketch())).toString('hex');
  return bytes;
}

function readingTests({ open, reopen }: OpenStore): void {
  const event = (window: number, key: number, bytes = 10): TestSegment['events'][number] => ({ window, key, isAccepted: true, bytes, address: key, us: 5 });
  const put = async (store: MetricStore, events: TestSegment['events']): Promise<void> => {
    for (const batch of allBatches([{ events, flushes: [events.length] }], await store.source('partition'))) await store.put(batch);
  };

  test('windows come in time order, for everybody and for one entity', async () => {
    await using store = await open();
    const minutes = [BASE + 130, BASE, BASE + 60, BASE - 1440];
    await put(store, [...minutes.map((minute) => event(minute, 1)), event(BASE, 2)]);
    for (const resolution of ['minute', 'hour', 'day'] as const) {
      const length = RESOLUTION_MINUTES[resolution];
      const starts: number[] = [];
      for await (const window of store.windows({ ...EVER, resolution, entity: entityId('key', 'k1') })) {
        expect(window).toMatchObject({ entity: 'key:k1', resolution });
        expect(window.window.end - window.window.start).toBe(length * 60_000);
        starts.push(window.window.start / 60_000);
      }
      expect(starts).toEqual([...new Set(minutes.map((minute) => minute - (minute % length)))].sort((a, b) => a - b));
      const all: number[] = [];
      for await (const window of store.windows({ ...EVER, resolution })) all.push(window.window.start);
      expect(all).toEqual(all.toSorted((a, b) => a - b));
    }
  });

  test('a range of windows is half-open, and an entity that was never seen has none', async () => {
    await using store = await open();
    await put(store, [event(BASE, 1), event(BASE + 1, 1), event(BASE + 2, 1)]);
    expect([...(await readView(store, 'minute', { from: BASE, to: BASE + 2 })).keys()]).toEqual([`${BASE} key:k1`, `${BASE + 1} key:k1`]);
    expect((await readView(store, 'minute', { from: BASE + 2, to: BASE })).size).toBe(0);
    for await (const window of store.windows({ ...EVER, entity: entityId('key', 'unseen') })) throw new Error(`a window of nobody: ${window.entity}`);
  });

  test('totals are by requests, descending, equal ones by name; limit and kinds cut them', async () => {
    await using store = await open();
    const source = await store.source('partition');
    const sums = { requests: 1, s2xx: 1, s401: 0, failedAuth: 0, bytesOut: 1, latencySum: 1, addresses: new Map([['203.0.113.9', 1]]) };
    const counts = { 'key:b': 5, 'key:a': 5, 'network:203.0.113.0/24': 50, 'client:x y': 7, 'key:c': 9, 'refused:': 3 };
    const rows = Object.entries(counts).map(([name, requests]) => ({
      window: BASE,
      entity: entityId(entityKind(name as never), name.slice(name.indexOf(':') + 1)),
      cells: cellsOf({ ...sums, requests }),
    }));
    await store.put({
      segment: { source, partition: 0, generation: 1, start: 0 },
      next: 9,
      isSealed: false,
      rows,
      held: [],
      gone: [],
      aliases: [],
      rejects: {},
      dropped: 0,
      records: 9,
      newest: 0,
    });
    const ever = { from: 0, to: Number.POSITIVE_INFINITY };
    const names = async (query: { readonly limit?: number; readonly kinds?: readonly ('key' | 'client' | 'refused')[] }): Promise<readonly string[]> =>
      (await store.totals({ ...ever, ...query })).map((total) => total.entity);
    for (const fold of [false, true]) {
      if (fold) await store.fold();
      expect(await names({})).toEqual(['network:203.0.113.0/24', 'key:c', 'client:x y', 'key:a', 'key:b', 'refused:']);
      expect(await names({ limit: 4 })).toEqual(['network:203.0.113.0/24', 'key:c', 'client:x y', 'key:a']);
      expect(await names({ kinds: ['key', 'refused'], limit: 2 })).toEqual(['key:c', 'key:a']);
      expect(await names({ limit: 0 })).toEqual([]);
    }
  });

  test('the few of many that a limit shows have the totals that all of them have', async () => {
    await using store = await open();
    await put(store, Array.from({ length: 40 }, (_, key) => [event(BASE, key), event(BASE + 1, key, key), ...(key > 36 ? [event(BASE + 1, key)] : [])]).flat());
    const two = { from: BASE * 60_000, to: (BASE + 2) * 60_000 };
    const shown = (await store.totals({ ...two, limit: 3 })).map((total) => [
      total.entity,
      total.counters[0],
      sumsOf(total.counters, new Map()).bytesOut,
      total.addresses,
    ]);
    expect(shown).toEqual([37, 38, 39].map((key) => [`key:k${key}`, 3, 20 + key, 1]));
  });

  test('aliases unite a credential and its fingerprint; the one seen last wins in any order', async () => {
    const alias = (newest: number, credential: string): PartialBatch => ({
      segment: { source: 1, partition: 0, generation: 1, start: newest },
      next: newest + 1,
      isSealed: true,
      rows: [],
      held: [],
      gone: [],
      aliases: [{ credential: entityId('key', credential), fingerprint: entityId('key', 'kf1_1') }],
      rejects: {},
      dropped: 0,
      records: 1,
      newest,
    });
    for (const order of [
      [alias(1, 'old'), alias(2, 'new')],
      [alias(2, 'new'), alias(1, 'old')],
    ]) {
      await using store = await open();
      for (const batch of order) await store.put(batch);
      expect([...(await store.aliases())]).toEqual([['key:kf1_1', 'key:new']]);
    }
  });

  test('a partition without a segment resumes with nothing; partitions and generations are apart', async () => {
    await using store = await open();
    const source = await store.source('topic');
    expect(await store.resume(source, 0)).toBeUndefined();
    const [batch] = batchesOf({ events: [event(BASE, 1)], flushes: [1] }, { source, index: 5, isSealed: false });
    if (batch === undefined) throw new Error('a history without batches');
    await store.put(batch);
    await store.put({ ...batch, segment: { ...batch.segment, partition: 1, start: 7 }, next: 8 });
    await store.put({ ...batch, segment: { ...batch.segment, generation: 2, start: 0 }, next: 3, overLimit: 12 });
    expect(await store.resume(source, 0)).toMatchObject({ segment: { generation: 2, start: 0 }, next: 3, overLimit: 12 });
    expect(await store.resume(source, 1)).toMatchObject({ segment: { generation: 1, start: 7 }, next: 8 });
    expect(await store.resume(source, 2)).toBeUndefined();
    expect((await store.sources()).map((stored) => stored.newest)).toEqual([newestOf([event(BASE, 1)])]);
  });

  test('controls and the numbers of sources outlive a restart', async () => {
    const first = await open();
    expect(await first.control('pepper')).toBeUndefined();
    await first.setControl('pepper', 'one');
    await first.setControl('pepper', 'two');
    expect([await first.source('a'), await first.source('b'), await first.source('a')]).toEqual([1, 2, 1]);
    await using second = await reopen(first);
    expect(await second.control('pepper')).toBe('two');
    expect(await second.source('b')).toBe(2);
    expect((await second.sources()).map(({ id, name, next, records }) => ({ id, name, next, records }))).toEqual([
      { id: 1, name: 'a', next: 0, records: 0 },
      { id: 2, name: 'b', next: 0, records: 0 },
    ]);
  });

  test('held credentials come back in the order in which they were first put', async () => {
    await using store = await open();
    const held = (names: readonly string[]): PartialBatch['held'] =>
      names.map((name) => ({
        window: BASE,
        entity: entityId('key', name),
        cells: cellsOf({ requests: 1, s2xx: 0, s401: 1, failedAuth: 1, bytesOut: 0, latencySum: 0, addresses: new Map() }),
      }));
    const batch = {
      segment: { source: 1, partition: 0, generation: 1, start: 0 },
      isSealed: false,
      rows: [],
      gone: [],
      aliases: [],
      rejects: {},
      dropped: 0,
      records: 1,
      newest: 0,
    };
    await store.put({ ...batch, next: 1, held: held(['z', 'a', 'm']) });
    await store.put({ ...batch, next: 2, held: held(['m', 'b', 'z']) });
    expect((await store.resume(1, 0))?.held.map((row) => row.entity)).toEqual(['key:z', 'key:a', 'key:m', 'key:b']);
  });
}
