import { describe, expect, test } from 'vitest';
import { encodeCells, readCells } from '../../../core/cells.ts';
import { mergeCounters } from '../../../core/counters.ts';
import { type EntityId, LATE, REFUSED, entityId } from '../../../core/types.ts';
import { startOf } from '../../../core/window.ts';
import { type Judge, createJudge } from '../../../detectors/judge.ts';
import { NET, NOBODY, T0, batch, cellsOf, directoryOf, key, row, segment, tried } from '../support.ts';

const NOW = startOf(T0 + 30);

const judgeOf = (canonical: Readonly<Record<string, EntityId>> = {}, evidenceBytesMax?: number): Judge =>
  createJudge({ directory: directoryOf({ canonical }), tracksChanges: true, evidenceBytesMax });

/** By owner, all packed rows merged. */
function rowsOf(judge: Judge, minute: number): Record<string, string> | undefined {
  const rows = judge.rowsOf(minute);
  if (rows === undefined) return undefined;
  return Object.fromEntries(
    Array.from(rows, ({ entity, packed }) => {
      const [first, ...others] = packed.map(readCells);
      if (first === undefined) throw new Error('BUG: an owner without rows');
      for (const { counters, sketch } of others) {
        mergeCounters(first.counters, counters);
        first.sketch.merge(sketch);
      }
      return [entity, hex(encodeCells(first.counters, first.sketch))];
    }),
  );
}

const hex = (cells: Uint8Array): string => Buffer.from(cells).toString('hex');
const changed = (judge: Judge): Record<string, readonly string[]> =>
  Object.fromEntries([...judge.takeChanged()].map(([minute, owners]) => [minute - T0, [...owners].sort()]));

describe('the rows of a minute by owner', () => {
  test('are the newest of each segment, under the name that is judged', () => {
    const judge = judgeOf({ 'key:old': key('new') });
    judge.observe(batch([row(T0, key('old'), { requests: 1 }), row(T0, key('new'), { requests: 2 })]), NOW);
    judge.observe(batch([row(T0, key('old'), { requests: 4 })], { next: 5 }), NOW);
    judge.observe(batch([row(T0, key('new'), { requests: 8 }), row(T0 + 1, key('new'), { requests: 1 })], { segment: segment(100), next: 110 }), NOW);
    expect(rowsOf(judge, T0)).toEqual({ 'key:new': hex(cellsOf({ requests: 14 })) });
  });

  test('hold networks, and nothing of keys that only their attempts show', () => {
    const judge = createJudge({ directory: directoryOf({ known: { k1: key('k1') } }) });
    judge.observe(batch([row(T0, NET, tried({ k1: 3 }))]), NOW);
    expect(Object.keys(rowsOf(judge, T0) ?? {})).toEqual([NET]);
  });

  test('can be asked for by owner, in all their names', () => {
    const judge = judgeOf({ 'key:old': key('new') });
    judge.observe(batch([row(T0, key('old'), { requests: 1 }), row(T0, key('new'), { requests: 2 }), row(T0, key('a'), { requests: 4 })]), NOW);
    judge.observe(batch([row(T0 + 1, key('new'), { requests: 8 }), row(T0, key('b'), { requests: 16 })], { segment: segment(100), next: 110 }), NOW);
    const rows = judge.rowsOf(T0, new Set([key('new'), key('b'), key('nobody')]));
    expect(Object.fromEntries(Array.from(rows ?? [], ({ entity, packed }) => [entity, packed.length]))).toEqual({ [key('b')]: 1, [key('new')]: 2 });
    expect(Array.from(judge.rowsOf(T0 + 1, new Set([key('a')])) ?? [])).toEqual([]);
  });

  test('that are given up while they are read end the reading, which says so', () => {
    const judge = judgeOf();
    judge.observe(batch([row(T0, key('a'), { requests: 1 }), row(T0, key('b'), { requests: 2 }), row(T0 + 1, key('a'), { requests: 1 })]), NOW);
    judge.advance(startOf(T0 + 1), NOBODY);
    const whole = judge.rowsOf(T0);
    const cut = judge.rowsOf(T0);
    expect([whole?.next().done, whole?.next().done, whole?.next()]).toEqual([false, false, { done: true, value: true }]);
    expect(cut?.next().done).toBe(false);
    judge.advance(startOf(T0 + 40), NOBODY);
    expect(cut?.next()).toEqual({ done: true, value: false });
  });

  test('are as they are when they are read: what grew meanwhile, and not who came to another owner', () => {
    let canonical: Readonly<Record<string, EntityId>> = {};
    const directory = { ...directoryOf(), canonical: (entity: EntityId) => canonical[entity] ?? entity };
    const judge = createJudge({ directory, tracksChanges: true });
    judge.observe(batch([row(T0, key('a'), { requests: 1 }), row(T0, key('b'), { requests: 2 }), row(T0, key('c'), { requests: 3 })]), NOW);
    const rows = judge.rowsOf(T0);
    const first = rows?.next();
    canonical = { [key('b')]: key('a') };
    judge.learn(directory);
    const aliases = [{ credential: key('a'), fingerprint: key('b') }];
    judge.observe(batch([row(T0, key('a'), { requests: 7 })], { next: 2, aliases }), NOW);
    expect(first?.value).toEqual({ entity: key('c'), packed: [cellsOf({ requests: 3 })] });
    expect(Array.from(rows ?? [])).toEqual([{ entity: key('a'), packed: [cellsOf({ requests: 7 })] }]);
  });

  test('leave out what is gone', () => {
    const judge = judgeOf();
    judge.observe(batch([row(T0, key('a'), { requests: 1 }), row(T0, key('b'), { requests: 2 })]), NOW);
    judge.observe(batch([], { next: 2, gone: [{ window: T0, entity: key('a'), isHeld: false }] }), NOW);
    expect(Object.keys(rowsOf(judge, T0) ?? {})).toEqual(['key:b']);
  });

  test('are not given where they are not all held: given up for memory, too old, too late, or ahead of their time', () => {
    expect(rowsOf(judgeOf(), T0)).toBeUndefined();
    const poor = judgeOf({}, 1);
    for (let i = 0; i < 50; i++) poor.observe(batch([row(T0 + i, key('a'), { requests: 1 })], { next: i + 1 }), startOf(T0 + 60));
    expect(rowsOf(poor, T0)).toBeUndefined();
    const judge = judgeOf();
    judge.observe(batch([row(T0, key('a'), { requests: 1 }), row(T0 + 33, key('a'), { requests: 1 })]), NOW);
    judge.advance(startOf(T0 + 15), NOBODY);
    expect(rowsOf(judge, T0)).toBeDefined();
    judge.advance(startOf(T0 + 16), NOBODY);
    expect(rowsOf(judge, T0)).toBeUndefined();
    // Two minutes ahead is taken, three is not, and then its minute is never whole here.
    judge.observe(batch([row(T0 + 33, key('a'), { requests: 5 })], { segment: segment(200), next: 210 }), startOf(T0 + 33));
    expect(rowsOf(judge, T0 + 33)).toBeUndefined();
  });

  test('a minute of nothing but a network that was seeded without its row is not called empty', async () => {
    const judge = judgeOf();
    const rows = [{ segment: segment(), next: 1, row: row(T0, NET, tried({ k1: 3 })) }];
    await judge.seed({
      judgedThrough: T0 + 10,
      partials: (async function* () {
        yield* rows;
      })(),
    });
    expect(rowsOf(judge, T0)).toBeUndefined();
  });
});

describe('changed minutes', () => {
  test('are closed ones with whose rows changed, once', () => {
    const judge = judgeOf({ 'key:old': key('new') });
    judge.observe(batch([row(T0, key('old'), { requests: 1 }), row(T0 + 2, key('a'), { requests: 1 })]), NOW);
    expect(changed(judge)).toEqual({});
    judge.advance(startOf(T0 + 2), NOBODY);
    expect(changed(judge)).toEqual({});
    judge.observe(batch([row(T0, key('old'), { requests: 2 }), row(T0 + 2, key('a'), { requests: 2 })], { next: 2 }), NOW);
    expect(changed(judge)).toEqual({ 0: ['key:new'] });
    expect(changed(judge)).toEqual({});
  });

  test('are also what is counted and not judged, and what came too late to be', () => {
    const judge = judgeOf();
    judge.observe(batch([row(T0, key('a'), { requests: 1 })]), NOW);
    judge.advance(startOf(T0 + 30), NOBODY);
    judge.observe(
      batch([row(T0, key('b'), { requests: 1 }), row(T0 + 20, REFUSED, { requests: 1 }), row(T0 - 600, LATE, { requests: 1 })], {
        next: 2,
        gone: [{ window: T0 + 21, entity: REFUSED, isHeld: false }],
      }),
      NOW,
    );
    expect(changed(judge)).toEqual({ 0: ['key:b'], 20: ['refused:'], 21: ['refused:'], '-600': ['late:'] });
  });

  test('are those in which a key had rows under a name that is now known to be another key: of both', () => {
    let canonical: Readonly<Record<string, EntityId>> = {};
    const directory = { ...directoryOf(), canonical: (entity: EntityId) => canonical[entity] ?? entity };
    const judge = createJudge({ directory, tracksChanges: true });
    const [credential, fingerprint] = [key('cred'), entityId('key', 'kf1_00')];
    judge.observe(batch([row(T0, fingerprint, { requests: 1 }), row(T0 + 1, credential, { requests: 1 }), row(T0 + 5, fingerprint, { requests: 1 })]), NOW);
    judge.advance(startOf(T0 + 2), NOBODY);
    canonical = { [fingerprint]: credential };
    judge.learn(directory);
    judge.observe(batch([], { next: 2, aliases: [{ credential, fingerprint }] }), NOW);
    expect(changed(judge)).toEqual({ 0: ['key:cred', 'key:kf1_00'] });
    judge.observe(batch([], { next: 3, aliases: [{ credential, fingerprint }] }), NOW);
    expect(changed(judge)).toEqual({});
  });

  test('are not remembered where nobody asks', () => {
    const judge = createJudge({ directory: directoryOf() });
    judge.observe(batch([row(T0, key('a'), { requests: 1 })]), NOW);
    judge.advance(startOf(T0 + 2), NOBODY);
    judge.observe(batch([row(T0, key('a'), { requests: 2 })], { next: 2 }), NOW);
    expect(changed(judge)).toEqual({});
  });
});
