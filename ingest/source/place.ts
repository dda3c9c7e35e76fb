import type { Offset } from '../../core/types.ts';
import { EDGE_BYTES, LastBytes } from './last-bytes.ts';

/** The edges of what was read: the first bytes of the stream, and those before a position. */
export type Edges = { readonly head: Uint8Array; readonly tail: Uint8Array };

const NOTHING = new Uint8Array(0);
/** Ends of earlier blocks that are still known, beside every position in the newest one. */
const BOUNDARIES = 4;

/**
 * Follows what was delivered of a stream and knows the bytes at its edges, so that a cursor costs two small
 * hashes at any time.
 */
export class Place {
  #next: Offset;
  readonly #head = new Uint8Array(EDGE_BYTES);
  #headLength = 0;
  #block: Uint8Array = NOTHING;
  /** The bytes before some ends, the newest first: the first is where the newest block starts. */
  readonly #boundaries: { at: Offset; tail: LastBytes }[];

  /** `head` is what is known of the beginning, also beyond `next`; `tail` the bytes before `next`. */
  constructor(start: { readonly next: Offset; readonly head: Uint8Array; readonly tail: Uint8Array }) {
    this.#next = start.next;
    this.#boundaries = [{ at: start.next, tail: new LastBytes() }];
    this.#boundaries[0]?.tail.push(start.tail);
    this.#learnHead(start.head);
  }

  /** The end of what was delivered. */
  get next(): Offset {
    return this.#next;
  }

  /** What is known of the beginning, at most 4096 bytes. */
  get head(): Uint8Array {
    return this.#head.subarray(0, this.#headLength);
  }

  /** A block is about to be delivered. Its bytes are read until the next call. */
  advance(bytes: Uint8Array): void {
    this.settle();
    this.#learnHeadFrom(bytes);
    this.#block = bytes;
    this.#next += bytes.length;
  }

  /** `length` bytes were passed over; `tail` is the end of them. */
  pass(length: number, tail: Uint8Array): void {
    this.settle();
    // Of a line longer than its tail the beginning is gone: the head then stays as long as it is.
    if (tail.length === length) this.#learnHeadFrom(tail);
    this.#next += length;
    this.#addBoundary(tail);
  }

  /** The memory of the newest block is about to be reused. */
  settle(): void {
    if (this.#block.length > 0) this.#addBoundary(this.#block);
    this.#block = NOTHING;
  }

  /**
   * For any position in the newest block, its start, and the ends of a few blocks before it. Further back is a bug
   * of the caller: a cursor without edges would not be found again, and its file counted twice.
   * Valid until the next call of anything.
   */
  edgesAt(next: Offset): Edges {
    const head = this.#head.subarray(0, Math.min(this.#headLength, next));
    const boundary = this.#boundaries.find((known) => known.at === next);
    if (boundary !== undefined) return { head, tail: boundary.tail.view() };
    const start = this.#next - this.#block.length;
    if (next < start || next > this.#next) throw new RangeError(`BUG: no place is known at ${next}, only from ${start} to ${this.#next}`);
    return { head, tail: this.#tailInBlock(next - start) };
  }

  #tailInBlock(length: number): Uint8Array {
    const part = this.#block.subarray(0, length);
    if (part.length >= EDGE_BYTES) return part.subarray(part.length - EDGE_BYTES);
    const before = this.#boundaries[0]?.tail.view() ?? NOTHING;
    return Buffer.concat([before.subarray(Math.max(0, before.length - (EDGE_BYTES - part.length))), part]);
  }

  /** `next` becomes a known end; `bytes` are the newest before it. */
  #addBoundary(bytes: Uint8Array): void {
    const before = this.#boundaries[0]?.tail.view() ?? NOTHING;
    const spare = this.#boundaries.length < BOUNDARIES ? undefined : this.#boundaries.pop();
    const tail = spare?.tail ?? new LastBytes();
    tail.clear();
    if (bytes.length < EDGE_BYTES) tail.push(before);
    tail.push(bytes);
    this.#boundaries.unshift({ at: this.#next, tail });
  }

  #learnHeadFrom(bytes: Uint8Array): void {
    const known = this.#headLength - this.#next;
    if (known >= 0 && known < bytes.length) this.#learnHead(bytes.subarray(known));
  }

  #learnHead(bytes: Uint8Array): void {
    const part = bytes.subarray(0, EDGE_BYTES - this.#headLength);
    this.#head.set(part, this.#headLength);
    this.#headLength += part.length;
  }
}
