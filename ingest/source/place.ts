import type { Offset } from '../../core/types.ts';
import { EDGE_BYTES, LastBytes } from './last-bytes.ts';

/** The edges of what was read: the first bytes of the stream, and those before a position. */
export type Edges = { readonly head: Uint8Array; readonly tail: Uint8Array };

const NOTHING = new Uint8Array(0);

/**
 * Follows what was delivered of a stream and knows the bytes at its edges, so that a cursor costs two small
 * hashes at any time. It knows them for every position in the newest block and for the end of the one before.
 */
export class Place {
  #next: Offset;
  readonly #head = new Uint8Array(EDGE_BYTES);
  #headLength = 0;
  /** The bytes before `next - block.length`. */
  readonly #before = new LastBytes();
  #block: Uint8Array = NOTHING;

  /** `head` is what is known of the beginning, also beyond `next`; `tail` the bytes before `next`. */
  constructor(start: { readonly next: Offset; readonly head: Uint8Array; readonly tail: Uint8Array }) {
    this.#next = start.next;
    this.#before.push(start.tail);
    this.#learnHead(start.head);
  }

  /** The end of what was delivered. */
  get next(): Offset {
    return this.#next;
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
    this.#before.push(tail);
    this.#next += length;
  }

  /** The memory of the newest block is about to be reused. */
  settle(): void {
    if (this.#block.length > 0) this.#before.push(this.#block);
    this.#block = NOTHING;
  }

  /** Undefined for a position that lies too far back. Valid until the next call of anything. */
  edgesAt(next: Offset): Edges | undefined {
    const inBlock = next - (this.#next - this.#block.length);
    if (inBlock < 0 || next > this.#next) return undefined;
    const head = this.#head.subarray(0, Math.min(this.#headLength, next));
    const before = this.#before.view();
    if (inBlock === 0) return { head, tail: before };
    const part = this.#block.subarray(0, inBlock);
    if (part.length >= EDGE_BYTES) return { head, tail: part.subarray(part.length - EDGE_BYTES) };
    const kept = before.subarray(Math.max(0, before.length - (EDGE_BYTES - part.length)));
    const tail = new Uint8Array(kept.length + part.length);
    tail.set(kept);
    tail.set(part, kept.length);
    return { head, tail };
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
