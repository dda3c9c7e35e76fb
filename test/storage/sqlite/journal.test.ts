import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type SqliteJournal, openJournal } from '../../../storage/sqlite/journal.ts';
import { alertOf, bodyOf, entriesOf, journalConformance, outboxRow } from '../../conformance/journal.ts';
import { scratchDirectory } from '../scratch.ts';

let scratch: ReturnType<typeof scratchDirectory>;
let count = 0;

beforeEach(() => {
  scratch = scratchDirectory();
});

afterEach(() => scratch.remove());

function fresh(): string {
  return join(scratch.path, String(count++));
}

async function reopen(journal: SqliteJournal): Promise<SqliteJournal> {
  await journal[Symbol.asyncDispose]();
  return openJournal({ directory: join(journal.path, '..') });
}

/** Writes into the database with nothing of ours in between. */
function edit(path: string, sql: string): void {
  const db = new DatabaseSync(path);
  db.exec(sql);
  db.close();
}

journalConformance('sqlite', {
  open: async () => openJournal({ directory: fresh() }),
  reopen,
  tamper: async (journal, seq, change) => {
    await journal[Symbol.asyncDispose]();
    edit(
      journal.path,
      change === 'body' ? `update entry set body = replace(body, 'actor ${seq}', 'nobody') where seq = ${seq}` : `delete from entry where seq = ${seq}`,
    );
    return openJournal({ directory: join(journal.path, '..') });
  },
  runs: 20,
});

describe('the journal file', () => {
  test('a second connection reads what the first appended, and cannot append', async () => {
    const directory = fresh();
    await using writer = await openJournal({ directory });
    await writer.append(1, bodyOf({ alerts: [alertOf('a-1')] }));
    await using reader = await openJournal({ directory, readOnly: true });
    expect((await reader.alerts({})).map((alert) => alert.id)).toEqual(['a-1']);
    await writer.append(2, bodyOf({ alerts: [alertOf('b-1')] }));
    expect(await reader.alerts({})).toHaveLength(2);
    await expect(reader.append(3, bodyOf())).rejects.toThrow(/opened to read only/);
    await expect(reader.saveSnapshot({ seq: 1, state: '' })).rejects.toThrow(/opened to read only/);
  });

  test('damaged projections are made anew from the entries', async () => {
    const first = await openJournal({ directory: fresh() });
    await first.append(1, bodyOf({ alerts: [alertOf('a-1', { state: 'pending' })], outbox: [outboxRow('r', 7)] }));
    await first.append(2, bodyOf({ alerts: [alertOf('a-1')], deliveries: [{ row: 'r', at: 8, attempt: 1, result: 'retry', nextAt: 99 }] }));
    const [alerts, pending] = [await first.alerts({}), await first.pending()];
    await first[Symbol.asyncDispose]();
    edit(first.path, 'delete from alert; delete from outbox');
    await using journal = await openJournal({ directory: join(first.path, '..') });
    expect(await journal.alerts({})).toEqual([]);
    await journal.rebuildProjections();
    expect([await journal.alerts({}), await journal.pending()]).toEqual([alerts, pending]);
  });

  test('an append that the disk refuses is thrown and leaves neither an entry nor a projection', async () => {
    const directory = fresh();
    await using journal = await openJournal({ directory, busyTimeoutMs: 1 });
    await journal.append(1, bodyOf());
    const other = new DatabaseSync(journal.path);
    other.exec('begin immediate');
    await expect(journal.append(2, bodyOf({ alerts: [alertOf('a-1')] }))).rejects.toMatchObject({
      name: 'StorageFault',
      isRetryable: true,
      message: expect.stringContaining('locked by another process') as string,
    });
    other.exec('rollback');
    other.close();
    expect(await entriesOf(journal)).toHaveLength(1);
    expect(await journal.append(2, bodyOf({ alerts: [alertOf('a-1')] }))).toBe('appended');
  });
});
