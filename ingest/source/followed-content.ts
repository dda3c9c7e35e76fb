import type { FileHandle } from 'node:fs/promises';
import type { Offset } from '../../core/types.ts';
import type { Compression } from './compression.ts';
import type { Decompressor } from './decompress.ts';
import { edgeHash, type Identity } from './file-identity.ts';
import { EDGE_BYTES, LastBytes } from './last-bytes.ts';
import { readAt, unpack } from './packed-file.ts';
import { READ_BYTES } from './read-range.ts';

/** Room for a block and for the bytes before it, which are read again to see that they are still the same. */
export const FOLLOW_BUFFER_BYTES = READ_BYTES + EDGE_BYTES;

export type ReadStep =
  | { readonly kind: 'chunk'; readonly bytes: Uint8Array }
  /** Bytes that were counted before were unpacked again. */
  | { readonly kind: 'skipped' }
  /** Nothing more right now. */
  | { readonly kind: 'end' }
  /** What was read is not there any more: the file was truncated or rewritten. */
  | { readonly kind: 'changed' };

const NOTHING = new Uint8Array(0);
const END: ReadStep = { kind: 'end' };
const SKIPPED: ReadStep = { kind: 'skipped' };
const CHANGED: ReadStep = { kind: 'changed' };

/** An open plain file that may grow, be renamed, be deleted, or be truncated at any time. */
export class PlainContent {
  readonly compression: Compression = 'none';
  readonly handle: FileHandle;
  #position: Offset;
  readonly #tail = new LastBytes();
  /** The beginning as it was when the file was recognised. */
  #head: Uint8Array;

  /** `tail`: the bytes before `position`, at most 4096. */
  constructor(handle: FileHandle, start: { readonly position: Offset; readonly tail: Uint8Array; readonly head: Uint8Array }) {
    this.handle = handle;
    this.#position = start.position;
    this.#tail.push(start.tail);
    this.#head = start.head;
  }

  get position(): Offset {
    return this.#position;
  }

  /** Each read starts in what was read before: a truncation shows however fast the file grew again. */
  async read(buffer: Uint8Array): Promise<ReadStep> {
    const before = this.#tail.view();
    const { bytesRead } = await this.handle.read(buffer, 0, buffer.length, this.#position - before.length);
    if (Buffer.compare(buffer.subarray(0, Math.min(bytesRead, before.length)), before) !== 0) return CHANGED;
    const bytes = buffer.subarray(before.length, bytesRead);
    if (!this.#isExpected(bytes)) return CHANGED;
    if (bytes.length === 0) return END;
    this.#tail.push(bytes);
    this.#position += bytes.length;
    return { kind: 'chunk', bytes };
  }

  /** At the beginning there is nothing before to compare with, but it was seen once. */
  #isExpected(bytes: Uint8Array): boolean {
    const expected = this.#head.subarray(this.#position);
    if (expected.length === 0) return true;
    if (this.#position + bytes.length >= this.#head.length) this.#head = NOTHING;
    return Buffer.compare(bytes.subarray(0, expected.length), expected.subarray(0, Math.max(bytes.length, 1))) === 0;
  }

  /** True when `tail` lies before `end` in this file too. */
  async endsWith(end: Offset, tail: Uint8Array): Promise<boolean> {
    return Buffer.compare(await readAt(this.handle, end - tail.length, tail.length), tail) === 0;
  }

  async sizeBytes(): Promise<number> {
    return (await this.handle.stat()).size;
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

/** An open packed file, read from its beginning; what was counted before is unpacked and passed over. */
export class PackedContent {
  readonly compression: Exclude<Compression, 'none'>;
  readonly handle: FileHandle;
  readonly #stream: Decompressor;
  readonly #seen: Identity | undefined;
  readonly #tail = new LastBytes();

  constructor(handle: FileHandle, compression: Exclude<Compression, 'none'>, seen: Identity | undefined) {
    this.handle = handle;
    this.compression = compression;
    this.#stream = unpack(handle, compression);
    this.#seen = seen;
  }

  get position(): Offset {
    return this.#stream.position;
  }

  /** Words that follow the name, once it ended badly. */
  get problemText(): string | undefined {
    return this.#stream.problemText;
  }

  /** The bytes before the place where reading goes on, once it is reached. */
  get seenTail(): Uint8Array | undefined {
    return this.#stream.position >= (this.#seen?.next ?? 0) ? this.#tail.view() : undefined;
  }

  async read(): Promise<ReadStep> {
    const start = this.#stream.position;
    const chunk = await this.#stream.read();
    const from = this.#seen?.next ?? 0;
    if (chunk.length === 0) return start < from ? CHANGED : END;
    if (start >= from) return { kind: 'chunk', bytes: chunk };
    this.#tail.push(chunk.subarray(0, from - start));
    if (this.#stream.position < from) return SKIPPED;
    const tail = this.#tail.view();
    if (this.#seen !== undefined && edgeHash(tail.subarray(tail.length - this.#seen.tailLength)) !== this.#seen.tailHash) return CHANGED;
    const rest = chunk.subarray(from - start);
    return rest.length > 0 ? { kind: 'chunk', bytes: rest } : SKIPPED;
  }

  close(): Promise<void> {
    this.#stream.close();
    return this.handle.close();
  }
}

export type FollowedContent = PlainContent | PackedContent;
