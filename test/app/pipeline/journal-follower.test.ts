import { expect, test } from 'vitest';
import { JournalFollower } from '../../../app/pipeline/journal-follower.ts';
import { DeskState } from '../../../alerts/desk-state.ts';
import type { JournalBody } from '../../../core/alert.ts';
import type { Journal } from '../../../core/ports.ts';
import { memoryJournal } from '../../../storage/memory/journal.ts';

const entry = (judgedThrough?: number): JournalBody => ({
  at: 1000,
  actor: 'test',
  transitions: [],
  alerts: [],
  outbox: [],
  deliveries: [],
  ...(judgedThrough === undefined ? {} : { judgedThrough }),
});

test('follows how far was judged, reading each entry once', async () => {
  const journal = memoryJournal();
  const asked: number[] = [];
  const watched: Journal = {
    ...journal,
    snapshot: () => journal.snapshot(),
    entries: (from) => {
      asked.push(from);
      return journal.entries(from);
    },
  };
  const follower = new JournalFollower(watched);
  expect(await follower.poll()).toBe(0);
  await journal.append(1, entry(100));
  await journal.append(2, entry());
  expect(await follower.poll()).toBe(100);
  await journal.append(3, entry(102));
  expect(await follower.poll()).toBe(102);
  expect(await follower.poll()).toBe(102);
  expect(asked).toEqual([1, 1, 3, 4]);
});

test('begins at the snapshot, however long the journal is', async () => {
  const journal = memoryJournal();
  await journal.append(1, entry(100));
  await journal.append(2, entry(101));
  const state = new DeskState();
  for await (const each of journal.entries(1)) state.apply(each);
  await journal.saveSnapshot({ seq: 2, state: state.toJson() });
  await journal.append(3, entry());
  const asked: number[] = [];
  const follower = new JournalFollower({
    ...journal,
    snapshot: () => journal.snapshot(),
    entries: (from) => {
      asked.push(from);
      return journal.entries(from);
    },
  });
  expect(await follower.poll()).toBe(101);
  expect(asked).toEqual([3]);
});

test('a snapshot of another version is passed over: the journal says it all', async () => {
  const journal = memoryJournal();
  await journal.append(1, entry(100));
  await journal.saveSnapshot({ seq: 1, state: JSON.stringify({ version: 999 }) });
  expect(await new JournalFollower(journal).poll()).toBe(100);
});

test('a fault while it reads loses nothing: the next poll goes on where it was', async () => {
  const journal = memoryJournal();
  await journal.append(1, entry(100));
  await journal.append(2, entry(101));
  let isBroken = true;
  const follower = new JournalFollower({
    ...journal,
    snapshot: () => journal.snapshot(),
    async *entries(from) {
      for await (const each of journal.entries(from)) {
        if (each.seq === 2 && isBroken) throw new Error('the connection broke');
        yield each;
      }
    },
  });
  await expect(follower.poll()).rejects.toThrow('broke');
  isBroken = false;
  expect(await follower.poll()).toBe(101);
});
