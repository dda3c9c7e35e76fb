import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';

/**
 * Rows per statement: 32 is more than half again as fast as one; 128 gains nothing more. Plain `?` only: numbered
 * parameters are looked up by name and make it three times slower (docs/decisions/0003-sqlite-layout.md).
 */
const ROWS = 32;

/** Inserts many rows of one shape, within a transaction. Values are pushed one by one, column by column; `flush` writes the rest. */
export class BulkInsert {
  readonly #columns: number;
  readonly #one: StatementSync;
  readonly #many: StatementSync;
  readonly #values: SQLInputValue[];
  #at = 0;

  constructor(db: DatabaseSync, shape: { readonly into: string; readonly columns: number; readonly onConflict?: string }) {
    const row = `(${Array.from({ length: shape.columns }, () => '?').join(',')})`;
    const tail = shape.onConflict ?? '';
    this.#columns = shape.columns;
    // A row that a constraint refuses ends the transaction: undoing one statement alone would need a copy of every page it touches.
    this.#one = db.prepare(`insert or rollback into ${shape.into} values ${row} ${tail}`);
    this.#many = db.prepare(`insert or rollback into ${shape.into} values ${Array.from({ length: ROWS }, () => row).join(',')} ${tail}`);
    this.#values = Array.from({ length: ROWS * shape.columns }, () => null);
  }

  push(value: SQLInputValue): void {
    this.#values[this.#at++] = value;
    if (this.#at < this.#values.length) return;
    this.#at = 0;
    this.#many.run(...this.#values);
  }

  flush(): void {
    const end = this.#at;
    this.#at = 0;
    for (let i = 0; i < end; i += this.#columns) this.#one.run(...this.#values.slice(i, i + this.#columns));
  }

  /** Forgets what was pushed and not written, after a rollback. */
  discard(): void {
    this.#at = 0;
  }
}
