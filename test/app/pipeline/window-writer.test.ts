import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type EntityId, LATE, type Minute, REFUSED, entityId, failed } from '../../../core/types.ts';
import { MINUTE_MS, dayOf, minuteOf, startOf } from '../../../core/window.ts';
import { C, at, emptyCounters } from '../../../core/counters.ts';
import type { PartialRow } from '../../../core/partial.ts';
import { type Values, batch, row, tried } from '../../detectors/support.ts';
import { JudgeWorld, LIMIT, before, mergedRows, writtenRows } from './judge-world.ts';

/** The first minute of an hour, so that nothing here depends on where a day begins. */
const NOW = Date.UTC(2026, 0, 5, 10, 15);
const FIRST = minuteOf(NOW);
const OTHER_CLIENT = entityId('client', 'other');

const key = (name: string): EntityId => entityId('key', name);

type Rows = readonly (readonly [minute: Minute, entity: EntityId, requests: number])[];

type PutOptions = { readonly isNew?: boolean; readonly held?: Rows; readonly gone?: readonly (readonly [Minute, EntityId])[] };

/** Rows of one segment; the next call begins another one unless it is told to go on. */
function writer(world: JudgeWorld): (rows: Rows, more?: PutOptions) => Promise<void> {
  let start = 0;
  let next = 0;
  return async (rows, more = {}) => {
    const source = await world.store.source('log');
    if (more.isNew !== false) start = next;
    next += 10;
    const made = (all: Rows): readonly PartialRow[] => all.map(([minute, entity, requests]) => row(minute, entity, valuesOf(minute, requests)));
    await world.publish(
      batch(made(rows), {
        segment: { source, partition: 0, generation: 1, start },
        next,
        held: made(more.held ?? []),
        gone: (more.gone ?? []).map(([window, entity]) => ({ window, entity, isHeld: false })),
        newest: world.clock.now() - 1000,
      }),
    );
  };
}

function valuesOf(minute: Minute, requests: number): Values {
  return { requests, s2xx: requests, first: startOf(minute), last: startOf(minute) + 1, tallies: { address: { '203.0.113.1': requests } } };
}

const judgedMinute = (world: JudgeWorld): Minute => minuteOf(world.leaders[0]?.opened?.judging.judgedThrough ?? 0);

/** What is written is what was published, for every judged minute. */
function expectWhole(world: JudgeWorld, canonical?: (entity: EntityId) => EntityId): void {
  const through = judgedMinute(world);
  expect(through).toBeGreaterThan(FIRST);
  expect(before(writtenRows(world), through)).toEqual(before(mergedRows(world.published, canonical), through));
}

describe('windows for dashboards', () => {
  test('every judged minute is written once, also those before the very first start, and silent ones are not', async () => {
    const world = new JudgeWorld(NOW);
    const put = writer(world);
    await put([
      [FIRST - 3 * 1440, key('old'), 3],
      [FIRST - 600, key('old'), 4],
      [FIRST - 599, key('other'), 5],
      [FIRST - 2, key('old'), 6],
    ]);
    await world.start();
    await put([[FIRST, key('a'), 7]]);
    await world.pass(3 * MINUTE_MS);
    expectWhole(world);
    expect(world.windows.windows.size).toBe(5);
  });

  test('late partials rewrite, also those that came too late to be judged', async () => {
    const world = new JudgeWorld(NOW);
    const put = writer(world);
    await put([
      [FIRST, key('a'), 7],
      [FIRST, key('b'), 1],
    ]);
    await world.start();
    await world.pass(3 * MINUTE_MS);
    await put([[FIRST, key('a'), 9]]);
    await world.pass(5000);
    expectWhole(world);
    await world.pass(17 * MINUTE_MS);
    // Beyond what the judge takes, while it still holds the minute; then after it has forgotten it.
    await put([[FIRST, key('a'), 11]]);
    await world.pass(5000);
    expectWhole(world);
    await world.pass(30 * MINUTE_MS);
    await put([
      [FIRST, key('a'), 13],
      [FIRST, key('c'), 17],
    ]);
    await world.pass(5000);
    expectWhole(world);
  });

  test('what came minutes ahead of its time is in the document of its minute', async () => {
    const world = new JudgeWorld(NOW);
    const put = writer(world);
    await put([[FIRST, key('a'), 1]]);
    await world.start();
    await world.pass(10_000);
    await put([[FIRST + 6, key('a'), 5]]);
    await world.pass(6 * MINUTE_MS);
    await put([[FIRST + 6, key('a'), 3]]);
    await world.pass(2 * MINUTE_MS);
    expectWhole(world);
  });

  test('the owners of a minute add up to its total: refused, late and what overflowed are written too', async () => {
    const world = new JudgeWorld(NOW);
    const put = writer(world);
    const day = dayOf(FIRST);
    await put(
      [
        [day, LATE, 4],
        [FIRST, REFUSED, 20],
        [FIRST, OTHER_CLIENT, 30],
        [FIRST, key('a'), 1],
      ],
      { held: [[FIRST, REFUSED, 6]] },
    );
    await world.start();
    await world.pass(3 * MINUTE_MS);
    expectWhole(world);
    expect(writtenRows(world).size).toBe(4);
    // Each of them late, in the same and in another segment.
    await put([[FIRST, OTHER_CLIENT, 3]], { held: [[FIRST, REFUSED, 6]] });
    await world.pass(5000);
    expectWhole(world);
    await put([
      [FIRST, REFUSED, 8],
      [day, LATE, 5],
    ]);
    await world.pass(5000);
    expectWhole(world);
  });

  test('a refused key that is let in after its minute was written is not counted twice', async () => {
    const world = new JudgeWorld(NOW);
    const put = writer(world);
    await put([[FIRST, REFUSED, 5]]);
    await world.start();
    await world.pass(3 * MINUTE_MS);
    await put([[FIRST, key('let-in'), 6]], { isNew: false, gone: [[FIRST, REFUSED]] });
    await world.pass(5000);
    expectWhole(world);
    expect(writtenRows(world).size).toBe(1);
  });

  test('two names that turn out to be one key become one document', async () => {
    const world = new JudgeWorld(NOW);
    const put = writer(world);
    const [credential, fingerprint] = [key('cred-1'), key('kf1_00112233445566778899aabbccddeeff')];
    await put([
      [FIRST, credential, 2],
      [FIRST, fingerprint, 3],
    ]);
    await world.start();
    await world.pass(3 * MINUTE_MS);
    expect(writtenRows(world).size).toBe(2);
    const source = await world.store.source('log');
    await world.publish(
      batch([row(FIRST + 3, credential, valuesOf(FIRST + 3, 1))], {
        segment: { source, partition: 0, generation: 1, start: 1000 },
        next: 1010,
        aliases: [{ credential, fingerprint }],
        newest: world.clock.now() - 1000,
      }),
    );
    await world.pass(3 * MINUTE_MS);
    expectWhole(world, (entity) => (entity === fingerprint ? credential : entity));
  });

  test('networks of failed authentication are written with what they attempted', async () => {
    const world = new JudgeWorld(NOW);
    const source = await world.store.source('log');
    const rows = [row(FIRST, entityId('network', '203.0.113.0/24'), tried({ k1: 3, k2: 4 })), row(FIRST, key('a'), valuesOf(FIRST, 1))];
    await world.publish(batch(rows, { segment: { source, partition: 0, generation: 1, start: 0 }, next: 10, newest: NOW - 1000 }));
    await world.start();
    await world.pass(3 * MINUTE_MS);
    expectWhole(world);
    expect(writtenRows(world).size).toBe(2);
  });

  test('a finding is stored, and stands with its score in a document that was written before it', async () => {
    const world = new JudgeWorld(NOW);
    const put = writer(world);
    await put([[FIRST, key('loud'), 1]]);
    await world.start();
    await world.pass(3 * MINUTE_MS);
    const written = () => world.windows.windows.get(`${FIRST}.${key('loud')}`)?.window;
    expect(written()?.score).toBeUndefined();
    await put([[FIRST, key('loud'), 5 * LIMIT]]);
    await world.pass(5000);
    expect(written()).toMatchObject({ score: 100, expected: LIMIT });
    expect(at(written()?.counters ?? emptyCounters(), C.requests)).toBe(5 * LIMIT + 1);
    expect([...world.windows.findings.values()].map(({ rule, entity }) => [rule, entity])).toEqual([['request_rate', key('loud')]]);
  });

  test('a late finding of a whole hour stands in the documents of its last minutes that there are, and makes none', async () => {
    const world = new JudgeWorld(NOW, '{data_transfer: {warning: off, critical: 1MB}}');
    const source = await world.store.source('log');
    const bytes = async (next: number, amounts: Readonly<Record<number, number>>): Promise<void> =>
      world.publish(
        batch(
          Object.entries(amounts).map(([minute, bytesOut]) => row(FIRST + Number(minute), key('big'), { ...valuesOf(FIRST, 1), bytesOut, bytesOutKnown: 1 })),
          { segment: { source, partition: 0, generation: 1, start: next - 10 }, next, newest: world.clock.now() - 1000 },
        ),
      );
    await bytes(10, { 0: 10, 2: 10 });
    await world.start();
    await world.pass(5 * MINUTE_MS);
    await bytes(20, { 0: 50_000_000 });
    await world.pass(10_000);
    expect([...world.windows.windows.values()].map(({ window }) => [minuteOf(window.window.start) - FIRST, window.score])).toEqual([
      [0, 100],
      [2, 100],
    ]);
  });

  test('what the judge before was told last, and did not write, is written by the next: one that stood by, or that starts', async () => {
    const world = new JudgeWorld(NOW);
    const put = writer(world);
    await put([
      [FIRST, key('a'), 1],
      [FIRST + 20, key('a'), 1],
    ]);
    const first = await world.start();
    await world.start();
    await world.pass(23 * MINUTE_MS);
    expect(first.isLeading).toBe(true);
    first.kill();
    await put([
      [FIRST, key('a'), 2],
      [FIRST + 20, key('a'), 2],
    ]);
    await world.pass(MINUTE_MS);
    expectWhole(world);
    for (const process of world.processes) process.kill();
    await put([[FIRST + 20, key('a'), 4]]);
    await world.start();
    await world.pass(MINUTE_MS);
    expectWhole(world);
  });

  test('a store that refuses or throws is told once and asked again until all is written', async () => {
    const world = new JudgeWorld(NOW);
    const put = writer(world);
    await put([[FIRST, key('a'), 1]]);
    const leader = await world.start();
    let asked = 0;
    world.windowsFault = async () => {
      asked++;
      return failed('the index is read-only', true);
    };
    for (let minute = 1; minute < 5; minute++) {
      await world.pass(MINUTE_MS);
      await put([[FIRST + minute, key('loud'), 5 * LIMIT]]);
    }
    await world.pass(2 * MINUTE_MS);
    expect(asked).toBeGreaterThan(10);
    expect(world.windows.windows.size).toBe(0);
    expect(leader.isLeading).toBe(true);
    // Behind the judge, never in its way.
    expect(world.told.filter(({ kind }) => kind === 'fired')).toHaveLength(1);
    world.windowsFault = undefined;
    await world.pass(20_000);
    expectWhole(world);
    expect(world.windows.findings.size).toBe(4);
    expect(leader.problems).toEqual(['windows for the dashboards wait: the index is read-only', 'windows for the dashboards are written again']);
  });

  test('a judge that lost its seat cannot overwrite what the next one wrote', async () => {
    const world = new JudgeWorld(NOW);
    const put = writer(world);
    await put([[FIRST, key('a'), 1]]);
    await world.start();
    await world.pass(3 * MINUTE_MS);
    const stale = world.windows.windows.get(`${FIRST}.${key('a')}`);
    await put([[FIRST, key('a'), 2]]);
    await world.pass(MINUTE_MS);
    if (stale === undefined) throw new Error('BUG: nothing was written');
    await world.windows.putWindows([stale.window], stale.seq);
    expectWhole(world);
  });
});

type Step =
  | { readonly does: 'write'; readonly entity: EntityId; readonly back: number; readonly requests: number; readonly isNew: boolean }
  | { readonly does: 'kill' | 'leave' | 'start' | 'refuse' | 'wait' };

test('whatever fails, starts and comes late: in the end the documents are the merge of the partials', async () => {
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        does: fc.constant('write' as const),
        entity: fc.constantFrom(key('a'), key('b'), REFUSED, OTHER_CLIENT, entityId('client', '203.0.113.9 curl')),
        back: fc.oneof(fc.nat(3), fc.nat(90)),
        requests: fc.integer({ min: 1, max: 2 * LIMIT }),
        isNew: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ does: fc.constantFrom('kill' as const, 'leave' as const, 'start' as const, 'refuse' as const, 'wait' as const) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
      const world = new JudgeWorld(NOW);
      const put = writer(world);
      await put([[FIRST, key('a'), 1]]);
      await world.start();
      await world.start();
      await world.pass(10_000);
      for (const one of steps) {
        const [leader] = world.leaders;
        // Somebody always stands by: what is stored too late to be judged while no judge lives at all stays as it is on dashboards.
        if (['kill', 'leave'].includes(one.does) && world.processes.filter(({ isDead }) => !isDead).length < 2) {
          await world.start();
          await world.pass(4000);
        }
        if (one.does === 'write') await put([[minuteOf(world.clock.now()) - one.back, one.entity, one.requests]], { isNew: one.isNew });
        else if (one.does === 'kill') leader?.kill();
        else if (one.does === 'leave') await leader?.stop();
        else if (one.does === 'start') await world.start();
        else if (one.does === 'refuse') {
          let left = 3;
          world.windowsFault = async () => (left-- > 0 ? failed('busy', true) : undefined);
        } else await world.pass(5 * MINUTE_MS);
        await world.pass(14_000);
      }
      await world.start();
      await world.pass(3 * MINUTE_MS);
      expectWhole(world);
    }),
    { numRuns: 50 },
  );
});
