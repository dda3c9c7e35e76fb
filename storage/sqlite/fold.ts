import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { C, type Counters, at, errorsOf } from '../../core/counters.ts';
import { MINUTES_PER_HOUR, dayOf } from '../../core/window.ts';
import { MINUTES_PER_DAY, monthOf } from '../calendar.ts';
import { CellsMerger } from '../merge/cells-merger.ts';
import { BulkInsert } from './bulk-insert.ts';
import { type Connection, blob, int } from './connection.ts';
import { createHourTable, hourTable, minuteTable } from './schema.ts';
import type { Minute } from '../../core/types.ts';

const WINDOW_COLUMNS = 9;
/** Some 10 MB of cells. */
const ROWS_PER_PASS = 16_384;

/** The level below a window: the rows of `table` from `from` to `to`, whose times are `step` minutes apart. */
type Below = { readonly table: string; readonly from: Minute; readonly to: Minute; readonly step: number };

/**
 * Recomputes hours from minutes and days from hours where something below changed. Always from everything
 * that is there, never by a difference, so that doing it twice, or after late rows, gives the same. One transaction
 * per hour and per day, with other work let in between.
 */
export class Folder {
  readonly #connection: Connection;
  readonly #merger = new CellsMerger();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Folds what ends at or before `before`. Returns the number of rows written. */
  async fold(before: Minute): Promise<number> {
    let rows = 0;
    for (const hour of this.#list('select ts from dirty_hour where ts <= ? order by ts', before - MINUTES_PER_HOUR)) {
      rows += this.#connection.transact(() => (this.#isListed('dirty_hour', hour) ? this.#foldHour(hour) : 0));
      await yieldToOthers();
    }
    // A day with an hour that is still dirty is read from its hours; it is folded when that hour is.
    for (const day of this.#list('select ts from dirty_day where ts not in (select ts - ts % 1440 from dirty_hour) and ts < ? order by ts', before)) {
      rows += this.#connection.transact(() => (this.#isListed('dirty_day', day) ? this.#foldDay(day) : 0));
      await yieldToOthers();
    }
    return rows;
  }

  /** Folds one day within the caller's transaction. */
  foldAllOf(day: Minute): void {
    for (const hour of this.#list('select ts from dirty_hour where ts >= ? and ts < ?', day, day + MINUTES_PER_DAY)) this.#foldHour(hour);
    if (this.#isListed('dirty_day', day)) this.#foldDay(day);
  }

  #list(sql: string, ...values: readonly number[]): readonly Minute[] {
    return this.#connection.all(sql, ...values).map((row) => int(row, 0));
  }

  /** Retention may have folded it while others were let in. */
  #isListed(list: 'dirty_hour' | 'dirty_day', ts: Minute): boolean {
    return this.#connection.get(`select 1 from ${list} where ts = ?`, ts) !== undefined;
  }

  #foldHour(hour: Minute): number {
    const month = monthOf(hour);
    this.#connection.db.exec(createHourTable(month));
    this.#connection.run('insert or ignore into hour_month(month) values (?)', month);
    const rows = this.#replace(hourTable(month), hour, { table: minuteTable(dayOf(hour)), from: hour, to: hour + MINUTES_PER_HOUR, step: 1 });
    this.#connection.run('delete from dirty_hour where ts = ?', hour);
    this.#connection.run('insert or ignore into dirty_day(ts) values (?)', dayOf(hour));
    return rows;
  }

  #foldDay(day: Minute): number {
    const rows = this.#replace('day', day, { table: hourTable(monthOf(day)), from: day, to: day + MINUTES_PER_DAY, step: MINUTES_PER_HOUR });
    this.#connection.run('delete from dirty_day where ts = ?', day);
    return rows;
  }

  /** Replaces the folded rows of one window by the sums of the level below. */
  #replace(table: string, ts: Minute, below: Below): number {
    this.#connection.run(`delete from ${table} where ts = ? and frozen = 0`, ts);
    const insert = new BulkInsert(this.#connection.db, { into: table, columns: WINDOW_COLUMNS });
    let rows = 0;
    for (const [entity, group] of this.#groups(below)) {
      this.#push(insert, ts, entity, group);
      rows++;
    }
    insert.flush();
    return rows;
  }

  /**
   * What is below by entity, ascending. Read by ranges of ids, in each of them time by time, which is the order of the
   * key: twice as fast as a sort of all rows, and of the rows only some are in memory.
   */
  *#groups({ table, from, to, step }: Below): Generator<readonly [number, readonly Uint8Array[]], void, undefined> {
    const bounds = this.#connection.get(`select count(*), coalesce(min(entity), 0), coalesce(max(entity), 0) from ${table} where ts >= ? and ts < ?`, from, to);
    if (bounds === undefined || int(bounds, 0) === 0) return;
    const [count, first, last] = [int(bounds, 0), int(bounds, 1), int(bounds, 2)];
    const width = Math.ceil(((last - first + 1) * ROWS_PER_PASS) / count);
    const sql = `select entity, cells from ${table} where ts = ? and entity >= ? and entity < ? and length(cells) > 0`;
    for (let low = first; low <= last; low += width) {
      const groups = new Map<number, Uint8Array[]>();
      for (let ts = from; ts < to; ts += step) {
        for (const row of this.#connection.all(sql, ts, low, low + width)) {
          const group = groups.get(int(row, 0));
          if (group === undefined) groups.set(int(row, 0), [blob(row, 1)]);
          else group.push(blob(row, 1));
        }
      }
      yield* [...groups].sort((a, b) => a[0] - b[0]);
    }
  }

  #push(insert: BulkInsert, ts: Minute, entity: number, group: readonly Uint8Array[]): void {
    const cells = this.#merger.merge(group);
    insert.push(ts);
    insert.push(entity);
    insert.push(0);
    for (const value of hotColumns(this.#merger.counters)) insert.push(value);
    insert.push(cells);
  }
}

/** The numeric columns beside `cells`, in the order of the tables. */
export function hotColumns(counters: Counters): readonly number[] {
  return [at(counters, C.requests), errorsOf(counters), at(counters, C.failedAuth), at(counters, C.bytesIn), at(counters, C.bytesOut)];
}
