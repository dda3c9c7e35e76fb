import type { Minute } from '../../core/types.ts';
import { type Column, findInColumn } from './column.ts';
import { DistinctUnion } from './distinct.ts';
import type { LedgerState } from './state.ts';

/** What a window adds up to. */
export type RangeSums = { requests: number; errors: number; failed: number; bytes: number };

/**
 * Reads any window of one owner by walking what is held of it. Exact whatever is closed, and slower than the
 * running sums: for windows that are open, late, or in breach. Requests and errors are held for 15 closed minutes only.
 */
export class Walk {
  readonly #state: LedgerState;
  readonly #union = new DistinctUnion();

  constructor(state: LedgerState) {
    this.#state = state;
  }

  /** Sums over `[from, to]`. */
  sums(owner: number, from: Minute, to: Minute): RangeSums {
    const sums = { requests: 0, errors: 0, failed: 0, bytes: 0 };
    const state = this.#state;
    const { cells } = state;
    this.#cells(owner, from, to, (cell) => {
      sums.requests += cells.requests[cell] as number;
      sums.errors += cells.errors[cell] as number;
      sums.failed += state.failedOf(cell);
      sums.bytes += cells.bytes[cell] as number;
    });
    this.#columns(owner, from, to, (column, place) => {
      sums.failed += column.failed[place] as number;
      sums.bytes += column.bytes[place] as number;
    });
    return sums;
  }

  /** Distinct credentials attempted over `[from, to]`. */
  distinct(owner: number, from: Minute, to: Minute): { readonly count: number; readonly isExact: boolean } {
    const union = this.#union;
    const { cells, minutes, sets } = this.#state;
    union.reset();
    this.#cells(owner, from, to, (cell) => {
      const block = sets.get(cell) ?? 0;
      const arena = minutes.buckets.get(cells.minute[cell] as number)?.sets;
      if (block !== 0 && arena !== undefined) union.add(arena.read(block));
    });
    this.#columns(owner, from, to, (column, _place, name) => {
      column.sets?.each(column.attempts.get(name) ?? 0, (set) => union.add(set));
    });
    return { count: union.count(), isExact: union.isExact };
  }

  /** The packed rows over `[from, to]` that are still held, newest first. Each is valid during its visit only. */
  rows(owner: number, from: Minute, to: Minute, visit: (packed: Uint8Array, minute: Minute) => void): void {
    const { cells, minutes } = this.#state;
    this.#cells(owner, from, to, (cell) => {
      const minute = cells.minute[cell] as number;
      const block = cells.evidence[cell] as number;
      const arena = minutes.buckets.get(minute)?.rows;
      if (block !== 0 && arena !== undefined) visit(arena.read(block), minute);
    });
    this.#columns(owner, from, to, (column, place) => {
      column.rows?.each(column.evidence[place] as number, (packed) => visit(packed, column.minute));
    });
  }

  #cells(owner: number, from: Minute, to: Minute, visit: (cell: number) => void): void {
    const { cells, table } = this.#state;
    for (const name of table.names(owner)) {
      for (let cell = table.head[name] as number; cell !== 0; cell = cells.nextOfEntity[cell] as number) {
        const minute = cells.minute[cell] as number;
        if (minute < from) break;
        if (minute <= to) visit(cell);
      }
    }
  }

  #columns(owner: number, from: Minute, to: Minute, visit: (column: Column, place: number, name: number) => void): void {
    const { minutes, table } = this.#state;
    if (minutes.columns.size === 0) return;
    for (let minute = to; minute >= from; minute--) {
      const column = minutes.columns.get(minute);
      if (column === undefined) continue;
      for (const name of table.names(owner)) {
        const place = findInColumn(column, name);
        if (place >= 0) visit(column, place, name);
      }
    }
  }
}
