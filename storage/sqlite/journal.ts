import { join } from 'node:path';
import { type ChainCheck, GENESIS_HASH, canonicalJson, checkChain, entryHash } from '../journal-chain.ts';
import { type Connection, type Row, int, text } from './connection.ts';
import { openDatabase } from './database.ts';
import { StorageFault } from './fault.ts';
import { projectEntry } from './project-entry.ts';
import { ReaderPool } from './reader-pool.ts';
import { STATE_MIGRATIONS } from './schema.ts';
import type { RecordKind } from '../journal-records.ts';
import type { Alert, AuditRow, JournalBody, JournalEntry, MessageRecord, OutboxRow } from '../../core/alert.ts';
import type { Exception, Incident, Maintenance, Silence } from '../../core/incident.ts';
import type { CommandResult } from '../../core/operator.ts';
import type { Journal, PageMark } from '../../core/ports.ts';

export const STATE_FILE = 'state.db';

export type JournalOptions = {
  readonly directory: string;
  /** Reads while another process writes. Default false. */
  readonly readOnly?: boolean;
  /** How long a call waits for a lock of another process. Default 2,000. */
  readonly busyTimeoutMs?: number;
};

export type SqliteJournal = Journal & {
  readonly path: string;
  /** Recomputes every hash from the stored entries and names the first broken one. */
  verifyChain(): Promise<ChainCheck>;
  /** Makes the tables of alerts and outbox anew from the entries. */
  rebuildProjections(): Promise<void>;
};

const CACHE_KIB = 4096;
/** FULL: an entry that was appended is on the disk; 6,800 of them a second (notes/stack.md 1.1). */
const PRAGMAS = 'pragma journal_mode = wal; pragma synchronous = full';
/** Entries read at once, so that neither memory nor the thread is held for a long journal. */
const ENTRIES_PER_READ = 256;

/** What a list is sorted by: newest first, then by id. */
const SORTED_BY = { alert: 'opened', incident: 'opened', message: 'created' } as const;

type ListQuery = {
  readonly conditions: readonly string[];
  readonly values: readonly (string | number)[];
  readonly ids?: readonly string[] | undefined;
  readonly limit: number | undefined;
  readonly after: PageMark | undefined;
};

/** The journal in one SQLite file. One process writes, any number may read. World faults are thrown as `StorageFault`, with nothing appended. */
export async function openJournal(options: JournalOptions): Promise<SqliteJournal> {
  const path = join(options.directory, STATE_FILE);
  const readOnly = options.readOnly ?? false;
  const busyTimeoutMs = options.busyTimeoutMs ?? 2000;
  const connection = openDatabase({ path, readOnly, migrations: STATE_MIGRATIONS, pragmas: PRAGMAS, busyTimeoutMs, cacheKiB: CACHE_KIB });
  return new JournalFile({ connection, readers: new ReaderPool({ path, busyTimeoutMs, cacheKiB: CACHE_KIB }), readOnly });
}

class JournalFile implements SqliteJournal {
  readonly path: string;
  readonly #connection: Connection;
  readonly #readers: ReaderPool;
  readonly #readOnly: boolean;

  constructor(deps: { readonly connection: Connection; readonly readers: ReaderPool; readonly readOnly: boolean }) {
    this.path = deps.connection.path;
    this.#connection = deps.connection;
    this.#readers = deps.readers;
    this.#readOnly = deps.readOnly;
  }

  async append(seq: number, body: JournalBody): Promise<'appended' | 'taken'> {
    this.#mustWrite();
    return this.#connection.transact(() => {
      const head = readHead(this.#connection);
      if (seq !== head.seq + 1) return 'taken';
      const stored = canonicalJson(body);
      const hash = entryHash(head.hash, stored);
      this.#connection.run('insert into entry(seq, at, actor, body, prev, hash) values (?, ?, ?, ?, ?, ?)', seq, body.at, body.actor, stored, head.hash, hash);
      projectEntry(this.#connection, seq, body);
      return 'appended';
    });
  }

  async head(): Promise<{ readonly seq: number; readonly hash: string }> {
    return this.#readers.read(readHead);
  }

  async *entries(fromSeq: number): AsyncGenerator<JournalEntry, void, undefined> {
    for (let from = fromSeq; ;) {
      const rows = this.#readers.read((reader) =>
        reader.all('select seq, body, prev, hash from entry where seq >= ? order by seq limit ?', from, ENTRIES_PER_READ),
      );
      for (const row of rows) yield entryOf(row);
      const last = rows.at(-1);
      if (last === undefined || rows.length < ENTRIES_PER_READ) return;
      from = int(last, 0) + 1;
    }
  }

  async saveSnapshot(snapshot: { readonly seq: number; readonly state: string }): Promise<void> {
    this.#mustWrite();
    const sql =
      'insert into snapshot(id, seq, state) values (1, ?, ?) on conflict do update set seq = excluded.seq, state = excluded.state where excluded.seq >= seq';
    this.#connection.run(sql, snapshot.seq, snapshot.state);
  }

  async snapshot(): Promise<{ readonly seq: number; readonly state: string } | undefined> {
    const row = this.#readers.read((reader) => reader.get('select seq, state from snapshot'));
    return row === undefined ? undefined : { seq: int(row, 0), state: text(row, 1) };
  }

  async alerts(query: Parameters<Journal['alerts']>[0]): Promise<readonly Alert[]> {
    const conditions = ['true'];
    const values: (string | number)[] = [];
    if (query.states !== undefined) {
      conditions.push('state in (select value from json_each(?))');
      values.push(JSON.stringify(query.states));
    }
    if (query.since !== undefined) {
      conditions.push('updated >= ?');
      values.push(query.since);
    }
    if (query.entity !== undefined) {
      conditions.push('entity = ?');
      values.push(query.entity);
    }
    if (query.incident !== undefined) {
      conditions.push('incident = ?');
      values.push(query.incident);
    }
    return this.#listed('alert', { conditions, values, ids: query.ids, limit: query.limit, after: query.after }) as readonly Alert[];
  }

  async incidents(query: Parameters<Journal['incidents']>[0]): Promise<readonly Incident[]> {
    const conditions = ['true'];
    const values: (string | number)[] = [];
    if (query.states !== undefined) {
      conditions.push('state in (select value from json_each(?))');
      values.push(JSON.stringify(query.states));
    }
    if (query.since !== undefined) {
      conditions.push('updated >= ?');
      values.push(query.since);
    }
    if (query.lineage !== undefined) {
      conditions.push('lineage = ?');
      values.push(query.lineage);
    }
    return this.#listed('incident', { conditions, values, ids: query.ids, limit: query.limit, after: query.after }) as readonly Incident[];
  }

  async silences(query: Parameters<Journal['silences']>[0]): Promise<readonly Silence[]> {
    return this.#records('silence', query.inForceAt) as readonly Silence[];
  }

  async maintenances(query: Parameters<Journal['maintenances']>[0]): Promise<readonly Maintenance[]> {
    return this.#records('maintenance', query.inForceAt) as readonly Maintenance[];
  }

  async exceptions(query: Parameters<Journal['exceptions']>[0]): Promise<readonly Exception[]> {
    return this.#records('exception', query.inForceAt) as readonly Exception[];
  }

  async commandResult(id: string): Promise<CommandResult | undefined> {
    const row = this.#readers.read((reader) => reader.get(`select body from record where kind = 'command' and id = ?`, id));
    return row === undefined ? undefined : (parsed(row) as CommandResult);
  }

  async audit(query: Parameters<Journal['audit']>[0]): Promise<readonly AuditRow[]> {
    const subject = query.subject === undefined ? '' : 'and subject = ?';
    const index = `cast(substr(id, instr(id, '.') + 1) as int)`;
    const after = query.after === undefined ? '' : `and (seq < ? or (seq = ? and ${index} > ?))`;
    const sql = `select body from record where kind = 'audit' ${after} ${subject} order by seq desc, ${index} limit ?`;
    const values = [
      ...(query.after === undefined ? [] : [query.after.seq, query.after.seq, query.after.index]),
      ...(query.subject === undefined ? [] : [query.subject]),
      query.limit ?? -1,
    ];
    return this.#readers.read((reader) => reader.all(sql, ...values).map((row) => parsed(row) as AuditRow));
  }

  async messages(query: Parameters<Journal['messages']>[0]): Promise<readonly MessageRecord[]> {
    const conditions = ['true'];
    const values: (string | number)[] = [];
    for (const [column, value] of [['incident', query.incident] as const, ['channel', query.channel] as const]) {
      if (value === undefined) continue;
      conditions.push(`${column} = ?`);
      values.push(value);
    }
    return this.#listed('message', { conditions, values, limit: query.limit, after: query.after }) as readonly MessageRecord[];
  }

  #listed(table: keyof typeof SORTED_BY, query: ListQuery): readonly unknown[] {
    const at = SORTED_BY[table];
    const conditions = [...query.conditions];
    const values = [...query.values];
    if (query.ids !== undefined) {
      conditions.push('id in (select value from json_each(?))');
      values.push(JSON.stringify(query.ids));
    }
    if (query.after !== undefined) {
      conditions.push(`(${at} < ? or (${at} = ? and id > ?))`);
      values.push(query.after.at, query.after.at, query.after.id);
    }
    const sql = `select body from ${table} where ${conditions.join(' and ')} order by ${at} desc, id limit ?`;
    return this.#readers.read((reader) => reader.all(sql, ...values, query.limit ?? -1).map((row) => parsed(row)));
  }

  #records(kind: RecordKind, inForceAt: number | undefined): readonly unknown[] {
    const sql = 'select body from record where kind = ? and ends > ? order by at desc, id';
    return this.#readers.read((reader) => reader.all(sql, kind, inForceAt ?? -1).map((row) => parsed(row)));
  }

  async pending(): ReturnType<Journal['pending']> {
    const rows = this.#readers.read((reader) => reader.all('select body, attempts, next_at from outbox where done = 0 order by next_at, row'));
    return rows.map((row) => ({ row: parseOutboxRow(text(row, 0)), attempts: int(row, 1), nextAt: int(row, 2) }));
  }

  async verifyChain(): Promise<ChainCheck> {
    return checkChain(this.entries(0), (await this.snapshot())?.seq ?? 0);
  }

  async rebuildProjections(): Promise<void> {
    this.#mustWrite();
    this.#connection.transact(() => {
      this.#connection.db.exec('delete from alert; delete from outbox; delete from incident; delete from record; delete from message');
      for (const row of this.#connection.iterate('select seq, body, prev, hash from entry order by seq'))
        projectEntry(this.#connection, int(row, 0), entryOf(row));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#readers.close();
    this.#connection.close();
  }

  #mustWrite(): void {
    if (this.#readOnly) throw new StorageFault(`opened to read only: ${this.path}`, { isRetryable: false });
  }
}

function readHead(connection: Connection): { readonly seq: number; readonly hash: string } {
  const row = connection.get('select seq, hash from entry order by seq desc limit 1');
  return row === undefined ? { seq: 0, hash: GENESIS_HASH } : { seq: int(row, 0), hash: text(row, 1) };
}

// What these parse was written by `append` of this schema version, and the chain of hashes says so.

function entryOf(row: Row): JournalEntry {
  const body = JSON.parse(text(row, 1)) as JournalBody;
  return { ...body, seq: int(row, 0), prevHash: text(row, 2), hash: text(row, 3) };
}

function parsed(row: Row): unknown {
  return JSON.parse(text(row, 0));
}

function parseOutboxRow(json: string): OutboxRow {
  return JSON.parse(json) as OutboxRow;
}
