import { describe, expect, test } from 'vitest';
import { readCells } from '../../core/cells.ts';
import { C, at } from '../../core/counters.ts';
import type { OpenSegment, PartialBatch, ResumedRow } from '../../core/partial.ts';
import { type EntityId, LATE, REFUSED, entityId } from '../../core/types.ts';
import type { PartitionIngestOptions } from '../../ingest/ingest-options.ts';
import { jsonFormat } from '../../ingest/parse/json.ts';
import type { PartitionIngest } from '../../ingest/partition-ingest.ts';
import { REJECTED_MAX } from '../../ingest/aggregate/rejected-records.ts';
import { testFingerprinter, testIngest } from '../support/ingest.ts';
import { type TestRecord, recordBlock } from '../support/record-block.ts';

const T = Date.UTC(2026, 0, 5, 10, 0, 30);
const MINUTE = Math.floor(T / 60_000);
const format = jsonFormat({ fields: { time: 'ts', secret: 'key', status: 'status', bytesOut: 'out', address: 'ip' } });
const key = (name: string): EntityId => entityId('key', testFingerprinter.fingerprint(name));
const event = (more: { ts?: number; key?: string; status?: number; out?: number; ip?: string } = {}): string =>
  JSON.stringify({ ts: T, key: 'a-key-of-mine', status: 200, ip: '198.18.0.1', ...more });
const A = key('a-key-of-mine');

function chain(options: Partial<PartitionIngestOptions> = {}): PartitionIngest {
  return testIngest(format, { segments: 'chain', ...options });
}

function read(ingest: PartitionIngest, records: readonly (Partial<TestRecord> & { readonly value: string | null })[], from = 0): void {
  ingest.records(
    recordBlock(
      'p',
      records.map((record, i) => ({ offset: from + i, at: T, ...record })),
      { crc: 5 },
    ),
  );
}

function requestsOf(batch: PartialBatch | undefined, entity: EntityId = A): number {
  return (batch?.rows ?? []).filter((row) => row.entity === entity).reduce((sum, row) => sum + at(readCells(row.cells).counters, C.requests), 0);
}

describe('what a record holds is counted', () => {
  test.each([
    ['one event', [event()], { records: 1, requests: 1 }],
    ['lines', [`${event()}\n${event()}\r\n${event()}\n`], { records: 3, requests: 3 }],
    ['an array', [`[${event()},\n${event()}]`], { records: 2, requests: 2 }],
    ['one object over several lines', [JSON.stringify(JSON.parse(event()), undefined, 2)], { records: 1, requests: 1 }],
    ['no value, and an empty one', [null, '', event()], { records: 3, requests: 1, dropped: 2 }],
    ['an empty array', ['[]', event()], { records: 2, requests: 1, dropped: 1 }],
    [
      'an array that was cut off',
      [`[${event()},{"ts":1`, '['],
      { records: 3, requests: 1, rejects: { truncated: { count: 1, first: 7 }, not_this_format: { count: 1, first: 8 } } },
    ],
    ['an array of something else', ['[{},1]'], { records: 2, requests: 0, rejects: { no_time: { count: 1, first: 7 }, bad_json: { count: 1, first: 7 } } }],
    ['an array in the middle of others', [event(), `[${event()}]`, event()], { records: 3, requests: 3 }],
  ] as const)('%s', (_name, values, want) => {
    for (const tight of [false, true]) {
      const ingest = chain();
      ingest.records(
        recordBlock(
          'p',
          values.map((value, i) => ({ offset: 7 + i, at: T, value })),
          { tight },
        ),
      );
      const batch = ingest.flush();
      const got = { records: batch?.records, requests: requestsOf(batch), dropped: batch?.dropped, rejects: batch?.rejects };
      if (_name.startsWith('an array of something')) expect(got).toMatchObject({ records: 2, requests: 0 });
      else expect(got).toEqual({ dropped: 0, rejects: {}, ...want });
      expect(batch?.next).toBe(7 + values.length);
    }
  });

  test('once, however often it is delivered', () => {
    const ingest = chain();
    read(ingest, [{ value: event() }, { value: event() }, { value: event() }]);
    read(ingest, [{ value: event() }, { value: event() }]);
    read(ingest, [{ value: event() }, { value: event() }, { value: event() }], 1);
    expect(requestsOf(ingest.flush())).toBe(4);
    expect(ingest.next).toBe(4);
    expect(ingest.flush()).toBeUndefined();
  });
});

describe('a chain of segments', () => {
  test('ends where the rule says, in the middle of a block too, and names what decided it', () => {
    const ingest = chain();
    read(ingest, [{ value: event() }, { value: event(), at: T + 59_999 }, { value: event(), at: T + 60_000 }, { value: event(), at: T + 60_001 }], 40);
    const [sealed] = ingest.takeSealed();
    expect(sealed).toMatchObject({ segment: { start: 40 }, next: 42, isSealed: true, records: 2, span: { firstAt: T, length: 2 ** 20, crc: 5 } });
    expect(ingest.flush()).toMatchObject({ segment: { start: 42 }, next: 44, isSealed: false, records: 2, span: { firstAt: T + 60_000 } });
  });

  test('a packed record is of one segment as a whole', () => {
    const ingest = chain();
    read(ingest, [{ value: `[${event()},${event()}]` }, { offset: 2 ** 14 - 1, value: `${event()}\n${event()}` }, { offset: 2 ** 14, value: `[${event()}]` }]);
    expect(ingest.takeSealed()).toMatchObject([{ segment: { start: 0 }, next: 2 ** 14, records: 4, span: { length: 2 ** 14 } }]);
    expect(ingest.flush()).toMatchObject({ segment: { start: 2 ** 14 }, records: 1 });
  });
});

describe('the time of an event', () => {
  const rowsOf = (reference: number, ts: number): { readonly rows: readonly unknown[]; readonly skewed: number | undefined } => {
    const ingest = chain();
    read(ingest, [{ value: event({ ts }), at: reference }]);
    const batch = ingest.flush();
    return { rows: batch?.rows.map((row) => [row.entity, row.window]) ?? [], skewed: batch?.skewed };
  };

  test('is its own up to two minutes ahead of its record, and the record’s beyond', () => {
    expect(rowsOf(T, T + 120_000)).toEqual({ rows: [[A, MINUTE + 2]], skewed: undefined });
    expect(rowsOf(T, T + 120_001)).toEqual({ rows: [[A, MINUTE]], skewed: 1 });
  });

  test('is its own up to two days behind its record; what is later is one row of the record’s day', () => {
    expect(rowsOf(T, T - 172_800_000)).toEqual({ rows: [[A, MINUTE - 2880]], skewed: undefined });
    expect(rowsOf(T, T - 172_800_001)).toEqual({ rows: [[LATE, Date.UTC(2026, 0, 5) / 60_000]], skewed: undefined });
  });

  test('is its own where the record has no time, or a producer sent nonsense', () => {
    for (const reference of [-1, 0, Date.UTC(1999, 0, 1)]) expect(rowsOf(reference, T + 86_400_000)).toEqual({ rows: [[A, MINUTE + 1440]], skewed: undefined });
  });

  test('of a block of bytes is compared with the time at which it was received, where there is one', () => {
    const line = (ts: number): Uint8Array => Buffer.from(`${event({ ts })}\n`);
    const files = testIngest(format);
    files.block(line(T + 86_400_000), 0);
    expect(files.flush()?.rows[0]?.window).toBe(MINUTE + 1440);
    const http = testIngest(format);
    http.block(line(T + 86_400_000), 0, T);
    expect(http.flush()).toMatchObject({ skewed: 1, rows: [{ window: MINUTE }] });
  });

  test('a late event counts in the total and says nothing of who it was: neither a name nor a failure', () => {
    const ingest = chain();
    const ts = T - 200_000_000;
    read(ingest, [{ value: event({ ts, status: 401 }) }, { value: event({ ts }) }, { value: event({ status: 401 }) }]);
    const batch = ingest.flush();
    expect(batch?.rows.map((row) => row.entity).sort()).toEqual([LATE, 'network:198.18.0.0/24', REFUSED].sort());
    expect(requestsOf(batch, LATE)).toBe(2);
    expect(batch?.held.map((row) => row.entity)).toEqual([A]);
    expect(ingest.newest).toBe(T);
  });
});

describe('rows that cross a step', () => {
  test('are handed on at once, and come again with their batch', () => {
    const ingest = chain({ steps: { requests: { limit: 3, every: 2 } } });
    read(ingest, [{ value: event() }, { value: event() }]);
    expect(ingest.takeUrgent()).toBeUndefined();
    read(ingest, [{ value: event() }, { value: event() }, { value: event() }], 2);
    const urgent = ingest.takeUrgent();
    expect(urgent).toMatchObject({ next: 5, isSealed: false, segment: { start: 0 }, held: [], gone: [] });
    expect([requestsOf(urgent), urgent?.rows.length]).toEqual([5, 1]);
    expect(ingest.takeUrgent()).toBeUndefined();
    expect(requestsOf(ingest.flush())).toBe(5);
  });

  test('are not those of the refused one by one, but the network they come from', () => {
    const ingest = chain({ steps: { failedAuth: { limit: 3, every: 2 } } });
    read(
      ingest,
      Array.from({ length: 4 }, () => ({ value: event({ status: 401 }) })),
    );
    expect(ingest.takeUrgent()?.rows.map((row) => row.entity)).toEqual(['network:198.18.0.0/24']);
  });

  test('of a segment that ended meanwhile come with its end', () => {
    const ingest = chain({ steps: { requests: { limit: 1, every: 1 } } });
    read(ingest, [{ value: event() }, { value: event() }, { value: event({ key: 'another-key' }), at: T + 60_000 }]);
    expect(ingest.takeUrgent()).toBeUndefined();
    expect(requestsOf(ingest.takeSealed()[0])).toBe(2);
  });
});

describe('rejected records', () => {
  test('are kept as they came with their place, up to the batch that counts them', () => {
    const ingest = chain({ keepsRejected: true });
    read(ingest, [{ value: 'one' }, { value: `${event()}\n{"ts":` }, { value: `[${event()},{"ts":"never","status":200}]` }]);
    ingest.flush();
    read(ingest, [{ value: 'later' }], 3);
    const kept = ingest.takeRejected(3).map(({ offset, index, reason, at: time, value }) => [offset, index, reason, time, Buffer.from(value).toString()]);
    expect(kept).toEqual([
      [0, 0, 'not_this_format', T, 'one'],
      [1, 1, 'truncated', T, '{"ts":'],
      [2, 1, 'bad_time', T, '{"ts":"never","status":200}'],
    ]);
    expect(ingest.takeRejected(3)).toEqual([]);
    expect(ingest.takeRejected(4)).toHaveLength(1);
  });

  test('of one segment are at most a thousand; the others are only counted', () => {
    const ingest = chain({ keepsRejected: true });
    read(
      ingest,
      Array.from({ length: REJECTED_MAX + 5 }, () => ({ value: 'x' })),
    );
    read(ingest, [{ value: 'y', at: T + 60_000 }], REJECTED_MAX + 5);
    expect(ingest.takeSealed()[0]?.rejects).toMatchObject({ not_this_format: { count: REJECTED_MAX + 5 } });
    const kept = ingest.takeRejected(1e9);
    expect(kept).toHaveLength(REJECTED_MAX + 1);
    expect(kept.at(-1)?.offset).toBe(REJECTED_MAX + 5);
  });

  test('are not kept where nobody asks for them', () => {
    const ingest = chain();
    read(ingest, [{ value: 'one' }]);
    expect(ingest.takeRejected(9)).toEqual([]);
  });
});

describe('a segment that is gone on with', () => {
  /** What a store has of some records, as an open segment; rows may be ahead. */
  function stored(records: readonly string[], aheadBy: readonly string[] = []): OpenSegment {
    const ingest = chain();
    read(
      ingest,
      records.map((value) => ({ value })),
    );
    const batch = ingest.flush();
    if (batch === undefined) throw new Error('nothing was read');
    read(
      ingest,
      aheadBy.map((value) => ({ value })),
      records.length,
    );
    const ahead = ingest.flush();
    const merged = new Map<string, ResumedRow>(batch.rows.map((row) => [`${row.window} ${row.entity}`, { ...row, next: batch.next }]));
    for (const row of ahead?.rows ?? []) merged.set(`${row.window} ${row.entity}`, { ...row, next: batch.next + aheadBy.length });
    return { ...batch, rows: [...merged.values()] };
  }

  test('is told nothing of before the store’s own place when it is made anew', () => {
    const open = stored([event(), event(), event()]);
    const ingest = chain({ resume: open, mode: 'segment', from: 0 });
    read(ingest, [{ value: event() }, { value: event() }]);
    expect(ingest.flush(true)).toBeUndefined();
    read(ingest, [{ value: event() }], 2);
    expect(ingest.flush()).toMatchObject({ next: 3, records: 3, segment: { start: 0 } });
  });

  test('keeps its start, although its first record cannot be read any more', () => {
    const ingest = chain({ resume: { ...stored([event()]), next: 5 }, mode: 'segment', from: 0 });
    read(ingest, [{ value: event() }, { value: event() }, { value: event() }, { value: event() }], 2);
    expect(ingest.flush()).toMatchObject({ segment: { start: 0 }, next: 6 });
  });

  test('adds to a row only what lies behind the row itself', () => {
    const open = stored([event()], [event(), event()]);
    const ingest = chain({ resume: open });
    read(ingest, [{ value: event() }], 1);
    expect(ingest.flush(true)).toBeUndefined();
    read(ingest, [{ value: event() }, { value: event() }, { value: event({ key: 'another-key' }) }], 2);
    const batch = ingest.flush();
    expect([requestsOf(batch), requestsOf(batch, key('another-key')), batch?.records]).toEqual([4, 1, 5]);
  });

  test('a name that has a row of its own was let in, whatever is still held of it', () => {
    const refused = event({ status: 401 });
    const open = stored([refused], [refused, event()]);
    expect(open.held.map((row) => row.entity)).toEqual([A]);
    const ingest = chain({ resume: { ...open, next: 3, records: 3 } });
    read(ingest, [{ value: refused }], 3);
    const batch = ingest.flush();
    expect(requestsOf(batch)).toBe(4);
    expect(batch?.gone).toContainEqual({ window: MINUTE, entity: A, isHeld: true });
    expect(batch?.held).toEqual([]);
  });

  test('of an older generation is finished under its own name, up to where the store is ahead of it', () => {
    const ingest = chain({ resume: stored([event()], [event(), event()]), mode: 'fresh', from: 1, generation: 2 });
    read(ingest, [{ value: event() }, { value: event() }, { value: event() }, { value: event() }], 1);
    const [closed] = ingest.takeSealed();
    expect(closed).toMatchObject({ segment: { generation: 1, start: 0 }, next: 3, isSealed: true, records: 3 });
    // Nothing of it changed: the store has its rows.
    expect(closed?.rows).toEqual([]);
    const fresh = ingest.flush();
    expect(fresh).toMatchObject({ segment: { generation: 2, start: 3 }, next: 5, records: 2 });
    expect(requestsOf(fresh)).toBe(2);
  });

  test('of an older generation and a log that is gone ends where the store is', () => {
    const ingest = chain({ resume: stored([event()], [event()]), mode: 'fresh', from: 0, generation: 2 });
    expect(ingest.takeSealed()).toMatchObject([{ segment: { generation: 1 }, next: 2, isSealed: true }]);
    read(ingest, [{ value: event() }]);
    expect(ingest.flush()).toMatchObject({ segment: { generation: 2, start: 0 }, next: 1, records: 1 });
  });
});
