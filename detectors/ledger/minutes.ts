import type { Minute } from '../../core/types.ts';
import { Arena } from './arena.ts';
import type { Column } from './column.ts';

/** A minute whose cells may still change. */
export type Bucket = {
  readonly minute: Minute;
  /** First of its cells. */
  first: number;
  isClosed: boolean;
  /** Packed rows of its cells. */
  rows: Arena | undefined;
  /** Its rows were given up to stay within the memory for evidence. */
  isMute: boolean;
  /** Attempted credentials of its networks: never given up, a rule counts them. */
  sets: Arena | undefined;
};

/** The minutes that are held: buckets while they may change, then columns. */
export class Minutes {
  readonly buckets = new Map<Minute, Bucket>();
  readonly columns = new Map<Minute, Column>();
  readonly #evidenceBytesMax: number;
  #evidenceBytes = 0;
  #closed = 0;

  constructor(evidenceBytesMax: number) {
    this.#evidenceBytesMax = evidenceBytesMax;
  }

  get evidenceBytes(): number {
    return this.#evidenceBytes;
  }

  /** No closed minute is held: time may jump. */
  get isSettled(): boolean {
    return this.#closed === 0 && this.columns.size === 0;
  }

  /** Minutes that are not closed, oldest first. */
  open(): Minute[] {
    const minutes: Minute[] = [];
    for (const bucket of this.buckets.values()) if (!bucket.isClosed) minutes.push(bucket.minute);
    return minutes.sort((a, b) => a - b);
  }

  bucket(minute: Minute, isClosed: boolean): Bucket {
    const known = this.buckets.get(minute);
    if (known !== undefined) return known;
    const bucket: Bucket = { minute, first: 0, isClosed, rows: undefined, isMute: false, sets: undefined };
    this.buckets.set(minute, bucket);
    if (isClosed) this.#closed++;
    return bucket;
  }

  close(bucket: Bucket): void {
    bucket.isClosed = true;
    this.#closed++;
  }

  freeze(bucket: Bucket, column: Column): void {
    this.buckets.delete(bucket.minute);
    if (bucket.isClosed) this.#closed--;
    if (column.entities.length > 0) this.columns.set(column.minute, column);
    else this.#evidenceBytes -= column.rows?.size ?? 0;
  }

  forget(column: Column): void {
    this.columns.delete(column.minute);
    this.#evidenceBytes -= column.rows?.size ?? 0;
  }

  /** Keeps a packed row in place of the block `before`; 0 when there is no memory for it. */
  keep(bucket: Bucket, before: number, packed: Uint8Array): number {
    if (bucket.isMute || !this.#makeRoom(bucket)) return 0;
    bucket.rows ??= this.#newArena();
    const size = bucket.rows.size;
    const block = bucket.rows.put(before, packed);
    this.#evidenceBytes += bucket.rows.size - size;
    return block;
  }

  #newArena(): Arena {
    const arena = new Arena();
    this.#evidenceBytes += arena.size;
    return arena;
  }

  /** Gives up the oldest minutes first, never the one that is written to. */
  #makeRoom(writing: Bucket): boolean {
    while (this.#evidenceBytes > this.#evidenceBytesMax) {
      let oldest: Bucket | Column | undefined;
      for (const minute of this.columns.values()) if (minute.rows !== undefined && minute.minute < (oldest?.minute ?? Infinity)) oldest = minute;
      if (oldest === undefined)
        for (const minute of this.buckets.values()) if (minute.rows !== undefined && minute.minute < (oldest?.minute ?? Infinity)) oldest = minute;
      if (oldest === undefined || oldest === writing) return false;
      this.#evidenceBytes -= oldest.rows?.size ?? 0;
      oldest.rows = undefined;
      if ('isMute' in oldest) oldest.isMute = true;
    }
    return true;
  }
}
