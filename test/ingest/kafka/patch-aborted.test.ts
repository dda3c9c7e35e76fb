import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type FetchedMessage, hideAborted } from '../../../ingest/kafka/patch-aborted.ts';

type Step = { readonly producer: number; readonly does: 'send' | 'abort' | 'commit' };
type Entry = { readonly offset: number; readonly producer: number; readonly kind: 'record' | 'abort' | 'commit'; readonly transaction: number };

/** A log, and which transactions of it were aborted. */
function play(steps: readonly Step[]): {
  readonly log: readonly Entry[];
  readonly aborted: ReadonlyMap<number, { readonly producer: number; readonly first: number; readonly last: number }>;
} {
  const log: Entry[] = [];
  const open = new Map<number, number>();
  const aborted = new Map<number, { readonly producer: number; readonly first: number; readonly last: number }>();
  const ending = [0, 1, 2].map((producer): Step => ({ producer, does: producer === 1 ? 'abort' : 'commit' }));
  for (const { producer, does } of [...steps, ...ending]) {
    const offset = log.length;
    const first = open.get(producer);
    if (does === 'send') {
      if (first === undefined) open.set(producer, offset);
      log.push({ offset, producer, kind: 'record', transaction: first ?? offset });
    } else if (first !== undefined) {
      open.delete(producer);
      log.push({ offset, producer, kind: does, transaction: first });
      if (does === 'abort') aborted.set(first, { producer, first, last: offset });
    }
  }
  return { log, aborted };
}

function messageOf(entry: Entry): FetchedMessage {
  const isControl = entry.kind !== 'record';
  const message = {
    key: isControl ? Buffer.from([0, 0, 0, entry.kind === 'abort' ? 0 : 1]) : null,
    value: Buffer.from('x'),
    offset: String(entry.offset),
    timestamp: '0',
    isControlRecord: isControl,
    batchContext: { firstOffset: String(entry.offset), producerId: String(entry.producer), inTransaction: true },
  };
  return message;
}

test('exactly the records of aborted transactions are hidden, however they overlap and wherever a fetch starts and ends', () => {
  const steps = fc.array(fc.record({ producer: fc.nat(2), does: fc.constantFrom<Step['does']>('send', 'send', 'send', 'abort', 'commit') }), { maxLength: 60 });
  fc.assert(
    fc.property(steps, fc.nat(60), fc.nat(60), fc.boolean(), (given, from, length, isReversed) => {
      const { log, aborted } = play(given);
      const fetched = log.slice(from, from + length);
      // The broker names those that touch what it sends, in no order that anyone promises.
      const named = [...aborted.values()].filter(({ first, last }) => last >= from && first < from + length);
      if (isReversed) named.reverse();
      const messages = fetched.map(messageOf);
      hideAborted(
        messages,
        named.map(({ producer, first }) => ({ producerId: String(producer), firstOffset: String(first) })),
      );
      const shown = messages.filter(({ isControlRecord }) => isControlRecord !== true).map(({ offset }) => Number(offset));
      expect(shown).toEqual(fetched.filter((entry) => entry.kind === 'record' && !aborted.has(entry.transaction)).map(({ offset }) => offset));
    }),
    { numRuns: 2_000 },
  );
});

test('a record whose key looks like an abort marker is none', () => {
  const record = (offset: number, key: Buffer | null): FetchedMessage => ({ ...messageOf({ offset, producer: 1, kind: 'record', transaction: 0 }), key });
  const messages = [record(0, Buffer.alloc(4)), record(1, null)];
  hideAborted(messages, [{ producerId: '1', firstOffset: '0' }]);
  expect(messages.map(({ isControlRecord }) => isControlRecord)).toEqual([true, true]);
});
