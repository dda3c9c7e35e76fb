import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LEASE_BEAT_MS, LEASE_TTL_MS } from '../../../app/pipeline/lease-keeper.ts';
import { type EntityId, type Minute, entityId } from '../../../core/types.ts';
import { MINUTE_MS, minuteOf, startOf } from '../../../core/window.ts';
import { batch, row } from '../../detectors/support.ts';
import { JudgeWorld, LIMIT, WorldFault } from './judge-world.ts';

/** A quarter past ten: minutes before it are the past. */
const NOW = Date.UTC(2026, 0, 5, 10, 15);
const HUGE = 5 * LIMIT;

const key = (name: string): EntityId => entityId('key', name);

/** One segment each, so that every batch says something of its own. */
function writer(world: JudgeWorld): (minute: Minute, requests: Readonly<Record<string, number>>, isSealed?: boolean) => Promise<void> {
  let start = 0;
  return async (minute, requests, isSealed = false) => {
    const source = await world.store.source('log');
    const rows = Object.entries(requests).map(([name, count]) =>
      row(minute, key(name), { requests: count, s2xx: count, first: startOf(minute), last: startOf(minute) }),
    );
    const segment = { source, partition: 0, generation: 1, start };
    start += 10;
    await world.publish(batch(rows, { segment, next: start, isSealed, newest: Math.max(startOf(minute), world.clock.now() - 1000) }));
  };
}

const firedFor = (world: JudgeWorld, name: string): number => world.told.filter(({ kind, alert }) => kind === 'fired' && alert?.entity === key(name)).length;

describe('the seat', () => {
  test('is taken by one of many; the others know everything and say nothing', async () => {
    const world = new JudgeWorld(NOW);
    const write = writer(world);
    await write(minuteOf(NOW) - 1, { calm: 1 });
    for (let i = 0; i < 3; i++) await world.start();
    await world.pass(10_000);
    expect(world.leaders).toHaveLength(1);
    await write(minuteOf(world.clock.now()), { loud: HUGE });
    await world.pass(10_000);
    expect(firedFor(world, 'loud')).toBe(1);
    expect(world.processes.map(({ opened }) => opened?.judging.judge.stats().entities)).toEqual([2, 2, 2]);
  });

  test('is taken over within the time to live after its holder died, and what only the next one heard is told', async () => {
    const world = new JudgeWorld(NOW);
    const write = writer(world);
    await write(minuteOf(NOW) - 1, { calm: 1 });
    const first = await world.start();
    const second = await world.start();
    await world.pass(10_000);
    expect(first.isLeading).toBe(true);
    first.kill();
    await write(minuteOf(world.clock.now()), { loud: HUGE });
    expect(world.told).toEqual([]);
    await world.pass(LEASE_TTL_MS + 3 * LEASE_BEAT_MS);
    expect(second.isLeading).toBe(true);
    expect(firedFor(world, 'loud')).toBe(1);
  });

  test('a late partial that the dead one had not judged is told by the next, although it closed that minute silently', async () => {
    const world = new JudgeWorld(NOW);
    const write = writer(world);
    await write(minuteOf(NOW), { loud: 1 });
    const first = await world.start();
    await world.start();
    await world.pass(3 * MINUTE_MS);
    // The first one dies with the batch before it; the second has it when it closes what the first had closed.
    const before = minuteOf(world.clock.now());
    await write(before, { calm: 1 });
    const inbox = first.onEvent;
    first.onEvent = undefined;
    await write(before, { loud: HUGE });
    first.onEvent = inbox;
    await world.pass(2 * MINUTE_MS);
    expect(first.isLeading).toBe(true);
    expect(firedFor(world, 'loud')).toBe(0);
    first.kill();
    await world.pass(LEASE_TTL_MS + 3 * LEASE_BEAT_MS);
    expect(firedFor(world, 'loud')).toBe(1);
  });

  test('a process that starts after everybody died judges what they had stored and not judged', async () => {
    const world = new JudgeWorld(NOW);
    const write = writer(world);
    await write(minuteOf(NOW), { calm: 1 });
    const first = await world.start();
    await world.pass(3 * MINUTE_MS);
    const closed = minuteOf(world.clock.now()) - 2;
    first.kill();
    await write(closed, { loud: HUGE });
    await write(closed + 1, { louder: HUGE });
    await world.pass(MINUTE_MS);
    await world.start();
    await world.pass(3 * MINUTE_MS);
    expect([firedFor(world, 'loud'), firedFor(world, 'louder')]).toEqual([1, 1]);
  });

  test('is free at once when its holder leaves', async () => {
    const world = new JudgeWorld(NOW);
    await writer(world)(minuteOf(NOW) - 1, { calm: 1 });
    const first = await world.start();
    const second = await world.start();
    await world.pass(10_000);
    await first.stop();
    await world.pass(2 * LEASE_BEAT_MS);
    expect(second.isLeading).toBe(true);
  });

  test('does not keep a process that is stopped while it asks for the seat', { timeout: 5000 }, async () => {
    const world = new JudgeWorld(NOW);
    const first = await world.start();
    await first.stop();
    const second = await world.start();
    await world.pass(10_000);
    expect(second.isLeading).toBe(true);
  });

  test('is given up when the journal is away, and the next reign judges again what was found meanwhile', async () => {
    const world = new JudgeWorld(NOW);
    const write = writer(world);
    await write(minuteOf(NOW), { calm: 1 });
    const only = await world.start();
    await world.pass(10_000);
    let failures = 0;
    only.appendFault = () => {
      failures++;
      throw new WorldFault('the journal is away');
    };
    // Live, in a closing minute, and late: each is found while nothing can be written.
    await write(minuteOf(world.clock.now()), { live: HUGE });
    await world.pass(MINUTE_MS + 20_000);
    await write(minuteOf(world.clock.now()) - 3, { late: HUGE }, true);
    await world.pass(10_000);
    expect(failures).toBeGreaterThan(0);
    expect(world.told).toEqual([]);
    only.appendFault = undefined;
    await world.pass(30_000);
    expect(only.isLeading).toBe(true);
    expect([firedFor(world, 'live'), firedFor(world, 'late')]).toEqual([1, 1]);
    expect(only.problems.filter((text) => text.startsWith('judging stopped'))).toHaveLength(1);
  });

  test('one failed append loses nothing, although the next one would succeed', async () => {
    const world = new JudgeWorld(NOW);
    const write = writer(world);
    await write(minuteOf(NOW), { calm: 1 });
    const only = await world.start();
    await world.pass(5000);
    for (let minute = 0; minute < 4; minute++) {
      only.appendFault = () => {
        only.appendFault = undefined;
        throw new WorldFault('a short fault');
      };
      await write(minuteOf(world.clock.now()), { [`k${minute}`]: HUGE }, minute % 2 === 0);
      await world.pass(MINUTE_MS);
    }
    await world.pass(2 * MINUTE_MS);
    expect([0, 1, 2, 3].map((minute) => firedFor(world, `k${minute}`))).toEqual([1, 1, 1, 1]);
  });

  test('whoever finds its journal entry taken stands by, sends nothing more, and says so', async () => {
    const world = new JudgeWorld(NOW);
    const write = writer(world);
    await write(minuteOf(NOW), { calm: 1 });
    const first = await world.start();
    await world.pass(10_000);
    expect(first.isLeading).toBe(true);
    const { seq } = await world.journal.head();
    await world.journal.append(seq + 1, { at: world.clock.now(), actor: 'another', transitions: [], alerts: [], outbox: [], deliveries: [] });
    await write(minuteOf(world.clock.now()), { loud: HUGE });
    expect(world.told).toEqual([]);
    await world.clock.advance(1000);
    expect(first.problems).toEqual(['another process decided meanwhile, so this one judges no more; it stands by']);
    // The next reign judges it again when its minute is over.
    await world.pass(MINUTE_MS + 20_000);
    expect(firedFor(world, 'loud')).toBe(1);
  });

  test('a holder whose renewals fail rises before anybody else may sit down', async () => {
    const world = new JudgeWorld(NOW);
    await writer(world)(minuteOf(NOW), { calm: 1 });
    const first = await world.start();
    await world.pass(10_000);
    world.lease.write = () => Promise.reject(new WorldFault('away'));
    await world.pass(LEASE_TTL_MS - 2 * LEASE_BEAT_MS);
    expect(first.isLeading).toBe(false);
  });
});

type Step =
  | { readonly does: 'write'; readonly name: string; readonly back: number; readonly requests: number; readonly isSealed: boolean }
  | { readonly does: 'kill' | 'leave' | 'start' | 'fault' };

async function played(steps: readonly Step[], isQuiet: boolean): Promise<JudgeWorld> {
  const world = new JudgeWorld(NOW);
  const write = writer(world);
  await write(minuteOf(NOW) - 1, { calm: 1 });
  await world.start();
  if (!isQuiet) await world.start();
  await world.pass(10_000);
  for (const step of steps) {
    const leader = world.leaders[0];
    if (step.does === 'write') await write(minuteOf(world.clock.now()) - step.back, { [step.name]: step.requests }, step.isSealed);
    else if (!isQuiet && step.does === 'kill') leader?.kill();
    else if (!isQuiet && step.does === 'leave') await leader?.stop();
    else if (!isQuiet && step.does === 'start') await world.start();
    else if (!isQuiet && leader !== undefined)
      leader.appendFault = () => {
        leader.appendFault = undefined;
        throw new WorldFault('a short fault');
      };
    await world.pass(14_000);
    expect(world.leaders.length).toBeLessThanOrEqual(1);
  }
  if (!isQuiet) await world.start();
  await world.pass(2 * MINUTE_MS);
  expect(world.leaders).toHaveLength(1);
  return world;
}

describe('whenever judges die, leave, start or fail', () => {
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        does: fc.constant('write' as const),
        name: fc.constantFrom('a', 'b', 'c'),
        back: fc.nat(8),
        requests: fc.constantFrom(1, HUGE, 2 * HUGE),
        isSealed: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ does: fc.constantFrom('kill' as const, 'leave' as const, 'start' as const, 'fault' as const) }) },
  );

  test('the alerts are those of one judge that was never interrupted, and no message is repeated beyond a crash between sending and noting it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const expected = await played(steps, true);
        const world = await played(steps, false);
        expect(await world.facts()).toEqual(await expected.facts());
        const fired = (from: JudgeWorld): readonly string[] =>
          [...new Set(from.told.filter(({ kind }) => kind === 'fired').map(({ alert }) => alert?.entity ?? ''))].sort();
        expect(fired(world)).toEqual(fired(expected));
        const kills = steps.filter(({ does }) => does === 'kill').length;
        const repeats = world.told.length - new Set(world.told.map(({ id }) => id)).size;
        expect(repeats).toBeLessThanOrEqual(kills);
      }),
      { numRuns: 60 },
    );
  });
});
