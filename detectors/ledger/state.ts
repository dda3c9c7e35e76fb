import type { Minute } from '../../core/types.ts';
import { MINUTES_PER_HOUR } from '../../core/window.ts';
import { Cells } from './cells.ts';
import { distinctOfSet } from './distinct.ts';
import { EntityTable } from './entity-table.ts';
import { Feeds } from './feeds.ts';
import { Minutes } from './minutes.ts';
import { Segments } from './segments.ts';

/** Minutes that a late partial may still change after they were closed. */
export const LATE_MINUTES = 15;
/** The window of a ratio. */
export const RATIO_MINUTES = 5;
/** Closed minutes that keep their cells: the ratio that ends at the oldest late minute needs those before it. */
export const CELL_MINUTES = LATE_MINUTES + RATIO_MINUTES - 1;
/** Closed minutes that are held at all: the hour that ends at the oldest late minute. */
export const HELD_MINUTES = MINUTES_PER_HOUR + LATE_MINUTES - 1;

/** The parts of the ledger, shared by what writes and what reads them. */
export class LedgerState {
  readonly table = new EntityTable();
  readonly cells = new Cells();
  readonly segments = new Segments();
  readonly feeds = new Feeds();
  readonly minutes: Minutes;
  /** Block of attempted credentials by cell, in the `sets` of its minute: networks only. */
  readonly sets = new Map<number, number>();
  /** Minutes before this one are closed; undefined until one was. */
  closedThrough: Minute | undefined;

  constructor(evidenceBytesMax: number) {
    this.minutes = new Minutes(evidenceBytesMax);
  }

  isClosed(minute: Minute): boolean {
    return this.closedThrough !== undefined && minute < this.closedThrough;
  }

  failedOf(cell: number): number {
    return this.feeds.failed(cell, this.cells.failed[cell] as number);
  }

  /** Distinct credentials in the set of a cell. */
  distinctOf(cell: number): number {
    const block = this.sets.size === 0 ? 0 : (this.sets.get(cell) ?? 0);
    if (block === 0) return 0;
    const sets = this.minutes.buckets.get(this.cells.minute[cell] as number)?.sets;
    return sets === undefined ? 0 : distinctOfSet(sets.read(block));
  }

  ownerOf(cell: number): number {
    return this.table.owner[this.cells.entity[cell] as number] as number;
  }
}
