import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, expect, test } from 'vitest';
import { INBOX_FILE, openCommandInbox } from '../../../storage/sqlite/command-inbox.ts';
import { acknowledge, commandInboxConformance } from '../../conformance/command-inbox.ts';

const root = mkdtempSync(join(tmpdir(), 'kw-inbox-'));
let count = 0;
const next = (): string => join(root, String(count++));
afterAll(() => rmSync(root, { recursive: true }));

commandInboxConformance('sqlite', {
  openThree: async () => {
    const directory = next();
    return [await openCommandInbox({ directory, create: true }), await openCommandInbox({ directory }), await openCommandInbox({ directory })];
  },
});

test('a command never waits where no judge ever looked', async () => {
  const directory = next();
  await expect(openCommandInbox({ directory })).rejects.toThrow(/^nothing stored yet: .*inbox\.db does not exist; start keywatch on this data directory first/);
  expect(existsSync(directory)).toBe(false);
});

test('what waits is there after a restart; a row that cannot be read is told once and holds back nothing', async () => {
  const directory = next();
  const problems: string[] = [];
  {
    await using first = await openCommandInbox({ directory, create: true });
    await first.submit(acknowledge('a'));
  }
  const damage = new DatabaseSync(join(directory, INBOX_FILE));
  damage.exec(`insert into command(id, at, body) values ('x', 1, '{"id":'), ('y', 1, '[]')`);
  damage.close();
  await using again = await openCommandInbox({ directory, create: true, onProblem: (message) => void problems.push(message) });
  await again.submit(acknowledge('b'));
  expect(await again.pending()).toEqual([acknowledge('a'), acknowledge('b')]);
  await again.pending();
  expect(problems).toEqual([
    `command 2 in ${join(directory, INBOX_FILE)} cannot be read and is passed over`,
    `command 3 in ${join(directory, INBOX_FILE)} cannot be read and is passed over`,
  ]);
});
