import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { C, at } from '../../../core/counters.ts';
import type { PartialBatch } from '../../../core/partial.ts';
import { entityId } from '../../../core/types.ts';
import { openMetricStore } from '../../../storage/sqlite/metric-store.ts';
import { BASE, cellsOf } from '../../conformance/history.ts';
import { EVER } from '../../conformance/read.ts';
import { scratchDirectory } from '../scratch.ts';

let scratch: ReturnType<typeof scratchDirectory>;

beforeEach(() => {
  scratch = scratchDirectory();
});

afterEach(() => scratch.remove());

const ONE = cellsOf({
  requests: 1,
  s2xx: 1,
  s401: 0,
  failedAuth: 0,
  bytesOut: 10,
  latencySum: 5,
  addresses: new Map(Array.from({ length: 12 }, (_, i) => [`a quite long name of a host ${i}`, 1])),
});

function batchOf(index: number, over: Partial<PartialBatch>): PartialBatch {
  const segment = { source: 1, partition: 0, generation: 1, start: index };
  return {
    segment,
    next: index + 1,
    isSealed: true,
    rows: [],
    held: [],
    gone: [],
    aliases: [],
    rejects: {},
    dropped: 0,
    records: 1,
    newest: BASE * 60_000,
    ...over,
  };
}

describe('many entities', () => {
  test('more of them than the store remembers are counted right', async () => {
    await using store = await openMetricStore({ directory: scratch.path, entitiesMax: 20 });
    for (let index = 0; index < 6; index++) {
      await store.put(
        batchOf(index, { rows: Array.from({ length: 100 }, (_, i) => ({ window: BASE + index, entity: entityId('key', `k${(i * 37) % 100}`), cells: ONE })) }),
      );
    }
    const totals = await store.totals({ from: 0, to: Number.POSITIVE_INFINITY });
    expect(totals).toHaveLength(100);
    expect(new Set(totals.map((total) => at(total.counters, C.requests)))).toEqual(new Set([6]));
  });

  test('memory stays flat while rows and entities grow', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    await using store = await openMetricStore({ directory: scratch.path, entitiesMax: 5000, cacheKiB: 4096 });
    const held = (): number => {
      collect();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    let rows = 0;
    const putRows = async (upTo: number): Promise<void> => {
      for (; rows < upTo; rows += 10_000) {
        const start = rows;
        await store.put(
          batchOf(rows, { rows: Array.from({ length: 10_000 }, (_, i) => ({ window: BASE, entity: entityId('key', `number ${start + i}`), cells: ONE })) }),
        );
      }
    };
    await putRows(20_000);
    const before = held();
    await putRows(150_000);
    // 130,000 rows of 400 bytes with a name each are 60 MB.
    expect((held() - before) / 2 ** 20).toBeLessThan(12);
    expect((await store.totals({ from: 0, to: Number.POSITIVE_INFINITY, limit: 1 }))[0]?.entity).toBe('key:number 0');
  });

  test('guessed keys that are held make no entities', async () => {
    await using store = await openMetricStore({ directory: scratch.path });
    const held = Array.from({ length: 500 }, (_, i) => ({ window: BASE, entity: entityId('key', `guess ${i}`), cells: ONE }));
    const refused = { window: BASE, entity: entityId('refused', ''), cells: ONE };
    await store.put(batchOf(0, { isSealed: false, rows: [refused], held }));
    expect((await store.resume(1, 0))?.held).toHaveLength(500);
    await store.put(batchOf(0, { next: 2, isSealed: true }));
    const db = new DatabaseSync(store.path, { readOnly: true });
    expect(db.prepare('select text from entity').all()).toEqual([{ text: 'refused:' }]);
    expect(db.prepare('select count(*) as held from held').get()).toEqual({ held: 0 });
    db.close();
  });

  test('names with quotes, NUL bytes and half surrogate pairs are entities like others', async () => {
    const names = ["'; drop table day; --", 'nul \u0000 byte', 'half \ud800 pair', '', '🔑'];
    await using store = await openMetricStore({ directory: scratch.path, entitiesMax: 2 });
    for (let index = 0; index < 3; index++)
      await store.put(batchOf(index, { rows: names.map((name) => ({ window: BASE + index, entity: entityId('client', name), cells: ONE })) }));
    const totals = await store.totals({ from: 0, to: Number.POSITIVE_INFINITY });
    expect(new Map(totals.map((total) => [total.entity as string, at(total.counters, C.requests)]))).toEqual(
      new Map(names.map((name) => [`client:${name.toWellFormed()}`, 3])),
    );
  });
});

describe('the file', () => {
  test('shrinks when retention drops days', async () => {
    await using store = await openMetricStore({ directory: scratch.path });
    for (let day = 0; day < 5; day++) {
      const rows = Array.from({ length: 4000 }, (_, i) => ({
        window: BASE + day * 1440 + (i % 100),
        entity: entityId('key', `k${Math.floor(i / 100)}`),
        cells: ONE,
      }));
      await store.put(batchOf(day, { rows }));
    }
    await store.fold();
    const before = await store.retain({ partialsMs: 1e15, minutesMs: 1e15, hoursMs: 1e15, daysMs: 1e15, bytesMax: 0 }, BASE * 60_000);
    const { bytes, droppedMinuteDays } = await store.retain(
      { partialsMs: 0, minutesMs: 86_400_000, hoursMs: 1e15, daysMs: 1e15, bytesMax: 0 },
      (BASE + 5 * 1440) * 60_000,
    );
    expect(droppedMinuteDays).toHaveLength(4);
    expect(bytes).toBeLessThan(before.bytes / 2);
    await store[Symbol.asyncDispose]();
    expect(statSync(store.path).size).toBe(bytes);
  });
});

describe('one query', () => {
  test('reads one state, whatever is put, folded and dropped while it is read', async () => {
    await using store = await openMetricStore({ directory: scratch.path });
    const put = async (index: number): Promise<unknown> =>
      store.put(
        batchOf(index, { rows: Array.from({ length: 300 }, (_, i) => ({ window: BASE + (i % 3) * 1440, entity: entityId('key', `k${i}`), cells: ONE })) }),
      );
    await put(0);
    for (const resolution of ['minute', 'hour', 'day'] as const) {
      const seen: number[] = [];
      let index = 1;
      for await (const window of store.windows({ ...EVER, resolution })) {
        seen.push(at(window.counters, C.requests));
        if (seen.length % 100 === 50) {
          await put(index++);
          await store.fold();
        }
        if (seen.length === 120 && resolution === 'day')
          await store.retain({ partialsMs: 0, minutesMs: 0, hoursMs: 1e15, daysMs: 1e15, bytesMax: 0 }, (BASE + 9 * 1440) * 60_000);
      }
      expect(seen).toHaveLength(300);
      expect(new Set(seen).size).toBe(1);
    }
  });

  test('that is left early does not hold the log of the database', async () => {
    await using store = await openMetricStore({ directory: scratch.path });
    await store.put(batchOf(0, { rows: [0, 1, 2].map((i) => ({ window: BASE + i, entity: entityId('key', 'k'), cells: ONE })) }));
    for (let i = 0; i < 10; i++) {
      for await (const window of store.windows(EVER)) {
        expect(window.window.start).toBe(BASE * 60_000);
        break;
      }
    }
    const db = new DatabaseSync(store.path);
    expect(db.prepare('pragma wal_checkpoint(truncate)').get()).toMatchObject({ busy: 0 });
    db.close();
  });
});
