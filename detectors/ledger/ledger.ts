import { C, type Counters, at, errorsOf } from '../../core/counters.ts';
import type { Tally } from '../../core/sketch/tally.ts';
import type { EntityId, Minute } from '../../core/types.ts';
import { MINUTES_PER_HOUR } from '../../core/window.ts';
import { Arena } from './arena.ts';
import type { Column } from './column.ts';
import { distinctOfSet, encodeSet } from './distinct.ts';
import { forgetColumn, freeze } from './freeze.ts';
import type { Bucket } from './minutes.ts';
import { CELL_MINUTES, HELD_MINUTES, LedgerState, RATIO_MINUTES } from './state.ts';
import { Walk } from './walk.ts';

/** Absolute values of one (segment, minute, entity). */
export type LedgerRow = {
  readonly segment: number;
  /** `next` of its batch. */
  readonly version: number;
  readonly minute: Minute;
  readonly entity: EntityId;
  /** Undefined means that there is nothing any more. */
  readonly counters: Counters | undefined;
  /** The packed row, for explanations. */
  readonly packed?: Uint8Array | undefined;
  /** On a network: what failed to authenticate from there. */
  readonly attempted?: Tally | undefined;
  /** Of those, the known keys that may have no row of their own. */
  readonly feeds?: readonly Feed[] | undefined;
};
export type Feed = { readonly name: EntityId; readonly count: number };

export type LedgerDeps = {
  /** The entity that is judged for this one. */
  readonly canonical: (id: EntityId) => EntityId;
  /** Number of the set of limits that holds for an owner. */
  readonly limitsOf: (id: EntityId) => number;
  readonly evidenceBytesMax: number;
};

/**
 * Everything the judge remembers: cells of the minutes that may still change, columns of those that may not, and
 * per entity the running sums of the last closed minute, five minutes and hour. It knows no rule.
 */
export class Ledger {
  readonly state: LedgerState;
  readonly walk: Walk;
  readonly #deps: LedgerDeps;
  /** Cells that changed since `takeTouched`. */
  #touched: number[] = [];

  constructor(deps: LedgerDeps) {
    this.#deps = deps;
    this.state = new LedgerState(deps.evidenceBytesMax);
    this.walk = new Walk(this.state);
  }

  /** Cells that changed since the last call, some of them twice. */
  takeTouched(): readonly number[] {
    const touched = this.#touched;
    this.#touched = [];
    return touched;
  }

  /** Replaces what the segment said of this entity and minute, unless that was newer. The minute must not be frozen. */
  put(row: LedgerRow): void {
    const { cells } = this.state;
    const cell = this.#cellOf(row.entity, row.minute, row.segment);
    if (row.version < (cells.version[cell] as number)) return;
    cells.version[cell] = row.version;
    this.#change(cell, () => {
      this.#write(cell, row.counters);
      const bucket = this.state.minutes.bucket(row.minute, false);
      cells.evidence[cell] = row.packed === undefined ? 0 : this.state.minutes.keep(bucket, cells.evidence[cell] as number, row.packed);
      this.#keepSet(bucket, cell, row.attempted);
    });
    const { feeds } = this.state;
    const before = feeds.of(cell);
    if (before.length === 0 && (row.feeds === undefined || row.feeds.length === 0)) return;
    for (const target of before) this.#change(target.cell, () => feeds.add(target.cell, -target.count));
    const targets = (row.feeds ?? []).map((feed) => ({ cell: this.#cellOf(feed.name, row.minute, row.segment), count: feed.count }));
    for (const target of targets) this.#change(target.cell, () => feeds.add(target.cell, target.count));
    feeds.set(cell, targets);
  }

  /** The directory learnt another name of an entity: its sums move to what is judged now. */
  relink(id: EntityId): void {
    const entity = this.state.table.find(id);
    if (entity !== undefined) this.#link(entity, this.#deps.canonical(id));
  }

  /** The directory was read anew: every owner, limit and sum afresh. */
  refresh(): void {
    const { table, minutes, cells } = this.state;
    table.scatter();
    for (const [id, entity] of table.ids()) {
      table.limits[entity] = this.#deps.limitsOf(id);
      this.#link(entity, this.#deps.canonical(id));
    }
    for (const bucket of minutes.buckets.values()) {
      for (let cell = bucket.first; cell !== 0; cell = cells.nextOfMinute[cell] as number) this.#shift(cell, 1);
    }
    for (const column of minutes.columns.values()) {
      if (column.minute >= (this.state.closedThrough ?? 0) - MINUTES_PER_HOUR) this.#addColumn(column, 1);
    }
  }

  /** Closes a minute: it joins the running sums, and what is too old leaves them. Returns the owners with requests in it. */
  close(minute: Minute): readonly number[] {
    const { table, cells, minutes } = this.state;
    const owners: number[] = [];
    const bucket = minutes.buckets.get(minute);
    for (let cell = bucket?.first ?? 0; cell !== 0; cell = cells.nextOfMinute[cell] as number) this.#shift(cell, -1);
    const leaving = minutes.buckets.get(minute - RATIO_MINUTES);
    for (let cell = leaving?.first ?? 0; cell !== 0; cell = cells.nextOfMinute[cell] as number) this.#shiftRatio(cell, -1);
    const expired = minutes.columns.get(minute - MINUTES_PER_HOUR);
    if (expired !== undefined) this.#addColumn(expired, -1);
    this.state.closedThrough = minute + 1;
    if (bucket === undefined) return owners;
    minutes.close(bucket);
    for (let cell = bucket.first; cell !== 0; cell = cells.nextOfMinute[cell] as number) {
      this.#shift(cell, 1);
      const requests = cells.requests[cell] as number;
      if (requests === 0) continue;
      const owner = this.state.ownerOf(cell);
      if (table.requests[owner] === 0) owners.push(owner);
      table.requests[owner] = (table.requests[owner] as number) + requests;
    }
    return owners;
  }

  /** After a closed minute was judged: clears its requests, freezes what may no longer change, forgets the oldest. */
  settle(minute: Minute, owners: readonly number[]): void {
    const { table, minutes } = this.state;
    for (const owner of owners) table.requests[owner] = 0;
    const bucket = minutes.buckets.get(minute - CELL_MINUTES);
    if (bucket !== undefined) freeze(this.state, bucket);
    const oldest = minutes.columns.get(minute - HELD_MINUTES);
    if (oldest !== undefined) forgetColumn(this.state, oldest);
  }

  /** The cell of a segment, minute and entity; made where there is none. */
  #cellOf(id: EntityId, minute: Minute, segment: number): number {
    const { table, cells, minutes } = this.state;
    const entity = this.#entity(id);
    for (let cell = table.head[entity] as number; cell !== 0; cell = cells.nextOfEntity[cell] as number) {
      const cellMinute = cells.minute[cell] as number;
      if (cellMinute < minute) break;
      if (cellMinute !== minute || cells.segment[cell] !== segment) continue;
      table.release(entity);
      return cell;
    }
    const cell = cells.take(entity, minute, segment);
    const bucket = minutes.bucket(minute, this.state.isClosed(minute));
    cells.nextOfMinute[cell] = bucket.first;
    bucket.first = cell;
    table.head[entity] = cells.insert(table.head[entity] as number, cell);
    this.state.segments.hold(segment);
    return cell;
  }

  /** The number of an entity, held once for the caller. */
  #entity(id: EntityId): number {
    const { table } = this.state;
    const known = table.find(id);
    if (known !== undefined) {
      table.hold(known);
      return known;
    }
    const entity = table.add(id);
    table.hold(entity);
    const canonical = this.#deps.canonical(id);
    if (canonical === id) table.limits[entity] = this.#deps.limitsOf(id);
    else this.#link(entity, canonical);
    return entity;
  }

  /** Gives an entity the owner `canonical`. */
  #link(entity: number, canonical: EntityId): void {
    const { table } = this.state;
    if (table.id(table.owner[entity] as number) === canonical) return;
    const owner = table.find(canonical) ?? table.add(canonical);
    table.limits[owner] = this.#deps.limitsOf(canonical);
    const present = table.owner[owner] as number;
    if (present !== owner) table.unite(present, owner);
    if (table.owner[entity] !== owner) table.unite(table.owner[entity] as number, owner);
  }

  #write(cell: number, counters: Counters | undefined): void {
    if (counters === undefined) {
      this.state.cells.set(cell, 0, 0, 0, 0);
      return;
    }
    const bytes = at(counters, C.bytesIn) + at(counters, C.bytesOut);
    this.state.cells.set(cell, at(counters, C.requests), Math.max(0, errorsOf(counters)), at(counters, C.failedAuth), bytes);
  }

  #keepSet(bucket: Bucket, cell: number, attempted: Tally | undefined): void {
    const { sets } = this.state;
    if (attempted === undefined || attempted.items.length === 0) {
      if (sets.size > 0) sets.delete(cell);
      return;
    }
    bucket.sets ??= new Arena();
    sets.set(cell, bucket.sets.put(sets.get(cell) ?? 0, encodeSet(attempted)));
  }

  /** Takes a cell out of all sums, changes it and puts it back. */
  #change(cell: number, change: () => void): void {
    this.#shift(cell, -1);
    change();
    this.#shift(cell, 1);
    this.#touched.push(cell);
  }

  /** Adds a cell to the sums it belongs to by its minute, or takes it out. */
  #shift(cell: number, sign: 1 | -1): void {
    const { state } = this;
    const { table, cells } = state;
    const owner = state.ownerOf(cell);
    const minute = cells.minute[cell] as number;
    const bytes = sign * (cells.bytes[cell] as number);
    const failed = sign * state.failedOf(cell);
    const distinct = sign * state.distinctOf(cell);
    if (!state.isClosed(minute)) {
      table.openRequests[owner] = (table.openRequests[owner] as number) + sign * (cells.requests[cell] as number);
      table.openBytes[owner] = (table.openBytes[owner] as number) + bytes;
      table.openFailed[owner] = (table.openFailed[owner] as number) + failed;
      table.openDistinct[owner] = (table.openDistinct[owner] as number) + distinct;
      return;
    }
    table.bytes60[owner] = (table.bytes60[owner] as number) + bytes;
    table.failed60[owner] = (table.failed60[owner] as number) + failed;
    table.distinct60[owner] = (table.distinct60[owner] as number) + distinct;
    if (minute >= (state.closedThrough ?? 0) - RATIO_MINUTES) this.#shiftRatio(cell, sign);
  }

  #shiftRatio(cell: number, sign: 1 | -1): void {
    const { table, cells } = this.state;
    const owner = this.state.ownerOf(cell);
    table.requests5[owner] = (table.requests5[owner] as number) + sign * (cells.requests[cell] as number);
    table.errors5[owner] = (table.errors5[owner] as number) + sign * (cells.errors[cell] as number);
  }

  /** Adds a column to the sums of the hour, or takes it out. */
  #addColumn(column: Column, sign: 1 | -1): void {
    const { table } = this.state;
    const { entities, failed, bytes, attempts, sets } = column;
    for (let place = 0; place < entities.length; place++) {
      const owner = table.owner[entities[place] as number] as number;
      table.failed60[owner] = (table.failed60[owner] as number) + sign * (failed[place] as number);
      table.bytes60[owner] = (table.bytes60[owner] as number) + sign * (bytes[place] as number);
    }
    for (const [entity, first] of attempts) {
      const owner = table.owner[entity] as number;
      sets?.each(first, (set) => {
        table.distinct60[owner] = (table.distinct60[owner] as number) + sign * distinctOfSet(set);
      });
    }
  }
}
