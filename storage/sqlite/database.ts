import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { Connection, SQLITE_VERSION_MIN, int, text } from './connection.ts';
import { StorageFault } from './fault.ts';

/** Step `n` of a list takes a database from `user_version` n to n + 1. Steps are only ever appended. */
export type Migrations = readonly string[];

export type DatabaseOptions = {
  readonly path: string;
  readonly readOnly: boolean;
  readonly migrations: Migrations;
  /** Before a new file gets its first table, for instance its page size. */
  readonly fresh?: string;
  /** On every writing connection. */
  readonly pragmas: string;
  readonly busyTimeoutMs: number;
  readonly cacheKiB: number;
};

/** Opens a database file, makes it when it is new, and brings its schema up to date. Readers change nothing. */
export function openDatabase(options: DatabaseOptions): Connection {
  if (options.readOnly && !existsSync(options.path)) {
    throw new StorageFault(`nothing stored yet: ${options.path} does not exist; start keywatch on this data directory first`, { isRetryable: false });
  }
  if (!options.readOnly) makeDirectory(dirname(options.path));
  const connection = new Connection(options);
  try {
    connection.attempt(() => prepare(connection, options));
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

function prepare(connection: Connection, options: DatabaseOptions): void {
  const [version = ''] = connection.all('select sqlite_version()').map((row) => text(row, 0));
  if (compareVersions(version, SQLITE_VERSION_MIN) < 0) {
    throw new StorageFault(`sqlite ${version} is too old: ${SQLITE_VERSION_MIN} or newer is needed; update Node`, { isRetryable: false });
  }
  const current = schemaVersion(connection);
  const known = options.migrations.length;
  if (current > known) {
    throw new StorageFault(
      `${options.path} was written by a newer keywatch (schema ${current}, this one knows ${known}); update keywatch or choose another data directory`,
      { isRetryable: false },
    );
  }
  if (options.readOnly) {
    if (current < known)
      throw new StorageFault(`${options.path} has the older schema ${current} of ${known}; start keywatch on this data directory once to update it`, {
        isRetryable: false,
      });
    return;
  }
  // Before the log beside it is made, which takes the same mode: who may read what is in here is the owner's to say.
  if (current === 0) chmodSync(options.path, 0o600);
  if (current === 0 && options.fresh !== undefined) connection.db.exec(options.fresh);
  connection.db.exec(options.pragmas);
  for (let step = current; step < known; step++) {
    connection.transact(() => {
      connection.db.exec(options.migrations[step] as string);
      connection.db.exec(`pragma user_version = ${step + 1}`);
    });
  }
}

export function schemaVersion(connection: Connection): number {
  const row = connection.get('pragma user_version');
  return row === undefined ? 0 : int(row, 0);
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new StorageFault(`cannot make the data directory ${path}; check its owner or choose another one`, { isRetryable: false, cause: error });
  }
}

function compareVersions(a: string, b: string): number {
  const partsA = a.split('.').map(Number);
  const partsB = b.split('.').map(Number);
  for (let i = 0; i < 3; i++) {
    const difference = (partsA[i] ?? 0) - (partsB[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
