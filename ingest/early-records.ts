import type { RecordBlock } from '../core/ports.ts';
import { sampleOf } from './segment/sample-records.ts';

/** Enough to show any format; a log whose first megabyte shows none is of something else. */
export const EARLY_BYTES_MAX = 1024 * 1024;
const LINE_FEED = 10;

/** What a message log begins with, kept until its format is known: the first record may be the one that nobody can read. */
export class EarlyRecords {
  #blocks: RecordBlock[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#blocks.length === 0;
  }

  get isFull(): boolean {
    return this.#bytes >= EARLY_BYTES_MAX;
  }

  /** Copies it: a source uses its arrays again. */
  add(block: RecordBlock): void {
    const { count, starts, ends, offsets, times } = block;
    let size = 0;
    for (let i = 0; i < count; i++) size += (ends[i] as number) - (starts[i] as number) + 1;
    const bytes = new Uint8Array(size);
    const copy = { starts: new Int32Array(count), ends: new Int32Array(count), offsets: offsets.slice(0, count), times: times.slice(0, count) };
    let at = 0;
    for (let i = 0; i < count; i++) {
      const value = block.bytes.subarray(starts[i], ends[i]);
      bytes.set(value, at);
      copy.starts[i] = at;
      copy.ends[i] = at + value.length;
      // The byte behind each value is the reader's.
      at += value.length + 1;
    }
    this.#blocks.push({ ...block, ...copy, bytes });
    this.#bytes += size;
  }

  /** The first events of all of it. */
  sample(): Uint8Array {
    return Buffer.concat(this.#blocks.flatMap((block) => [sampleOf(block), Uint8Array.of(LINE_FEED)]));
  }

  /** In order; they are kept no longer. */
  take(): readonly RecordBlock[] {
    const blocks = this.#blocks;
    this.#blocks = [];
    this.#bytes = 0;
    return blocks;
  }
}
