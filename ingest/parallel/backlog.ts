import type { PartialBatch } from '../../core/partial.ts';
import type { EpochMs, Offset } from '../../core/types.ts';
import type { Cell, CellPool } from './cell-pool.ts';
import type { CellSpec } from './messages.ts';

type Pending = { readonly done: Promise<PartialBatch | undefined>; readonly cursor: string };

/**
 * A partition whose backlog is counted by several threads: every segment goes to the next thread, and the batches
 * come back in the order of the log, so what is stored is what one thread would have stored. A crash loses only
 * segments that were not stored: they are read again.
 */
export class Backlog {
  readonly #pool: CellPool;
  readonly #spec: Omit<CellSpec, 'start'>;
  readonly #pending: Pending[] = [];
  #cell: Cell | undefined;
  #cellEnd: Offset = 0;

  constructor(pool: CellPool, spec: Omit<CellSpec, 'start'>) {
    this.#pool = pool;
    this.#spec = spec;
  }

  /** Whether the lines from `offset` on begin another segment. */
  endsBefore(offset: Offset): boolean {
    return this.#cell !== undefined && offset >= this.#cellEnd;
  }

  /** Ends the segment at hand; `cursor` belongs to its end. */
  seal(cursor: string): void {
    const cell = this.#cell;
    if (cell === undefined) return;
    this.#cell = undefined;
    const done = cell.end(true);
    // Looked at when its turn comes.
    done.catch(() => undefined);
    this.#pending.push({ done, cursor });
  }

  block(bytes: Uint8Array, offset: Offset, receivedAt?: EpochMs): void {
    this.#open(offset).block(bytes, offset, receivedAt);
  }

  oversized(offset: Offset, length: number): void {
    this.#open(offset).oversized(offset, length);
  }

  /** Segments that wait for their turn or for a thread: the reader waits when there are more than threads. */
  get isFull(): boolean {
    return this.#pending.length >= this.#pool.threads;
  }

  /** The oldest segment; undefined when none is pending. */
  async next(): Promise<{ readonly batch: PartialBatch | undefined; readonly cursor: string } | undefined> {
    const pending = this.#pending.shift();
    return pending === undefined ? undefined : { batch: await pending.done, cursor: pending.cursor };
  }

  /** The open segment as it is: the caller goes on with it alone. */
  async leave(): Promise<PartialBatch | undefined> {
    const cell = this.#cell;
    this.#cell = undefined;
    return cell?.end(false);
  }

  #open(offset: Offset): Cell {
    if (this.#cell !== undefined) return this.#cell;
    const { segmentBytes } = this.#spec;
    this.#cellEnd = offset - (offset % segmentBytes) + segmentBytes;
    return (this.#cell = this.#pool.open({ ...this.#spec, start: offset }));
  }
}
