import type { EpochMs, Offset } from '../../core/types.ts';
import type { RejectedRecord } from '../ingest-options.ts';
import { type Verdict, reasonOf } from '../parse/normaliser.ts';

/** Of one segment: a producer gone wrong must not fill the memory, and its records are in the topic anyway. */
export const REJECTED_MAX = 1000;
export const REJECTED_BYTES_MAX = 8 * 1024 * 1024;

/** Copies of records that were no events, in log order, until they are taken. */
export class RejectedRecords {
  #records: RejectedRecord[] = [];
  /** Of the open segment. */
  #count = 0;
  #bytes = 0;

  add(code: Verdict, place: { readonly offset: Offset; readonly index: number; readonly at: EpochMs }, bytes: Uint8Array, start: number, end: number): void {
    if (this.#count >= REJECTED_MAX || this.#bytes + end - start > REJECTED_BYTES_MAX) return;
    this.#count++;
    this.#bytes += end - start;
    this.#records.push({ ...place, reason: reasonOf(code), value: bytes.slice(start, end) });
  }

  take(next: Offset): readonly RejectedRecord[] {
    const split = this.#records.findIndex((record) => record.offset >= next);
    const taken = split < 0 ? this.#records : this.#records.slice(0, split);
    this.#records = split < 0 ? [] : this.#records.slice(split);
    return taken;
  }

  nextSegment(): void {
    this.#count = 0;
    this.#bytes = 0;
  }
}
