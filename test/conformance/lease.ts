/** The promises of `LeaseStore`, for every adapter. */
import { describe, expect, test } from 'vitest';
import type { LeaseRecord, LeaseStore } from '../../core/ports.ts';

export type OpenLease = {
  /** Two processes that share the same leases, which are empty. */
  readonly openTwo: () => Promise<readonly [LeaseStore, LeaseStore]>;
  /** Writers that race at once, and how often. */
  readonly racers: number;
  readonly races: number;
};

export function leaseConformance(name: string, { openTwo, racers, races }: OpenLease): void {
  describe(`${name} keeps the promises of a lease store`, () => {
    test('a lease that nobody wrote is not there, and what one process wrote the other reads at once', async () => {
      const [one, other] = await openTwo();
      expect(await other.read('judge')).toBeUndefined();
      expect(await one.write('judge', undefined, { holder: 'a', beat: 1 })).toBe('written');
      expect(await other.read('judge')).toEqual({ holder: 'a', beat: 1 });
      expect(await other.read('another name')).toBeUndefined();
    });

    test('a write goes through only on what is stored: another holder, another beat and a stale absence lose and change nothing', async () => {
      const [one, other] = await openTwo();
      const first: LeaseRecord = { holder: 'a', beat: 1 };
      expect(await one.write('judge', first, { holder: 'b', beat: 1 })).toBe('lost');
      expect(await one.read('judge')).toBeUndefined();
      expect(await one.write('judge', undefined, first)).toBe('written');
      expect(await other.write('judge', undefined, { holder: 'b', beat: 1 })).toBe('lost');
      expect(await other.write('judge', { holder: 'a', beat: 2 }, { holder: 'b', beat: 1 })).toBe('lost');
      expect(await other.write('judge', { holder: 'b', beat: 1 }, { holder: 'b', beat: 2 })).toBe('lost');
      expect(await other.read('judge')).toEqual(first);
      expect(await one.write('judge', first, { holder: 'a', beat: 2 })).toBe('written');
      expect(await other.write('judge', { holder: 'a', beat: 2 }, { holder: 'b', beat: 1 })).toBe('written');
      expect(await one.write('judge', { holder: 'a', beat: 2 }, { holder: 'a', beat: 3 })).toBe('lost');
      expect(await one.read('judge')).toEqual({ holder: 'b', beat: 1 });
    });

    test('of many that write on the same lease at once exactly one is told that it did, and it is the one that is stored', async () => {
      const stores = await openTwo();
      let expected: LeaseRecord | undefined;
      for (let race = 0; race < races; race++) {
        const nexts = Array.from({ length: racers }, (_, racer): LeaseRecord => ({ holder: `process ${racer}`, beat: race }));
        const before = expected;
        const results = await Promise.all(nexts.map(async (next, racer) => stores[racer % 2 === 0 ? 0 : 1].write('judge', before, next)));
        const winners = nexts.filter((_, racer) => results[racer] === 'written');
        expect(winners).toHaveLength(1);
        [expected] = winners;
        expect(await stores[0].read('judge')).toEqual(expected);
      }
    });

    test('of many that write the very same value at once exactly one is told that it did', async () => {
      const stores = await openTwo();
      const results = await Promise.all(
        Array.from({ length: racers }, async (_, racer) => stores[racer % 2 === 0 ? 0 : 1].write('judge', undefined, { holder: 'twin', beat: 1 })),
      );
      expect(results.filter((result) => result === 'written')).toHaveLength(1);
    });
  });
}
