import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { MINUTE_MS } from '../../core/window.ts';
import { MINUTES_PER_DAY, dayName, monthLength, monthName, monthOf } from '../calendar.ts';
import { CellsMerger } from '../merge/cells-merger.ts';
import { type Connection, blob, int } from './connection.ts';
import { type Folder, hotColumns } from './fold.ts';
import { hourTable, minuteTable } from './schema.ts';
import type { Retention, RetentionReport } from '../../core/ports.ts';
import type { EpochMs, Minute } from '../../core/types.ts';

/** Pages given back per transaction: some ten milliseconds. */
const VACUUM_PAGES = 2000;

/**
 * Drops what the policy lets go. What was dropped lives on in the level above: the hours of a dropped day and
 * the days of a dropped month are frozen, and rows that come later are added to them, never folded over them. A
 * day that an open segment still has rows in stays: its owner must be able to resume.
 */
export class Retainer {
  readonly #connection: Connection;
  readonly #folder: Folder;
  /** Called after tables of minutes went, before anything else can run. */
  readonly #onDropped: () => void;
  readonly #merger = new CellsMerger();

  constructor(connection: Connection, deps: { readonly folder: Folder; readonly onDropped: () => void }) {
    this.#connection = connection;
    this.#folder = deps.folder;
    this.#onDropped = deps.onDropped;
  }

  async retain(policy: Retention, now: EpochMs): Promise<RetentionReport> {
    const minute = (age: number): Minute => Math.floor((now - age) / MINUTE_MS);
    const droppedMinuteDays: string[] = [];
    const droppedHourMonths: string[] = [];
    // What may go is asked again before each drop: rows can come in between.
    const dropDaysWhile = async (mayGo: (day: Minute) => boolean): Promise<void> => {
      for (let day = this.#closedDays().find(mayGo); day !== undefined; day = this.#closedDays().find(mayGo)) {
        this.#dropMinutes(day);
        droppedMinuteDays.push(dayName(day));
        await yieldToOthers();
      }
    };
    const dropMonthsWhile = async (mayGo: (month: Minute) => boolean): Promise<void> => {
      for (let month = this.#closedMonths().find(mayGo); month !== undefined; month = this.#closedMonths().find(mayGo)) {
        this.#dropHours(month);
        droppedHourMonths.push(monthName(month));
        await yieldToOthers();
      }
    };
    await dropDaysWhile((day) => day + MINUTES_PER_DAY <= minute(policy.minutesMs));
    await dropMonthsWhile((month) => month + monthLength(month) <= minute(policy.hoursMs));
    const droppedDays = this.#connection.transact(() => this.#dropDays(minute(policy.daysMs)));
    this.#connection.transact(() => this.#forgetSegments(now - policy.minutesMs));
    // Over the cap: the oldest minutes, and when there are none left the oldest hours; days are small and stay.
    await dropDaysWhile(() => this.#isOver(policy));
    await dropMonthsWhile(() => this.#isOver(policy));
    await this.#shrink();
    return { droppedMinuteDays, droppedHourMonths, droppedDays, bytes: this.#bytes(), isOverCap: this.#isOver(policy) };
  }

  /** Days of minutes that no open segment needs, oldest first. */
  #closedDays(): readonly Minute[] {
    return this.#list('select day from minute_day where present = 1 and day not in (select ts - ts % 1440 from open_minute) order by day');
  }

  /** Months of hours without minutes below them, oldest first. */
  #closedMonths(): readonly Minute[] {
    const open = new Set(this.#list('select day from minute_day where present = 1').map(monthOf));
    return this.#list('select month from hour_month order by month').filter((month) => !open.has(month));
  }

  #list(sql: string): readonly Minute[] {
    return this.#connection.all(sql).map((row) => int(row, 0));
  }

  #dropMinutes(day: Minute): void {
    this.#connection.transact(() => {
      this.#folder.foldAllOf(day);
      const month = monthOf(day);
      if (this.#connection.get('select 1 from hour_month where month = ?', month) !== undefined) this.#freeze(hourTable(month), day, day + MINUTES_PER_DAY);
      this.#connection.db.exec(`drop table ${minuteTable(day)}`);
      this.#connection.run('update minute_day set present = 0, frozen = 1 where day = ?', day);
    });
    this.#onDropped();
  }

  #dropHours(month: Minute): void {
    const end = month + monthLength(month);
    this.#connection.transact(() => {
      for (let day = month; day < end; day += MINUTES_PER_DAY) this.#folder.foldAllOf(day);
      this.#freeze('day', month, end);
      this.#connection.db.exec(`drop table ${hourTable(month)}`);
      this.#connection.run('delete from hour_month where month = ?', month);
    });
  }

  /** Turns folded rows into frozen ones; where there is a frozen row already (rows came after an earlier drop) the two are merged. */
  #freeze(table: string, from: Minute, to: Minute): void {
    const meeting = this.#connection.all(
      `select a.ts, a.entity, a.cells, b.cells from ${table} a join ${table} b on b.ts = a.ts and b.entity = a.entity and b.frozen = 1 where a.ts >= ? and a.ts < ? and a.frozen = 0`,
      from,
      to,
    );
    for (const row of meeting) {
      const cells = this.#merger.merge([blob(row, 3), blob(row, 2)]);
      this.#connection.run(
        `update ${table} set requests = ?, errors = ?, failed_auth = ?, bytes_in = ?, bytes_out = ?, cells = ? where ts = ? and entity = ? and frozen = 1`,
        ...hotColumns(this.#merger.counters),
        cells,
        int(row, 0),
        int(row, 1),
      );
      this.#connection.run(`delete from ${table} where ts = ? and entity = ? and frozen = 0`, int(row, 0), int(row, 1));
    }
    this.#connection.run(`update ${table} set frozen = 1 where ts >= ? and ts < ? and frozen = 0`, from, to);
  }

  /** Returns how many days went. Days that still have hours stay: folding those would bring them back. */
  #dropDays(before: Minute): number {
    const kept = this.#list('select month from hour_month order by month')[0] ?? before;
    const end = Math.min(before, kept) - (MINUTES_PER_DAY - 1);
    const days = this.#connection.all('select distinct ts from day where ts < ?', end).length;
    if (days === 0) return 0;
    this.#connection.run('delete from day where ts < ?', end);
    this.#connection.run('delete from minute_day where present = 0 and day < ?', end);
    return days;
  }

  /** Sealed segments that are not the end of their chain and as old as the minutes that went. Their totals are kept per source. */
  #forgetSegments(before: EpochMs): void {
    const old = `select s.id, s.source, s.partition, s.generation, s.start from segment s where s.sealed = 1 and s.newest < ? and exists
      (select 1 from segment n where n.source = s.source and n.partition = s.partition and (n.generation, n.start) > (s.generation, s.start))`;
    this.#connection.run(
      `insert into forgotten(source, partition, generation, start) select source, partition, generation, start from (${old}) where true order by generation, start
       on conflict do update set generation = excluded.generation, start = excluded.start where (excluded.generation, excluded.start) > (generation, start)`,
      before,
    );
    this.#connection.run(`delete from segment where id in (select id from (${old}))`, before);
  }

  #isOver(policy: Retention): boolean {
    return policy.bytesMax > 0 && this.#pages() * this.#pragma('page_size') > policy.bytesMax;
  }

  /** Pages in use: those on the free list are reused or given back. */
  #pages(): number {
    return this.#pragma('page_count') - this.#pragma('freelist_count');
  }

  #bytes(): number {
    return this.#pragma('page_count') * this.#pragma('page_size');
  }

  #pragma(name: 'page_count' | 'page_size' | 'freelist_count'): number {
    const row = this.#connection.get(`pragma ${name}`);
    return row === undefined ? 0 : int(row, 0);
  }

  /** Gives free pages back to the file system, in small steps. */
  async #shrink(): Promise<void> {
    while (this.#pragma('freelist_count') > 0) {
      const before = this.#pragma('freelist_count');
      this.#connection.attempt(() => this.#connection.db.exec(`pragma incremental_vacuum(${VACUUM_PAGES})`));
      if (this.#pragma('freelist_count') >= before) break;
      await yieldToOthers();
    }
    this.#connection.attempt(() => this.#connection.db.exec('pragma wal_checkpoint(passive)'));
  }
}
