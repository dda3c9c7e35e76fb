import { describe, expect, test } from 'vitest';
import { readCounters } from '../../core/cells.ts';
import type { SourceEvent } from '../../core/ports.ts';
import { type Outcome, OK, failed } from '../../core/types.ts';
import { memoryMetricStore } from '../../storage/memory/metric-store.ts';
import { T, assigned, eventLine, harness, records } from './pump-support.ts';

const MINUTE = 60_000;

/** A promise that the test resolves. */
function gate<Value>(): { readonly promise: Promise<Value>; readonly open: (value: Value) => void } {
  const { promise, resolve } = Promise.withResolvers<Value>();
  return { promise, open: resolve };
}

describe('a batch', () => {
  test('goes to the store, to the judge and to the source, in that order; the end of a segment is stored after the judge has it', async () => {
    const h = harness();
    await h.feed(assigned(0), records(0, 0, 3), records(0, 3, 1, T + MINUTE));
    await h.end();
    expect(h.log).toEqual(['put p0 3', 'told p0 3', 'sealed p0 3', 'commit p0 3 sealed', 'put p0 4', 'told p0 4', 'commit p0 4']);
    expect(h.told[0]?.isSealed).toBe(true);
  });

  test('of an embedded store is waited for, and its segment ends with its rows', async () => {
    const h = harness({ unackedBatches: 0 });
    const answer = gate<Outcome>();
    h.onPut = () => answer.promise;
    await h.feed({ kind: 'assigned', partition: 'p0', label: 'access.log', from: 0, head: Buffer.from(eventLine()) });
    h.give({ kind: 'block', partition: 'p0', offset: 0, bytes: Buffer.from(`${eventLine()}\n`) });
    h.give({ kind: 'finished', partition: 'p0', position: 10 });
    h.give({ kind: 'problem', subject: 'late', message: 'told behind it' });
    await h.clock.settle();
    expect(h.problems).toEqual([]);
    answer.open(OK);
    await h.end();
    expect(h.problems).toEqual(['late: told behind it']);
    expect(h.log[0]).toMatch(/^put p0/);
  });

  test('is flushed by the clock, although nothing comes any more', async () => {
    const h = harness();
    await h.feed(assigned(0), records(0, 0, 3), { kind: 'caught_up', partition: 'p0', position: 3 });
    expect(h.log).toEqual([]);
    await h.clock.advance(5000);
    expect(h.log).toEqual(['put p0 3', 'told p0 3', 'commit p0 3']);
    await h.clock.advance(20_000);
    expect(h.log).toHaveLength(3);
    await h.end();
  });

  test('is sent before it has too many rows: a backlog of many keys does not fill the memory', async () => {
    const h = harness({ rowsMax: 10 });
    await h.feed(assigned(0));
    for (let n = 0; n < 6; n++) {
      const values = [0, 1, 2, 3].map((i) => eventLine(`key-${4 * n + i}-of-mine`));
      await h.feed(records(0, 4 * n, values));
    }
    expect(h.log.filter((line) => line.startsWith('put'))).toEqual(['put p0 12', 'put p0 24']);
    await h.end();
    expect(h.told.map(({ rows }) => rows.length)).toEqual([12, 12]);
  });

  test('that comes while two wait is not made: what changes again meanwhile is sent once', async () => {
    const h = harness();
    const answer = gate<Outcome>();
    h.onPut = () => answer.promise;
    await h.feed(assigned(0));
    for (let n = 0; n < 5; n++) {
      await h.feed(records(0, n, 1));
      await h.clock.advance(5000);
    }
    expect(h.pump.partitions()[0]).toMatchObject({ unackedBatches: 2 });
    answer.open(OK);
    await h.clock.settle();
    await h.end();
    expect(h.log.filter((line) => line.startsWith('put'))).toEqual(['put p0 1', 'put p0 2', 'put p0 5']);
  });
});

describe('a store that is slow or away', () => {
  test('does not stop reading, until too much is on its way', async () => {
    const h = harness({ unackedBatches: 2 });
    const answer = gate<Outcome>();
    h.onPut = () => answer.promise;
    await h.feed(assigned(0));
    for (let n = 0; n < 6; n++) await h.feed(records(0, n, 1, T + n * MINUTE));
    expect(h.log).toEqual(['pause p0']);
    expect(h.pump.partitions()[0]?.unackedBatches).toBe(5);
    answer.open(OK);
    await h.clock.settle();
    expect(h.log.filter((line) => !line.startsWith('put') && !line.startsWith('told') && !line.startsWith('sealed') && !line.startsWith('commit'))).toEqual([
      'pause p0',
      'resume p0',
    ]);
    expect(h.pump.partitions()[0]).toMatchObject({ unackedBatches: 0, unackedBytes: 0 });
    await h.end();
  });

  test('is measured in bytes too', async () => {
    const h = harness({ unackedBatches: 100, unackedBytes: 1 });
    const answer = gate<Outcome>();
    h.onPut = () => answer.promise;
    await h.feed(assigned(0), records(0, 0, 1), records(0, 1, 1, T + MINUTE));
    expect(h.log).toEqual(['pause p0']);
    answer.open(OK);
    await h.end();
  });

  test('is asked again every second, and a person is told once when it begins and once when it ends', async () => {
    const h = harness();
    let puts = 0;
    h.onPut = () => (++puts < 5 ? failed('too busy', true) : OK);
    await h.feed(assigned(0), records(0, 0, 1));
    await h.clock.advance(5000 + 10_000);
    expect(h.problems).toEqual(['topic/0: nothing more is read, since the store refuses: too busy', 'topic/0: the store accepts again']);
    expect(h.log).toEqual(['put p0 1', 'told p0 1', 'commit p0 1']);
    await h.end();
  });

  test('when a partition is assigned is asked again until it answers', async () => {
    const store = memoryMetricStore();
    let asks = 0;
    const claim = store.claim.bind(store);
    store.claim = async (name, value) => {
      if (name.startsWith('origin') && ++asks < 3) throw Object.assign(new Error('connection refused'), { isRetryable: true });
      return claim(name, value);
    };
    const h = harness({}, store);
    h.give(assigned(0));
    h.give(records(0, 0, 2));
    await h.clock.advance(4000);
    await h.end();
    expect(h.problems).toEqual(['topic/0: nothing is read yet, since the store does not answer: connection refused']);
    expect(h.log).toContain('put p0 2');
  });
});

describe('a document that the store refuses for good', () => {
  test('halts its partition, told once; others go on; mended, it goes on within half a minute', async () => {
    const h = harness();
    let isMended = false;
    h.onPut = ({ segment }) => (segment.partition === 0 && !isMended ? failed('400 mapper_parsing_exception of field cells', false) : OK);
    await h.feed(assigned(0), assigned(1), records(0, 0, 2), records(1, 0, 3));
    await h.clock.advance(5000);
    await h.feed(records(1, 3, 1, T + MINUTE), records(0, 2, 1, T + MINUTE));
    await h.clock.advance(65_000);
    expect(h.log.filter((line) => line.includes('p0'))).toEqual([]);
    expect(h.log).toContain('commit p1 3 sealed');
    expect(h.pump.partitions()[0]?.trouble).toContain('mapper_parsing_exception');
    expect(h.problems).toHaveLength(1);
    expect(h.problems[0]).toMatch(/^topic\/0: halted, since the store refuses for good: 400 mapper_parsing_exception of field cells;/);
    isMended = true;
    await h.clock.advance(30_000);
    expect(h.log.findLast((line) => line.includes('p0'))).toBe('commit p0 3');
    expect(h.problems.at(-1)).toBe('topic/0: the store accepts again');
    expect(h.pump.partitions()[0]?.trouble).toBeUndefined();
    await h.end();
  });
});

describe('a partition that belongs to another process', () => {
  test('is neither stored nor told nor committed any more, whatever was on its way', async () => {
    const h = harness();
    const answer = gate<Outcome>();
    h.onPut = () => answer.promise;
    await h.feed(assigned(0), records(0, 0, 2), records(0, 2, 2, T + MINUTE), { kind: 'revoked', partition: 'p0' });
    answer.open(OK);
    await h.clock.settle();
    await h.feed(records(0, 4, 1));
    await h.clock.advance(20_000);
    await h.end();
    expect(h.log.filter((line) => !line.startsWith('put'))).toEqual([]);
    expect(h.pump.partitions()).toEqual([]);
  });

  test('and comes back is read as the chain says, not as it was left', async () => {
    const h = harness();
    await h.feed(assigned(0), records(0, 0, 2), { kind: 'revoked', partition: 'p0' }, assigned(0), records(0, 0, 3));
    await h.end();
    expect(h.log).toEqual(['put p0 3', 'told p0 3', 'commit p0 3']);
    expect(h.told[0]?.records).toBe(3);
  });
});

describe('where counting goes on', () => {
  /** A store with three records of an open segment, and nobody who told the judge. */
  async function left(): Promise<ReturnType<typeof memoryMetricStore>> {
    const store = memoryMetricStore();
    const h = harness({}, store);
    await h.feed(assigned(0), records(0, 0, 3));
    await h.end();
    return store;
  }
  const requests = (h: ReturnType<typeof harness>): readonly number[] =>
    h.told.map(({ rows }) => rows.reduce((sum, row) => sum + (readCounters(row.cells)[0] ?? 0), 0));

  test('with the stored rows, which the judge is told again first', async () => {
    const h = harness({}, await left());
    await h.feed(assigned(0, { resume: 'rows', from: 3 }));
    await h.clock.settle();
    expect(h.told).toMatchObject([{ next: 3, isSealed: false, segment: { start: 0 } }]);
    await h.feed(records(0, 3, 2));
    await h.end();
    expect(requests(h)).toEqual([3, 5]);
    expect(h.log).toEqual(['told p0 3', 'put p0 5', 'told p0 5', 'commit p0 5']);
  });

  test('with the stored rows, and both names of a key that only the store was told', async () => {
    const store = memoryMetricStore();
    const detect = {
      format: 'json',
      envelope: 'none',
      map: { fields: { time: 'ts', secret: 'key', credentialId: 'cid', status: 'status', address: 'ip' } },
    } as const;
    const before = harness({ detect }, store);
    before.onPublish = () => Promise.reject(new Error('killed here'));
    await before.feed(assigned(0), records(0, 0, [eventLine('one', { cid: 'id-1' }), eventLine('other', { cid: 'id-2' }), eventLine('none')]));
    await before.end().catch(() => undefined);
    expect((await store.aliases()).size).toBe(2);
    // Somebody else's: of another partition, told when its rows were.
    const elsewhere = harness({ detect }, store);
    await elsewhere.feed(assigned(1), records(1, 0, [eventLine('third', { cid: 'id-3' })]));
    await elsewhere.end();

    const h = harness({ detect }, store);
    await h.feed(assigned(0, { resume: 'rows', from: 3 }));
    await h.clock.settle();
    expect(h.told).toHaveLength(1);
    expect(h.told.flatMap(({ aliases }) => aliases.map(({ credential }) => credential)).toSorted()).toEqual(['key:id-1', 'key:id-2']);
    expect(h.told.flatMap(({ aliases }) => aliases.map(({ fingerprint }) => fingerprint)).every((name) => name.startsWith('key:kf1_'))).toBe(true);
    await h.end();
  });

  test('at the start of the open segment, whose rows are told when they are made again', async () => {
    const h = harness({}, await left());
    await h.feed(assigned(0, { resume: 'segment', from: 0 }), records(0, 0, 2));
    await h.clock.advance(10_000);
    expect(h.told).toEqual([]);
    await h.feed(records(0, 2, 2));
    await h.end();
    expect(requests(h)).toEqual([4]);
  });

  test('of a file with the stored rows, and nothing is told again in one process', async () => {
    const store = memoryMetricStore();
    const line = Buffer.from(`${eventLine()}\n`);
    const file = { kind: 'assigned', partition: 'f', label: 'access.log', from: 0, head: line } as const;
    for (const from of [0, line.length]) {
      const h = harness({ unackedBatches: 0 }, store);
      await h.feed({ ...file, from }, { kind: 'block', partition: 'f', offset: from, bytes: line });
      await h.end();
      expect(requests(h)).toEqual([from === 0 ? 1 : 2]);
    }
  });

  test('in a new generation the older one is closed, and both are counted once', async () => {
    const store = await left();
    const h = harness({}, store);
    await h.feed(assigned(0, { resume: 'fresh', from: 3, generation: 2 }), records(0, 3, 2));
    await h.end();
    expect(h.log.filter((line) => !line.startsWith('told'))).toEqual(['put p0 3', 'sealed p0 3', 'commit p0 3 sealed', 'put p0 5', 'commit p0 5']);
    expect(await store.heads()).toMatchObject([{ segment: { generation: 2, start: 3 }, next: 5, records: 2 }]);
    const [totals] = await store.totals({ from: 0, to: Number.MAX_SAFE_INTEGER });
    expect(totals?.counters[0]).toBe(5);
  });
});

describe('what the judge is told of how far reading is', () => {
  test('is what it has, not what was read, and that a log is at its end only when all of it was told', async () => {
    const h = harness();
    const answer = gate<void>();
    h.onPublish = () => answer.promise;
    const ts = T + 7000;
    await h.feed(assigned(0), records(0, 0, [eventLine('a-key-of-mine', { ts })]), { kind: 'caught_up', partition: 'p0', position: 1 });
    await h.clock.advance(1000);
    expect(h.progress.at(-1)).toEqual([{ source: 1, partition: 0, newest: 0, isAtEnd: false, heardAt: T }]);
    await h.clock.advance(10_000);
    expect(h.progress.at(-1)).toMatchObject([{ newest: 0, isAtEnd: false }]);
    answer.open();
    await h.clock.advance(1000);
    expect(h.progress.at(-1)).toMatchObject([{ newest: ts, isAtEnd: true }]);
    await h.feed(records(0, 1, 1));
    await h.clock.advance(1000);
    expect(h.progress.at(-1)).toMatchObject([{ newest: ts, isAtEnd: false }]);
    await h.end();
  });
});

test('a log that is never at its end for long is known to be complete up to when all of it was read, once the judge has that', async () => {
  const h = harness({ flushMs: 1000 });
  const end = (position: number): SourceEvent => ({ kind: 'caught_up', partition: 'p0', position });
  await h.feed(assigned(0), records(0, 0, 3), end(3), records(0, 3, 2));
  await h.clock.advance(2000);
  expect(h.progress.at(-1)).toMatchObject([{ isAtEnd: false, completeAt: T }]);
  const answer = gate<void>();
  h.onPublish = () => answer.promise;
  await h.feed(records(0, 5, 2), end(7));
  const caughtUp = h.clock.now();
  await h.feed(records(0, 7, 2));
  await h.clock.advance(2000);
  expect(h.progress.at(-1)).toMatchObject([{ isAtEnd: false, completeAt: T }]);
  answer.open();
  await h.clock.advance(1000);
  expect(h.progress.at(-1)).toMatchObject([{ isAtEnd: false, completeAt: caughtUp }]);
  await h.end();
});

test('a row that passes a limit is told at once, before its batch', async () => {
  const h = harness({ steps: { requests: { limit: 3, every: 1 } } });
  await h.feed(assigned(0), records(0, 0, 5));
  expect([h.hints.length, h.told.length]).toEqual([1, 0]);
  expect(h.hints[0]).toMatchObject({ next: 5, isSealed: false, segment: { source: 1, partition: 0, start: 0 } });
  await h.end();
});

describe('dead letters', () => {
  test('are kept before the source hears of their batch, with their place', async () => {
    const h = harness();
    await h.feed(assigned(0), records(0, 0, [eventLine(), `${eventLine()}\nbroken`]), records(0, 2, 1, T + MINUTE));
    await h.end();
    expect(h.log).toEqual(['put p0 2', 'told p0 2', 'sealed p0 2', 'letters p0 1', 'commit p0 2 sealed', 'put p0 3', 'told p0 3', 'commit p0 3']);
    expect(h.letters).toEqual([
      { source: 'topic', partition: 0, offset: 1, index: 1, reason: 'not_this_format', at: T, value: new Uint8Array(Buffer.from('broken')) },
    ]);
  });

  test('that cannot be kept hold the commit back, and not the rows', async () => {
    const h = harness();
    let isAway = true;
    h.onLetters = () => (isAway ? failed('no leader', true) : OK);
    await h.feed(assigned(0), records(0, 0, ['broken', eventLine()]), records(0, 2, 1, T + MINUTE), records(0, 3, 1, T + 2 * MINUTE));
    await h.clock.advance(3000);
    expect(h.log.filter((line) => line.startsWith('commit'))).toEqual([]);
    expect(h.log.filter((line) => line.startsWith('sealed'))).toEqual(['sealed p0 2', 'sealed p0 3']);
    expect(h.problems).toEqual(['topic/0: nothing is committed, since the dead letters are refused (counting goes on): no leader']);
    isAway = false;
    await h.clock.advance(2000);
    expect(h.log.filter((line) => line.startsWith('commit')).slice(0, 2)).toEqual(['commit p0 2 sealed', 'commit p0 3 sealed']);
    await h.end();
  });

  test('that were stored as rejected and not kept are kept when their segment is read again, and lost when only its rows are left', async () => {
    const store = memoryMetricStore();
    const before = harness({}, store);
    before.onLetters = () => failed('no leader', true);
    await before.feed(assigned(0), records(0, 0, [eventLine(), 'broken', eventLine()]));
    await before.clock.advance(5000);
    before.stop.abort();
    await before.running;
    expect(before.log).not.toContain('commit p0 3');

    const again = harness({}, store);
    await again.feed(assigned(0, { resume: 'segment', from: 0 }), records(0, 0, [eventLine(), 'broken', eventLine()]));
    await again.end();
    expect(again.letters).toMatchObject([{ offset: 1, reason: 'not_this_format' }]);

    // Their bytes are gone from the topic: that they were there is all that is left of them.
    const rows = harness({}, store);
    await rows.feed(assigned(0, { resume: 'rows', from: 3 }), records(0, 3, 1));
    await rows.end();
    expect(rows.letters).toEqual([]);
    expect(rows.told.at(-1)).toMatchObject({ next: 4, records: 4, rejects: { not_this_format: { count: 1, first: 1 } } });
  });

  test('that are refused for good are told of and left, as they are in their topic', async () => {
    const h = harness();
    h.onLetters = () => failed('unknown topic', false);
    await h.feed(assigned(0), records(0, 0, ['broken']), records(0, 1, 1, T + MINUTE));
    await h.end();
    expect(h.log).toContain('commit p0 1 sealed');
    expect(h.problems).toEqual(['topic/0: 1 rejected records are not kept as dead letters (they are counted, and still in their topic): unknown topic']);
  });
});

describe('the end', () => {
  test('of the process stores what was read; what the store refuses then is read again', async () => {
    const h = harness();
    await h.feed(assigned(0), assigned(1), records(0, 0, 2), records(1, 0, 2));
    h.onPut = ({ segment }) => (segment.partition === 1 ? failed('away', true) : OK);
    h.stop.abort();
    await h.running;
    expect(h.log).toEqual(['put p0 2', 'told p0 2', 'commit p0 2']);
  });

  test('by a fault of ours commits nothing more, and the fault is thrown', async () => {
    const h = harness();
    h.onPublish = () => {
      throw new Error('BUG: a test');
    };
    await h.feed(assigned(0), records(0, 0, 2), assigned(1), records(1, 0, 1));
    await h.clock.advance(5000);
    await expect(h.running).rejects.toThrow('BUG: a test');
    expect(h.log.filter((line) => line.startsWith('commit') || line.startsWith('told'))).toEqual([]);
  });
});
