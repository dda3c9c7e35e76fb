import { join } from 'node:path';
import type { CommandInbox } from '../../core/ports.ts';
import type { EpochMs } from '../../core/types.ts';
import { PENDING_MAX, commandOf } from '../command-text.ts';
import { int, text } from './connection.ts';
import { type Migrations, openDatabase } from './database.ts';

export const INBOX_FILE = 'inbox.db';

/** Of its own, so that people's tools need not write where the judge keeps its journal. n is the order of submission. */
const MIGRATIONS: Migrations = [
  'create table command(n integer primary key autoincrement, id text not null unique, at int not null, body text not null) strict;',
];
/** FULL: who was told that a command waits is told the truth. */
const PRAGMAS = 'pragma journal_mode = wal; pragma synchronous = full';
const CACHE_KIB = 256;

export type CommandInboxOptions = {
  readonly directory: string;
  /** The judge makes the file; who submits finds it there, or nobody would ever read the command. Default false. */
  readonly create?: boolean;
  /** Default 2,000. */
  readonly busyTimeoutMs?: number;
  /** A row that cannot be read, in one line. */
  readonly onProblem?: (message: string) => void;
};

/** The inbox in a file of the data directory. Any number of processes write. World faults are thrown as `StorageFault`. */
export async function openCommandInbox(options: CommandInboxOptions): Promise<CommandInbox> {
  const path = join(options.directory, INBOX_FILE);
  const shared = { path, migrations: MIGRATIONS, pragmas: PRAGMAS, busyTimeoutMs: options.busyTimeoutMs ?? 2000, cacheKiB: CACHE_KIB };
  // Opened to read only first: that fails when there is no file, and makes none.
  if (options.create !== true) openDatabase({ ...shared, readOnly: true }).close();
  const connection = openDatabase({ ...shared, readOnly: false });
  const told = new Set<number>();
  return {
    submit: async (command) => {
      connection.run('insert or ignore into command(id, at, body) values (?, ?, ?)', command.id, command.at satisfies EpochMs, JSON.stringify(command));
    },
    pending: async () =>
      connection.all('select n, body from command order by n limit ?', PENDING_MAX).flatMap((row) => {
        const command = commandOf(text(row, 1));
        if (command !== undefined) return [command];
        const n = int(row, 0);
        if (!told.has(n)) options.onProblem?.(`command ${n} in ${path} cannot be read and is passed over`);
        told.add(n);
        return [];
      }),
    remove: async (ids) => {
      if (ids.length > 0) connection.run('delete from command where id in (select value from json_each(?))', JSON.stringify(ids));
    },
    [Symbol.asyncDispose]: async () => connection.close(),
  };
}
