/** What several processes need of one store: claims, the ends of the chains, and rows as they were put. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { MetricStore, StoredPartial } from '../../core/ports.ts';
import type { PartialBatch } from '../../core/partial.ts';
import { type EntityId, LATE, OWNER_KINDS, REFUSED, entityId } from '../../core/types.ts';
import { BASE, type TestEvent, type TestSegment, batchesOf, cellsOf, rowsOf, segmentsArb, viewOf } from './history.ts';
import { EVER, hex } from './read.ts';
import type { OpenStore } from './metric-store.ts';

export function chainConformance({ open, reopen, runs }: OpenStore): void {
  const event = (window: number, key: number): TestEvent => ({ window, key, isAccepted: true, bytes: 10, address: key, us: 5 });
  const one = (source: number, more: Partial<PartialBatch['segment']>, next: number, isSealed = false): PartialBatch => {
    const [batch] = batchesOf({ events: [event(BASE, 1)], flushes: [1] }, { source, index: 0, isSealed: false });
    if (batch === undefined) throw new Error('a history without batches');
    return { ...batch, segment: { ...batch.segment, ...more }, next, isSealed };
  };

  test('of many claims of one name the first wins, everybody is told the same, and it outlives a restart', async () => {
    const first = await open();
    const told = await Promise.all(['one', 'two', 'three'].map((value) => first.claim('topic', value)));
    expect(new Set(told).size).toBe(1);
    expect(['one', 'two', 'three']).toContain(told[0]);
    expect(await first.control('topic')).toBe(told[0]);
    expect(await first.claim('other', 'x')).toBe('x');
    await using second = await reopen(first);
    expect(await second.claim('topic', 'four')).toBe(told[0]);
    await second.setControl('topic', 'five');
    expect(await second.claim('topic', 'six')).toBe('five');
  });

  test('heads are the newest segment of every partition, of the highest generation, whatever came in which order', async () => {
    await using store = await open();
    const [a, b] = [await store.source('a'), await store.source('b')];
    expect(await store.heads()).toEqual([]);
    const batches = [
      one(a, { partition: 0, start: 500 }, 501),
      one(a, { partition: 0, start: 0 }, 500, true),
      one(a, { partition: 2, generation: 2, start: 10 }, 20),
      one(a, { partition: 2, generation: 1, start: 900 }, 950),
      one(b, { partition: 1, start: 7 }, 8, true),
    ];
    for (const batch of batches) await store.put(batch);
    const places = (heads: Awaited<ReturnType<MetricStore['heads']>>): readonly unknown[] =>
      heads.map(({ segment, next, isSealed }) => [segment.source, segment.partition, segment.generation, segment.start, next, isSealed]);
    const ofA = [
      [a, 0, 1, 500, 501, false],
      [a, 2, 2, 10, 20, false],
    ];
    expect(places(await store.heads(a))).toEqual(ofA);
    expect(places(await store.heads())).toEqual([...ofA, [b, 1, 1, 7, 8, true]]);
    expect(await store.heads(b + 1)).toEqual([]);
  });

  test('what decides where a segment ends comes back as it was last put; a segment of a grid has none', async () => {
    await using store = await open();
    const [a, b] = [await store.source('a'), await store.source('b')];
    const early = { firstAt: -1, length: 2 ** 20, crc: 0 };
    const late = { firstAt: BASE * 60_000, length: 2 ** 14, crc: 0xffff_ffff };
    await store.put({ ...one(a, {}, 1), span: early });
    expect(await store.resume(a, 0)).toMatchObject({ span: early });
    await store.put({ ...one(a, {}, 3), span: late, skewed: 7 });
    await store.put({ ...one(a, {}, 2), span: early, skewed: 4 });
    expect(await store.resume(a, 0)).toMatchObject({ next: 3, span: late, skewed: 7 });
    await store.put(one(b, {}, 1));
    expect(Object.keys((await store.heads(b))[0] ?? {})).not.toContain('span');
    expect(Object.keys((await store.heads(b))[0] ?? {})).not.toContain('skewed');
  });

  test('partials are the rows of every segment with the version that wrote them, in time order, without held ones and empty ones', async () => {
    await fc.assert(
      fc.asyncProperty(segmentsArb, async (segments) => {
        await using store = await open();
        const source = await store.source('partition');
        const want = new Map<string, { readonly next: number; readonly bytes: Record<string, string> }>();
        for (const [index, segment] of segments.entries()) {
          for (const batch of batchesOf(segment, { source, index, isSealed: index < segments.length - 1 })) {
            await store.put(batch);
            for (const { window, entity, cells } of batch.rows) {
              want.set(`${batch.segment.start} ${window} ${entity}`, { next: batch.next, bytes: hex(new Map([['', cells]])) });
            }
            for (const { window, entity, isHeld } of batch.gone) if (!isHeld) want.delete(`${batch.segment.start} ${window} ${entity}`);
          }
        }
        const got = await partialsOf(store, EVER);
        expect(new Map(got.map((row) => [nameOf(row), { next: row.next, bytes: hex(new Map([['', row.row.cells]])) }]))).toEqual(want);
        expect(got.length).toBe(want.size);
        expect(got.map((row) => row.row.window)).toEqual(got.map((row) => row.row.window).toSorted((x, y) => x - y));
        // What no batch says any more is the view of the whole segment.
        const views = segments.flatMap((segment: TestSegment) => [...rowsOf(viewOf(segment.events)).values()]);
        expect(got.length).toBe(views.length);
      }),
      { numRuns: runs },
    );
  });

  test('a range of partials is half-open, over the ends of days and months', async () => {
    await using store = await open();
    const source = await store.source('partition');
    const windows = [BASE - 1440, BASE + 119, BASE + 120, BASE + 121];
    for (const batch of batchesOf({ events: windows.map((window) => event(window, 1)), flushes: [4] }, { source, index: 0, isSealed: true }))
      await store.put(batch);
    const at = async (from: number, to: number): Promise<readonly number[]> => (await partialsOf(store, { from, to })).map(({ row }) => row.window);
    expect(await at(BASE - 1440, BASE + 121)).toEqual(windows.slice(0, 3));
    expect(await at(BASE + 119, BASE + 120)).toEqual([BASE + 119]);
    expect(await at(BASE + 120, BASE + 120)).toEqual([]);
    expect(await at(BASE + 122, BASE + 9000)).toEqual([]);
  });

  test('the row of the credentials that were refused is a partial; who they are is not', async () => {
    await using store = await open();
    const source = await store.source('partition');
    const refused: TestEvent = { ...event(BASE, 3), isAccepted: false };
    for (const batch of batchesOf({ events: [refused], flushes: [1] }, { source, index: 0, isSealed: false })) await store.put(batch);
    expect((await partialsOf(store, EVER)).map(({ row }) => row.entity)).toEqual([REFUSED]);
    expect((await store.resume(source, 0))?.held.map(({ entity }) => entity)).toEqual([entityId('key', 'k3')] satisfies EntityId[]);
  });

  test('a name is counted late on the day of its record: such a row is one of the total', async () => {
    await using store = await open();
    const source = await store.source('partition');
    const sums = { requests: 2, s2xx: 2, s401: 0, failedAuth: 0, bytesOut: 1, latencySum: 1, addresses: new Map([['203.0.113.9', 2]]) };
    const [batch] = batchesOf({ events: [event(BASE, 1)], flushes: [1] }, { source, index: 0, isSealed: false });
    if (batch === undefined) throw new Error('a history without batches');
    await store.put({ ...batch, rows: [...batch.rows, { window: BASE - (BASE % 1440), entity: LATE, cells: cellsOf(sums) }] });
    const names = (await store.totals({ from: 0, to: Number.POSITIVE_INFINITY, kinds: OWNER_KINDS })).map(({ entity }) => entity);
    expect(names).toEqual([LATE, entityId('key', 'k1')]);
  });
}

async function partialsOf(store: MetricStore, range: { readonly from: number; readonly to: number }): Promise<readonly StoredPartial[]> {
  const rows: StoredPartial[] = [];
  // As it is read: a store may use a row's memory again.
  for await (const row of store.partials(range)) rows.push({ ...row, row: { ...row.row, cells: row.row.cells.slice() } });
  return rows;
}

function nameOf({ segment, row }: StoredPartial): string {
  return `${segment.start} ${row.window} ${row.entity}`;
}
