/** The promises of `CommandInbox`, for every adapter. */
import { describe, expect, test } from 'vitest';
import type { OperatorCommand } from '../../core/operator.ts';
import type { CommandInbox } from '../../core/ports.ts';

export type OpenInbox = {
  /** The judge and two other processes with the same inbox, which is empty. */
  readonly openThree: () => Promise<readonly [CommandInbox, CommandInbox, CommandInbox]>;
};

export function acknowledge(id: string, at = 1_790_000_000_000): OperatorCommand {
  return { kind: 'acknowledge', id, at, actor: { way: 'cli', name: 'ada' }, target: 'INC-1', note: 'mine; "quoted" \u202e ü', forMs: 60_000 };
}

export function commandInboxConformance(name: string, { openThree }: OpenInbox): void {
  describe(`${name} keeps the promises of a command inbox`, () => {
    test('what one process submits the judge finds at once, whole, in the order in which it came', async () => {
      const [judge, one, other] = await openThree();
      expect(await judge.pending()).toEqual([]);
      const silence: OperatorCommand = {
        kind: 'add_silence',
        id: 'b',
        at: 5,
        actor: { way: 'api', name: 'ci-bot' },
        matchers: [{ label: 'key', op: '=~', value: 'billing-.*' }],
        endsAt: 1_790_000_900_000,
        reason: 'load test',
      };
      await one.submit(acknowledge('a'));
      await other.submit(silence);
      expect(await judge.pending()).toEqual([acknowledge('a'), silence]);
      expect(await judge.pending()).toHaveLength(2);
    });

    test('the same id twice is one command, and the first one', async () => {
      const [judge, one, other] = await openThree();
      await one.submit(acknowledge('a', 1));
      await other.submit(acknowledge('a', 2));
      expect(await judge.pending()).toEqual([acknowledge('a', 1)]);
      await Promise.all(Array.from({ length: 10 }, async (_, at) => (at % 2 === 0 ? one : other).submit(acknowledge('raced', at))));
      expect((await judge.pending()).filter(({ id }) => id === 'raced')).toHaveLength(1);
    });

    test('what was removed is gone for everybody, the rest stays; removing it again changes nothing', async () => {
      const [judge, one, other] = await openThree();
      for (const id of ['a', 'b', 'c']) await one.submit(acknowledge(id));
      await judge.remove(['a', 'c', 'never there']);
      await judge.remove(['a']);
      await judge.remove([]);
      expect((await other.pending()).map(({ id }) => id)).toEqual(['b']);
    });

    test('more than one call gives come with the next calls, none twice and none lost', async () => {
      const [judge, one] = await openThree();
      const ids = Array.from({ length: 600 }, (_, index) => `c${String(index).padStart(4, '0')}`);
      for (let from = 0; from < ids.length; from += 50) await Promise.all(ids.slice(from, from + 50).map(async (id) => one.submit(acknowledge(id))));
      const seen: string[] = [];
      for (;;) {
        const some = (await judge.pending()).map(({ id }) => id);
        if (some.length === 0) break;
        expect(some.length).toBeLessThan(600);
        seen.push(...some);
        await judge.remove(some);
      }
      expect(seen.toSorted()).toEqual(ids);
    });
  });
}
