import { ByteReader } from '../../core/bytes.ts';
import { C, at, emptyCounters, errorsOf } from '../../core/counters.ts';
import { dayOf, hourOf } from '../../core/window.ts';
import { clearCounters, mergePackedCounters } from '../merge/packed-counters.ts';
import { BulkInsert } from './bulk-insert.ts';
import { EntityIds } from './entity-ids.ts';
import { MinuteDays } from './minute-days.ts';
import { treeOrder } from './row-order.ts';
import { findSegment, isForgotten, writeSegment } from './segments.ts';
import type { Connection } from './connection.ts';
import type { PartialBatch, PartialRow } from '../../core/partial.ts';
import type { EntityId, Minute } from '../../core/types.ts';

const TOMBSTONE = new Uint8Array(0);

/** Writes batches. Everything of one batch is in one transaction; a row is replaced by one of the same or a higher `next` only. */
export class BatchWriter {
  readonly #connection: Connection;
  readonly #entities: EntityIds;
  readonly #days: MinuteDays;
  readonly #held: BulkInsert;
  readonly #counters = emptyCounters();

  constructor(connection: Connection, options: { readonly entitiesMax: number }) {
    this.#connection = connection;
    this.#entities = new EntityIds(connection, options);
    this.#days = new MinuteDays(connection);
    this.#held = new BulkInsert(connection.db, {
      into: 'held(segment, ts, entity, next, cells)',
      columns: 5,
      onConflict: 'on conflict(segment, ts, entity) do update set next = excluded.next, cells = excluded.cells where excluded.next >= next',
    });
  }

  /** Throws a `StorageFault`, and nothing is changed, when the disk is full, read-only or locked. */
  put(batch: PartialBatch): void {
    try {
      this.#connection.transact(() => this.#write(batch));
    } catch (error) {
      this.#entities.forget();
      this.#held.discard();
      this.#days.reload();
      throw error;
    }
  }

  /** To be called when tables of minutes were dropped. */
  reloadDays(): void {
    this.#days.reload();
  }

  #write(batch: PartialBatch): void {
    const stored = findSegment(this.#connection, batch.segment);
    if (stored === undefined && isForgotten(this.#connection, batch.segment)) return;
    const segment = writeSegment(this.#connection, batch, stored);
    const isOpen = stored?.isSealed !== true;
    // The frozen hours of a day hold all that sealed segments had of it. Rows of other segments are new there.
    const isWanted = (window: Minute): boolean => isOpen || !this.#days.isFrozen(dayOf(window));
    const tombstones = batch.gone.filter((gone) => !gone.isHeld).map(({ window, entity }) => ({ window, entity, cells: TOMBSTONE }));
    // Rows after tombstones: where one batch has both, the row is the truth.
    const windows = [...this.#writeRows(segment, batch.next, tombstones, isWanted), ...this.#writeRows(segment, batch.next, batch.rows, isWanted)];
    for (const hour of new Set(windows.map(hourOf))) this.#connection.run('insert or ignore into dirty_hour(ts) values (?)', hour);
    if (batch.isSealed && isOpen) this.#close(segment);
    else if (isOpen) this.#writeOpen(segment, batch, windows);
    this.#writeAliases(batch);
  }

  /** Returns the windows that were written. */
  #writeRows(segment: number, next: number, rows: readonly PartialRow[], isWanted: (window: Minute) => boolean): readonly Minute[] {
    const ids = this.#entities.idsOf(rows);
    const groups = treeOrder(rows, ids).filter((group) => isWanted(group.window));
    let insert: BulkInsert | undefined;
    let day = Number.NaN;
    for (const { window, indices } of groups) {
      if (insert === undefined || dayOf(window) !== day) {
        insert?.flush();
        day = dayOf(window);
        insert = this.#days.insert(day);
      }
      for (const index of indices) {
        insert.push(window);
        insert.push(ids[index] as number);
        insert.push(segment);
        insert.push(next);
        this.#pushWindow(insert, (rows[index] as PartialRow).cells);
      }
    }
    insert?.flush();
    return groups.map((group) => group.window);
  }

  #pushWindow(insert: BulkInsert, cells: Uint8Array): void {
    const counters = this.#counters;
    clearCounters(counters);
    if (cells.length > 0) mergePackedCounters(new ByteReader(cells), counters);
    insert.push(at(counters, C.requests));
    insert.push(errorsOf(counters));
    insert.push(at(counters, C.failedAuth));
    insert.push(at(counters, C.bytesIn));
    insert.push(at(counters, C.bytesOut));
    insert.push(cells);
  }

  /** What only an open segment has: its held rows and the list of its windows. */
  #writeOpen(segment: number, batch: PartialBatch, windows: readonly Minute[]): void {
    for (const window of windows) this.#connection.run('insert or ignore into open_minute(segment, ts) values (?, ?)', segment, window);
    for (const gone of batch.gone) if (gone.isHeld) this.#pushHeld(segment, batch.next, gone.window, gone.entity, TOMBSTONE);
    for (const row of batch.held) {
      this.#pushHeld(segment, batch.next, row.window, row.entity, row.cells);
    }
    this.#held.flush();
  }

  #pushHeld(segment: number, next: number, window: Minute, entity: EntityId, cells: Uint8Array): void {
    this.#held.push(segment);
    this.#held.push(window);
    this.#held.push(entity);
    this.#held.push(next);
    this.#held.push(cells);
  }

  /** A sealed segment is never resumed in its middle. */
  #close(segment: number): void {
    this.#connection.run('delete from held where segment = ?', segment);
    this.#connection.run('delete from open_minute where segment = ?', segment);
  }

  /** A fingerprint that moves to another credential belongs to the one seen last, in whatever order batches arrive. */
  #writeAliases(batch: PartialBatch): void {
    for (const alias of batch.aliases) {
      this.#connection.run(
        `insert into alias(fingerprint, credential, seen) values (?, ?, ?)
         on conflict do update set credential = excluded.credential, seen = excluded.seen where (excluded.seen, excluded.credential) > (seen, credential)`,
        alias.fingerprint,
        alias.credential,
        Number.isFinite(batch.newest) ? batch.newest : 0,
      );
    }
  }
}
