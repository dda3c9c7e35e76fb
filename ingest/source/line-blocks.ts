import type { Offset } from '../../core/types.ts';
import { LastBytes } from './last-bytes.ts';
import { SEGMENT_BYTES, cellEnd } from './segment-grid.ts';

/** A line longer than this is passed over. */
export const LINE_BYTES_MAX = 1 << 20;

const LINE_FEED = 10;

/** Whole lines that all start in one cell of the grid; each ends in a line feed, save the last of a finished stream. */
export type LinesEvent = { readonly kind: 'block'; readonly offset: Offset; readonly bytes: Uint8Array };
/** A line that was passed over: `[offset, offset + length)` with its line feed. `tail` is the end of it. */
export type OversizedEvent = { readonly kind: 'oversized'; readonly offset: Offset; readonly length: number; readonly tail: Uint8Array };
export type LineEvent = LinesEvent | OversizedEvent;

export type LineBlocksConfig = { readonly offset: Offset; readonly lineBytesMax?: number | undefined; readonly segmentBytes?: number | undefined };

/**
 * Cuts a stream of chunks into blocks of whole lines. A block is a part of the chunk; only the line that was
 * split between two chunks is copied. What is a line, and which one is too long, depends on the stream only,
 * never on how it was cut into chunks. Memory is bounded by the longest line allowed.
 */
export class LineBlocks {
  readonly #lineBytesMax: number;
  readonly #segmentBytes: number;
  #lineStart: Offset;
  /** The beginning of a line whose line feed has not come; the spare one holds the seam handed out last. */
  #carry = Buffer.alloc(1024);
  #spare = Buffer.alloc(0);
  #carryLength = 0;
  /** Above 0 inside a line that is too long: how much of it was passed over. */
  #passed = 0;
  readonly #passedTail = new LastBytes();

  constructor(config: LineBlocksConfig) {
    this.#lineStart = config.offset;
    this.#lineBytesMax = config.lineBytesMax ?? LINE_BYTES_MAX;
    this.#segmentBytes = config.segmentBytes ?? SEGMENT_BYTES;
  }

  /** The end of the last whole line. */
  get position(): Offset {
    return this.#lineStart;
  }

  /** Bytes after the last whole line. */
  get pendingBytes(): number {
    return this.#carryLength + this.#passed;
  }

  /** The chunk follows the one before it. Events are valid until the chunk's memory is reused or the next call. */
  push(chunk: Uint8Array): LineEvent[] {
    const events: LineEvent[] = [];
    let at = 0;
    if (this.pendingBytes > 0) {
      const feed = chunk.indexOf(LINE_FEED);
      if (feed < 0) {
        this.#hold(chunk);
        return events;
      }
      at = feed + 1;
      events.push(this.#closeSplitLine(chunk.subarray(0, at)));
    }
    const end = chunk.lastIndexOf(LINE_FEED) + 1;
    while (at < end) {
      const stop = this.#endOfFittingLines(chunk, at, end);
      this.#emitCells(chunk, at, stop, events);
      at = stop;
      if (at === end) break;
      const after = chunk.indexOf(LINE_FEED, at) + 1;
      events.push(this.#oversized(after - at, chunk.subarray(at, after)));
      at = after;
    }
    if (at < chunk.length) this.#hold(chunk.subarray(at));
    return events;
  }

  /** The stream is finished: its last line, when no line feed closed it. */
  end(): LineEvent[] {
    return this.pendingBytes > 0 ? [this.#closeSplitLine(new Uint8Array(0))] : [];
  }

  #hold(bytes: Uint8Array): void {
    if (this.#passed === 0 && this.#carryLength + bytes.length <= this.#lineBytesMax) {
      this.#append(bytes);
      return;
    }
    if (this.#passed === 0) {
      this.#passedTail.clear();
      this.#passedTail.push(this.#carry.subarray(0, this.#carryLength));
      this.#passed = this.#carryLength;
      this.#carryLength = 0;
    }
    this.#passedTail.push(bytes);
    this.#passed += bytes.length;
  }

  /** `rest` ends in the line feed, or is empty at the end of the stream. */
  #closeSplitLine(rest: Uint8Array): LineEvent {
    const feedLength = rest.length > 0 ? 1 : 0;
    if (this.#passed > 0 || this.#carryLength + rest.length - feedLength > this.#lineBytesMax) {
      this.#hold(rest);
      // A line of exactly the limit and its line feed would not get here; a longer one was moved to `passed` by now.
      const length = this.#passed;
      this.#passed = 0;
      return this.#oversized(length, this.#passedTail.view().slice());
    }
    this.#append(rest);
    const bytes = this.#carry.subarray(0, this.#carryLength);
    const offset = this.#lineStart;
    this.#lineStart += bytes.length;
    [this.#carry, this.#spare] = [this.#spare, this.#carry];
    this.#carryLength = 0;
    return { kind: 'block', offset, bytes };
  }

  #oversized(length: number, line: Uint8Array): OversizedEvent {
    const offset = this.#lineStart;
    this.#lineStart += length;
    return { kind: 'oversized', offset, length, tail: line };
  }

  #append(bytes: Uint8Array): void {
    const length = this.#carryLength + bytes.length;
    if (length > this.#carry.length) {
      // A Buffer like what is read, so that whoever reads blocks sees one kind of memory.
      const grown = Buffer.alloc(Math.max(length, this.#carry.length * 2, 1024));
      grown.set(this.#carry.subarray(0, this.#carryLength));
      this.#carry = grown;
    }
    this.#carry.set(bytes, this.#carryLength);
    this.#carryLength = length;
  }

  /** Where the first line that is too long starts, or `end`. Jumps by the limit: lines are not looked at one by one. */
  #endOfFittingLines(chunk: Uint8Array, start: number, end: number): number {
    let at = start;
    while (end - at > this.#lineBytesMax + 1) {
      const feed = chunk.lastIndexOf(LINE_FEED, at + this.#lineBytesMax);
      if (feed < at) return at;
      at = feed + 1;
    }
    return end;
  }

  #emitCells(chunk: Uint8Array, start: number, end: number, events: LineEvent[]): void {
    let at = start;
    while (at < end) {
      const room = cellEnd(this.#lineStart, this.#segmentBytes) - this.#lineStart;
      // The first line that starts at or after the boundary follows the first line feed at or after the byte before it.
      const stop = end - at > room ? chunk.indexOf(LINE_FEED, at + room - 1) + 1 : end;
      events.push({ kind: 'block', offset: this.#lineStart, bytes: chunk.subarray(at, stop) });
      this.#lineStart += stop - at;
      at = stop;
    }
  }
}
