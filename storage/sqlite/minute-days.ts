import { BulkInsert } from './bulk-insert.ts';
import { type Connection, int } from './connection.ts';
import { createMinuteTable, minuteTable } from './schema.ts';
import type { Minute } from '../../core/types.ts';

/** Written days are recent ones; a backfill walks through many, one after the other. */
const INSERTS_MAX = 16;
const MINUTE_COLUMNS = 10;
/** A row is replaced by one of the same or a higher version only. */
const NEWER_WINS = `on conflict do update set next = excluded.next, requests = excluded.requests, errors = excluded.errors, failed_auth = excluded.failed_auth,
  bytes_in = excluded.bytes_in, bytes_out = excluded.bytes_out, cells = excluded.cells where excluded.next >= next`;

/** The tables of minutes, one per UTC day, as the writer knows them. */
export class MinuteDays {
  readonly #connection: Connection;
  readonly #inserts = new Map<Minute, BulkInsert>();
  #present = new Set<Minute>();
  #frozen = new Set<Minute>();

  constructor(connection: Connection) {
    this.#connection = connection;
    this.reload();
  }

  /** Reads the list again: after a rollback, and after retention. */
  reload(): void {
    const rows = this.#connection.all('select day, present, frozen from minute_day');
    this.#present = new Set(rows.filter((row) => int(row, 1) === 1).map((row) => int(row, 0)));
    this.#frozen = new Set(rows.filter((row) => int(row, 2) === 1).map((row) => int(row, 0)));
    for (const insert of this.#inserts.values()) insert.discard();
  }

  /** True when minutes of this day were dropped once: its hours hold more than the minutes that are left. */
  isFrozen(day: Minute): boolean {
    return this.#frozen.has(day);
  }

  /** Writes into a day; its table is made when it is missing. */
  insert(day: Minute): BulkInsert {
    if (!this.#present.has(day)) {
      this.#connection.db.exec(createMinuteTable(day));
      this.#connection.run('insert into minute_day(day, present, frozen) values (?, 1, 0) on conflict do update set present = 1', day);
      this.#present.add(day);
    }
    const kept = this.#inserts.get(day);
    if (kept !== undefined) return kept;
    if (this.#inserts.size >= INSERTS_MAX) this.#inserts.clear();
    const made = new BulkInsert(this.#connection.db, { into: minuteTable(day), columns: MINUTE_COLUMNS, onConflict: NEWER_WINS });
    this.#inserts.set(day, made);
    return made;
  }
}
