import type { FileHandle } from 'node:fs/promises';
import type { Offset } from '../../core/types.ts';
import { FIRST_BYTES, edgeHash, type Identity } from './file-identity.ts';
import type { FollowedPartition } from './followed-partition.ts';
import { EDGE_BYTES } from './last-bytes.ts';
import { readAt } from './packed-file.ts';

/** What deciding needs to know of the unpacked content of a file. */
export interface ContentView {
  readonly sizeBytes: number;
  /** At most 4096 bytes. */
  readonly head: Uint8Array;
  /** The last bytes, at most 4096. */
  tail(): Promise<Uint8Array>;
  /** Undefined where looking would mean to unpack again. */
  bytesBefore(end: Offset, length: number): Promise<Uint8Array | undefined>;
  /** Whether the bytes before `identity.next` are those of `partition`; undefined when they were not looked at. */
  holds(partition: FollowedPartition, identity: Identity): Promise<boolean | undefined>;
}

/** A plain file, looked at where needed. */
export class PlainView implements ContentView {
  readonly sizeBytes: number;
  readonly head: Uint8Array;
  readonly #handle: FileHandle;

  constructor(handle: FileHandle, sizeBytes: number, head: Uint8Array) {
    this.#handle = handle;
    this.sizeBytes = sizeBytes;
    this.head = head;
  }

  tail(): Promise<Uint8Array> {
    const length = Math.min(EDGE_BYTES, this.sizeBytes);
    return readAt(this.#handle, this.sizeBytes - length, length);
  }

  bytesBefore(end: Offset, length: number): Promise<Uint8Array> {
    return readAt(this.#handle, end - length, length);
  }

  async holds(_partition: FollowedPartition, identity: Identity): Promise<boolean> {
    return edgeHash(await readAt(this.#handle, identity.next - identity.tailLength, identity.tailLength)) === identity.tailHash;
  }
}

/** Remembers the hash of each beginning that is asked for: thousands of partitions may be compared with one file. */
export class HeadHashes {
  readonly #head: Uint8Array;
  readonly #byLength = new Map<number, string>();

  constructor(head: Uint8Array) {
    this.#head = head;
  }

  /** Whether the content is shorter than what `identity` tells of the beginning, and may be a part of it. Of a few bytes nothing can be said. */
  mayBePart(identity: Identity): boolean {
    if (this.#head.length >= identity.headLength) return false;
    return this.#head.length < FIRST_BYTES || this.#hashOf(Math.min(FIRST_BYTES, identity.headLength)) === identity.firstHash;
  }

  /** Whether the content begins as `identity` says. False also where it is shorter. */
  agree(identity: Identity): boolean {
    if (identity.headLength === 0 || this.#head.length < identity.headLength) return false;
    return this.#hashOf(identity.headLength) === identity.headHash;
  }

  #hashOf(length: number): string {
    let text = this.#byLength.get(length);
    if (text === undefined) {
      text = edgeHash(this.#head.subarray(0, length));
      this.#byLength.set(length, text);
    }
    return text;
  }
}
