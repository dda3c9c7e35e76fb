import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { faultOf } from './fault.ts';

/** A result row, columns in the order of the statement. */
export type Row = readonly SQLOutputValue[];

/** Before it a checkpoint can damage a WAL file under two connections (SQLite's release notes of 3.51.3). */
export const SQLITE_VERSION_MIN = '3.51.3';

/** Statements are kept prepared up to here; day and month tables make the number of texts unbounded. */
const STATEMENTS_MAX = 128;

export type ConnectionOptions = {
  readonly path: string;
  readonly readOnly: boolean;
  readonly busyTimeoutMs: number;
  readonly cacheKiB: number;
};

/** One connection to one database file. Synchronous, like the driver; numbers are exact below 2^53. */
export class Connection {
  readonly path: string;
  readonly db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(options: ConnectionOptions) {
    this.path = options.path;
    this.db = this.attempt(
      () =>
        new DatabaseSync(options.path, { readOnly: options.readOnly, timeout: options.busyTimeoutMs, returnArrays: true, enableForeignKeyConstraints: false }),
    );
    this.attempt(() => this.db.exec(`pragma cache_size = -${options.cacheKiB}`));
  }

  /** A statement of a text that few rows need: prepared once, kept while there is room. */
  #statement(sql: string): StatementSync {
    const kept = this.#statements.get(sql);
    if (kept !== undefined) return kept;
    if (this.#statements.size >= STATEMENTS_MAX) this.#statements.clear();
    const statement = this.db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  all(sql: string, ...values: readonly SQLInputValue[]): readonly Row[] {
    return this.attempt(() => asRows(this.#statement(sql).all(...values)));
  }

  get(sql: string, ...values: readonly SQLInputValue[]): Row | undefined {
    const row = this.attempt(() => this.#statement(sql).get(...values));
    return row === undefined ? undefined : asRow(row);
  }

  /** Number of rows changed. */
  run(sql: string, ...values: readonly SQLInputValue[]): number {
    return this.attempt(() => Number(this.#statement(sql).run(...values).changes));
  }

  /** Row by row, in a statement of its own, so that two iterations do not disturb one another. */
  *iterate(sql: string, ...values: readonly SQLInputValue[]): Generator<Row, void, undefined> {
    try {
      for (const row of this.db.prepare(sql).iterate(...values)) yield asRow(row);
    } catch (error) {
      throw this.#fault(error);
    }
  }

  /** All or nothing. A failure leaves the database as it was and is thrown on, a fault of the world as `StorageFault`. */
  transact<T>(work: () => T): T {
    return this.attempt(() => {
      this.db.exec('begin immediate');
      try {
        const result = work();
        this.db.exec('commit');
        return result;
      } catch (error) {
        // SQLite has rolled back by itself when the disk was full.
        if (this.db.isTransaction) this.db.exec('rollback');
        throw error;
      }
    });
  }

  /** Runs what may meet a fault of the world, and names it. */
  attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.#fault(error);
    }
  }

  #fault(error: unknown): unknown {
    return faultOf(error, this.path) ?? error;
  }

  close(): void {
    this.#statements.clear();
    if (this.db.isOpen) this.db.close();
  }
}

function asRows(rows: unknown): readonly Row[] {
  return rows as readonly Row[];
}

/** With `returnArrays` the driver gives arrays, which its types do not say. */
function asRow(row: unknown): Row {
  return row as Row;
}

export function int(row: Row, column: number): number {
  const value = row[column];
  if (typeof value !== 'number') throw new TypeError(`BUG: column ${column} is no number`);
  return value;
}

export function text(row: Row, column: number): string {
  const value = row[column];
  if (typeof value !== 'string') throw new TypeError(`BUG: column ${column} is no text`);
  return value;
}

export function blob(row: Row, column: number): Uint8Array {
  const value = row[column];
  if (!(value instanceof Uint8Array)) throw new TypeError(`BUG: column ${column} is no blob`);
  return value;
}

export function optionalText(row: Row, column: number): string | undefined {
  const value = row[column];
  return typeof value === 'string' ? value : undefined;
}
