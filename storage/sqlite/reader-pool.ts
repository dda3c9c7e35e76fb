import { Connection, type ConnectionOptions } from './connection.ts';

const IDLE_MAX = 2;

/**
 * Read-only connections. Each query gets one for itself and reads one snapshot with it, so that a put, a fold
 * or a retention in between cannot make it count a row twice or not at all. A query that is not finished
 * keeps the log of the database from being reused: iterate to the end, or leave the loop with `break`.
 */
export class ReaderPool {
  readonly #options: ConnectionOptions;
  readonly #idle: Connection[] = [];
  #isClosed = false;

  constructor(options: Omit<ConnectionOptions, 'readOnly'>) {
    this.#options = { ...options, readOnly: true };
  }

  /** Runs a query on one snapshot. */
  read<T>(query: (connection: Connection) => T): T {
    const connection = this.#begin();
    try {
      return query(connection);
    } finally {
      this.#end(connection);
    }
  }

  /** Streams a query on one snapshot. */
  async *stream<T>(query: (connection: Connection) => Iterable<T>): AsyncGenerator<T, void, undefined> {
    const connection = this.#begin();
    try {
      yield* query(connection);
    } finally {
      this.#end(connection);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of this.#idle.splice(0)) connection.close();
  }

  #begin(): Connection {
    if (this.#isClosed) throw new Error('BUG: the store is closed');
    const connection = this.#idle.pop() ?? new Connection(this.#options);
    connection.attempt(() => connection.db.exec('begin'));
    return connection;
  }

  #end(connection: Connection): void {
    if (connection.db.isTransaction) connection.db.exec('rollback');
    if (this.#isClosed || this.#idle.length >= IDLE_MAX) connection.close();
    else this.#idle.push(connection);
  }
}
