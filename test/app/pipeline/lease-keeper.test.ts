import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LEASE_ACT_MS, LEASE_TTL_MS, LeaseKeeper } from '../../../app/pipeline/lease-keeper.ts';
import type { Clock } from '../../../core/clock.ts';
import type { LeaseRecord, LeaseStore } from '../../../core/ports.ts';
import { memoryLeaseStore } from '../../../storage/memory/lease.ts';

/** Each process has a clock of its own, which may be wrong but goes at the same speed. */
class Now implements Clock {
  time = 0;
  now(): number {
    return this.time;
  }
  monotonic(): number {
    return this.time;
  }
  sleep(): Promise<void> {
    return Promise.resolve();
  }
}

function keeper(store: LeaseStore, clock: Now, holder: string): LeaseKeeper {
  return new LeaseKeeper({ name: 'judge', holder }, { store, clock, onProblem: () => undefined });
}

type Step = { readonly who: number; readonly waitMs: number; readonly does: 'beat' | 'look' | 'release' | 'lost answer' | 'outage' };

test('two processes never both act, whoever beats when, and whatever answers are lost', async () => {
  const steps = fc.array(
    fc.record({
      who: fc.nat(2),
      waitMs: fc.constantFrom(0, 1000, 3000, 9000, 19_000, 29_000, 31_000),
      does: fc.constantFrom('beat', 'beat', 'beat', 'look', 'release', 'lost answer', 'outage'),
    }) satisfies fc.Arbitrary<Step>,
    { maxLength: 40 },
  );
  await fc.assert(
    fc.asyncProperty(steps, async (history) => {
      const stored = memoryLeaseStore();
      const clock = new Now();
      let fault: Step['does'] = 'beat';
      const store: LeaseStore = {
        read: async (name) => {
          if (fault === 'outage') throw new Error('away');
          return stored.read(name);
        },
        write: async (name, expected, next) => {
          if (fault === 'outage') throw new Error('away');
          const result = await stored.write(name, expected, next);
          if (fault === 'lost answer') throw new Error('no answer');
          return result;
        },
      };
      const keepers = ['a', 'b', 'c'].map((name) => keeper(store, clock, name));
      for (const { who, waitMs, does } of history) {
        clock.time += waitMs;
        fault = does;
        const one = keepers[who];
        if (one === undefined) continue;
        if (does === 'release') await one.release();
        else if (does === 'look') await one.look();
        else await one.beat();
        expect(keepers.filter(({ isHeld }) => isHeld).length).toBeLessThanOrEqual(1);
      }
    }),
    { numRuns: 500 },
  );
});

test('a holder that died is followed within the time to live, and no sooner', async () => {
  const store = memoryLeaseStore();
  const clock = new Now();
  const dead = keeper(store, clock, 'dead');
  const next = keeper(store, clock, 'next');
  expect(await dead.beat()).toBe(true);
  expect(await next.beat()).toBe(false);
  clock.time = LEASE_TTL_MS - 1;
  expect(await next.beat()).toBe(false);
  clock.time = LEASE_TTL_MS;
  expect(await next.beat()).toBe(true);
  expect(dead.isHeld).toBe(false);
});

test('what is waited for begins with the first look, which takes nothing', async () => {
  const store = memoryLeaseStore();
  const clock = new Now();
  const dead = keeper(store, clock, 'dead');
  const next = keeper(store, clock, 'next');
  await next.look();
  expect(next.isHeld).toBe(false);
  expect(await store.read('judge')).toBeUndefined();
  await dead.beat();
  await next.look();
  clock.time = LEASE_TTL_MS;
  expect(await next.beat()).toBe(true);
});

test('a lease that is given back is free at once', async () => {
  const store = memoryLeaseStore();
  const clock = new Now();
  const first = keeper(store, clock, 'first');
  const second = keeper(store, clock, 'second');
  await first.beat();
  await second.beat();
  await first.release();
  expect(await second.beat()).toBe(true);
});

test('a holder whose renewals hang stops acting before anybody else may begin', async () => {
  const clock = new Now();
  const inner = memoryLeaseStore();
  const one = keeper(inner, clock, 'one');
  await one.beat();
  clock.time = LEASE_ACT_MS - 1;
  expect(one.isHeld).toBe(true);
  clock.time = LEASE_ACT_MS;
  expect(one.isHeld).toBe(false);
  expect(LEASE_ACT_MS).toBeLessThan(LEASE_TTL_MS);
});

test('an outage is told once, and its end once', async () => {
  const clock = new Now();
  const told: string[] = [];
  let isAway = true;
  const inner = memoryLeaseStore();
  const guard = async <T>(work: () => Promise<T>): Promise<T> => {
    if (isAway) throw new Error('connect refused');
    return work();
  };
  const store: LeaseStore = {
    read: (name) => guard(() => inner.read(name)),
    write: (name, expected: LeaseRecord | undefined, next) => guard(() => inner.write(name, expected, next)),
  };
  const one = new LeaseKeeper({ name: 'judge', holder: 'one' }, { store, clock, onProblem: (text) => told.push(text) });
  await one.beat();
  await one.beat();
  isAway = false;
  expect(await one.beat()).toBe(true);
  await one.beat();
  expect(told).toEqual(['the lease "judge" cannot be reached: connect refused', 'the lease "judge" can be reached again']);
});
