import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type DatabaseOptions, openDatabase, schemaVersion } from '../../../storage/sqlite/database.ts';
import { METRICS_FILE } from '../../../storage/sqlite/files.ts';
import { openMetricStore } from '../../../storage/sqlite/metric-store.ts';
import { METRICS_MIGRATIONS } from '../../../storage/sqlite/schema.ts';
import { scratchDirectory } from '../scratch.ts';

let scratch: ReturnType<typeof scratchDirectory>;

beforeEach(() => {
  scratch = scratchDirectory();
});

afterEach(() => scratch.remove());

function options(migrations: readonly string[], readOnly = false): DatabaseOptions {
  return { path: join(scratch.path, 'x.db'), readOnly, migrations, pragmas: 'pragma journal_mode = wal', busyTimeoutMs: 100, cacheKiB: 1000 };
}

describe('migrations', () => {
  test('each step runs once, in order, and the version says how many did', () => {
    openDatabase(options(['create table a(x int) strict'])).close();
    const two = openDatabase(options(['create table a(x int) strict', 'alter table a add column y int; insert into a values (1, 2)']));
    expect(schemaVersion(two)).toBe(2);
    two.close();
    const again = openDatabase(options(['create table a(x int) strict', 'alter table a add column y int; insert into a values (1, 2)']));
    expect(again.all('select x, y from a')).toEqual([[1, 2]]);
    again.close();
  });

  test('a step that fails leaves the version and the tables before it', () => {
    const broken = ['create table a(x int) strict', 'create table b(x int) strict; insert into absent values (1)'];
    expect(() => openDatabase(options(broken))).toThrow(/no such table: absent/);
    const repaired = openDatabase(options(['create table a(x int) strict']));
    expect(schemaVersion(repaired)).toBe(1);
    expect(repaired.all("select name from sqlite_master where type = 'table'")).toEqual([['a']]);
    repaired.close();
  });

  test('a database of a newer keywatch is refused by writer and reader; an older one by the reader', () => {
    openDatabase(options(['create table a(x int) strict', 'create table b(x int) strict'])).close();
    const newer = /x\.db was written by a newer keywatch \(schema 2, this one knows 1\); update keywatch or choose another data directory/;
    expect(() => openDatabase(options(['create table a(x int) strict']))).toThrow(newer);
    expect(() => openDatabase(options(['create table a(x int) strict'], true))).toThrow(newer);
    expect(() => openDatabase(options(['', '', ''], true))).toThrow(
      /x\.db has the older schema 2 of 3; start keywatch on this data directory once to update it/,
    );
  });

  test('the store itself refuses a newer schema', async () => {
    await (await openMetricStore({ directory: scratch.path }))[Symbol.asyncDispose]();
    const db = new DatabaseSync(join(scratch.path, METRICS_FILE));
    db.exec(`pragma user_version = ${METRICS_MIGRATIONS.length + 1}`);
    db.close();
    await expect(openMetricStore({ directory: scratch.path })).rejects.toThrow(/written by a newer keywatch/);
  });
});

describe('the files', () => {
  test('are tables of strict types in WAL mode, with pages that can be given back', async () => {
    await using store = await openMetricStore({ directory: scratch.path });
    const db = new DatabaseSync(store.path, { readOnly: true });
    expect(db.prepare('pragma journal_mode').get()).toMatchObject({ journal_mode: 'wal' });
    expect(db.prepare('pragma auto_vacuum').get()).toMatchObject({ auto_vacuum: 2 });
    expect(db.prepare("select name from pragma_table_list where schema = 'main' and strict = 0 and name not like 'sqlite_%'").all()).toEqual([]);
    db.close();
  });
});
