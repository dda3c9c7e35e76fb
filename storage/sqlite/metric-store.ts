import { join } from 'node:path';
import { type EntityId, type Minute, OK, type Outcome, failed } from '../../core/types.ts';
import { BatchWriter } from './batch-writer.ts';
import { type Connection, int, text } from './connection.ts';
import { openDatabase } from './database.ts';
import { StorageFault } from './fault.ts';
import { Folder } from './fold.ts';
import { METRICS_FILE } from './files.ts';
import { ReaderPool } from './reader-pool.ts';
import { readPartials } from './read-partials.ts';
import { readResume } from './read-resume.ts';
import { readTotals } from './read-totals.ts';
import { asEntity, readWindows } from './read-windows.ts';
import { Retainer } from './retain.ts';
import { METRICS_MIGRATIONS } from './schema.ts';
import { chainEnds, firstChainEnd, parseRejects } from './segments.ts';
import type { MetricStore, PartitionHead, StoredSource } from '../../core/ports.ts';
import type { PartialBatch } from '../../core/partial.ts';

export type MetricStoreOptions = {
  readonly directory: string;
  /** Reads while another process writes; `put` fails and nothing is made. Default false. */
  readonly readOnly?: boolean;
  /** How long a call waits for a lock of another process. Default 2,000. */
  readonly busyTimeoutMs?: number;
  /** Memory for pages of the writing connection. Default 16 MiB. */
  readonly cacheKiB?: number;
  /** How many entities are remembered with their ids. Default 2,097,152: a million in use at once, at most some 200 MB. */
  readonly entitiesMax?: number;
  /** Hard limit of the file, in pages of 16 KiB: above it `put` fails as on a full disk. Default none. */
  readonly pagesMax?: number;
};

export type SqliteMetricStore = MetricStore & {
  readonly path: string;
  /** What SQLite finds wrong in the file; empty when it is sound. Reads all of it. */
  check(): Promise<readonly string[]>;
};

/** What a reader's connection may keep in memory. */
const READER_CACHE_KIB = 8192;
/** Later than any window: everything is folded. */
const ALWAYS: Minute = Number.MAX_SAFE_INTEGER;

/** 16 KiB pages hold a window of 4 KB without a second page, and a bulk load writes half as often. Free pages can be given back. Both must be said before the first table. */
const FRESH = 'pragma page_size = 16384; pragma auto_vacuum = incremental';
/** NORMAL: after a power cut the newest transactions may be missing, whole; they are read again from the source. */
const PRAGMAS = 'pragma journal_mode = wal; pragma synchronous = normal; pragma wal_autocheckpoint = 2000; pragma journal_size_limit = 67108864';

/**
 * The metrics of an installation in one SQLite file. One process writes (take `lockDirectory` first), any
 * number may read. The calls are synchronous underneath: a put of 5,000 rows holds the thread for some 10 ms.
 */
export async function openMetricStore(options: MetricStoreOptions): Promise<SqliteMetricStore> {
  const path = join(options.directory, METRICS_FILE);
  const readOnly = options.readOnly ?? false;
  const busyTimeoutMs = options.busyTimeoutMs ?? 2000;
  const connection = openDatabase({
    path,
    readOnly,
    migrations: METRICS_MIGRATIONS,
    fresh: FRESH,
    pragmas: PRAGMAS,
    busyTimeoutMs,
    cacheKiB: options.cacheKiB ?? 16 * 1024,
  });
  const readers = new ReaderPool({ path, busyTimeoutMs, cacheKiB: READER_CACHE_KIB });
  try {
    if (options.pagesMax !== undefined) connection.db.exec(`pragma max_page_count = ${options.pagesMax}`);
    return new SqliteStore({ connection, readers, readOnly, entitiesMax: options.entitiesMax ?? 2_097_152 });
  } catch (error) {
    connection.close();
    throw error;
  }
}

class SqliteStore implements SqliteMetricStore {
  readonly path: string;
  readonly #connection: Connection;
  readonly #readers: ReaderPool;
  readonly #writer: BatchWriter | undefined;
  readonly #folder: Folder;
  readonly #retainer: Retainer;

  constructor(deps: { readonly connection: Connection; readonly readers: ReaderPool; readonly readOnly: boolean; readonly entitiesMax: number }) {
    this.path = deps.connection.path;
    this.#connection = deps.connection;
    this.#readers = deps.readers;
    this.#writer = deps.readOnly ? undefined : new BatchWriter(deps.connection, { entitiesMax: deps.entitiesMax });
    this.#folder = new Folder(deps.connection);
    this.#retainer = new Retainer(deps.connection, { folder: this.#folder, onDropped: () => this.#writer?.reloadDays() });
  }

  async control(name: string): Promise<string | undefined> {
    const row = this.#connection.get('select value from control where name = ?', name);
    return row === undefined ? undefined : text(row, 0);
  }

  async setControl(name: string, value: string): Promise<void> {
    this.#mustWrite();
    this.#connection.run('insert into control(name, value) values (?, ?) on conflict do update set value = excluded.value', name, value);
  }

  async claim(name: string, value: string): Promise<string> {
    this.#mustWrite();
    this.#connection.run('insert or ignore into control(name, value) values (?, ?)', name, value);
    return (await this.control(name)) ?? value;
  }

  async source(name: string): Promise<number> {
    const find = (): number | undefined => {
      const row = this.#connection.get('select id from source where name = ?', name);
      return row === undefined ? undefined : int(row, 0);
    };
    const known = find();
    if (known !== undefined) return known;
    this.#mustWrite();
    this.#connection.run('insert into source(name) values (?)', name);
    const made = find();
    if (made === undefined) throw new Error(`BUG: source ${name} was not stored`);
    return made;
  }

  async sources(): Promise<readonly StoredSource[]> {
    return this.#readers.read((reader) =>
      reader.all('select id, name, records, dropped, rejects from source order by id').flatMap((row) => {
        const end = firstChainEnd(reader, int(row, 0));
        const totals = { id: int(row, 0), name: text(row, 1), records: int(row, 2), dropped: int(row, 3), rejects: parseRejects(text(row, 4)) };
        if (end === undefined) return [{ ...totals, next: 0, newest: Number.NEGATIVE_INFINITY }];
        return [{ ...totals, next: end.next, newest: end.newest, ...(end.cursor === undefined ? {} : { cursor: end.cursor }) }];
      }),
    );
  }

  async put(batch: PartialBatch): Promise<Outcome> {
    if (this.#writer === undefined) return failed(`opened to read only: ${this.path}`, false);
    try {
      this.#writer.put(batch);
      return OK;
    } catch (error) {
      if (error instanceof StorageFault) return error.outcome();
      throw error;
    }
  }

  async resume(source: number, partition: number): ReturnType<MetricStore['resume']> {
    return this.#readers.read((reader) => readResume(reader, source, partition));
  }

  async heads(source?: number): Promise<readonly PartitionHead[]> {
    return this.#readers.read((reader) => chainEnds(reader, source).map(({ id: _id, ...head }) => head));
  }

  partials(query: Parameters<MetricStore['partials']>[0]): ReturnType<MetricStore['partials']> {
    return this.#readers.stream((reader) => readPartials(reader, query));
  }

  windows(query: Parameters<MetricStore['windows']>[0]): ReturnType<MetricStore['windows']> {
    return this.#readers.stream((reader) => readWindows(reader, query));
  }

  async totals(query: Parameters<MetricStore['totals']>[0]): ReturnType<MetricStore['totals']> {
    return this.#readers.read((reader) => readTotals(reader, query));
  }

  async aliases(): Promise<ReadonlyMap<EntityId, EntityId>> {
    return this.#readers.read(
      (reader) => new Map(reader.all('select fingerprint, credential from alias').map((row) => [asEntity(text(row, 0)), asEntity(text(row, 1))])),
    );
  }

  async fold(before?: Minute): Promise<number> {
    this.#mustWrite();
    return this.#folder.fold(before ?? ALWAYS);
  }

  async retain(...[policy, now]: Parameters<MetricStore['retain']>): ReturnType<MetricStore['retain']> {
    this.#mustWrite();
    return this.#retainer.retain(policy, now);
  }

  async check(): Promise<readonly string[]> {
    try {
      const found = this.#readers.read((reader) => reader.all('pragma quick_check').map((row) => text(row, 0)));
      return found.filter((line) => line !== 'ok');
    } catch (error) {
      // Damage can be such that SQLite gives up.
      if (error instanceof StorageFault) return [error.message];
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#readers.close();
    this.#connection.close();
  }

  #mustWrite(): void {
    if (this.#writer === undefined) throw new StorageFault(`opened to read only: ${this.path}`, { isRetryable: false });
  }
}
