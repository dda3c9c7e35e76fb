import type { FileHandle } from 'node:fs/promises';
import type { Offset } from '../../core/types.ts';
import type { Compression } from './compression.ts';
import { type ContentView, HeadHashes } from './content-view.ts';
import type { Decompressor } from './decompress.ts';
import { edgeHash, type Identity } from './file-identity.ts';
import type { FollowedPartition } from './followed-partition.ts';
import { EDGE_BYTES, LastBytes } from './last-bytes.ts';
import { firstChunks, joinHead, unpack } from './packed-file.ts';
import { SAMPLE_BYTES } from './sample.ts';

type Suspect = { readonly partition: FollowedPartition; readonly identity: Identity; isHeld: boolean };

/**
 * Unpacks a file, step by step beside other work, to see which partition it holds a copy of. Stops at once when its
 * beginning is that of none.
 */
export class PackedCheck implements ContentView {
  readonly compression: Exclude<Compression, 'none'>;
  /** At most 64 KiB. */
  sample: Uint8Array = new Uint8Array(0);
  head: Uint8Array = new Uint8Array(0);
  readonly #handle: FileHandle;
  readonly #stream: Decompressor;
  readonly #partitions: readonly FollowedPartition[];
  #suspects: Suspect[] = [];
  #hasBegun = false;
  #isFinished = false;
  readonly #tail = new LastBytes();

  /** The handle becomes the check's. */
  constructor(handle: FileHandle, compression: Exclude<Compression, 'none'>, partitions: readonly FollowedPartition[]) {
    this.#handle = handle;
    this.compression = compression;
    this.#stream = unpack(handle, compression);
    this.#partitions = partitions;
  }

  get isFinished(): boolean {
    return this.#isFinished;
  }

  get sizeBytes(): number {
    return this.#stream.position;
  }

  /** Words that follow the name when nothing can be unpacked. */
  get problemText(): string | undefined {
    return this.#stream.problemText;
  }

  tail(): Promise<Uint8Array> {
    return Promise.resolve(this.#tail.view());
  }

  bytesBefore(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  holds(partition: FollowedPartition, identity: Identity): Promise<boolean | undefined> {
    const suspect = this.#suspects.find((known) => known.partition === partition);
    // Of a partition that is reading on, what was seen of it a while ago is enough to know a copy.
    const isCurrent = suspect?.identity.next === identity.next || partition.file?.isAtEnd === false;
    return Promise.resolve(isCurrent ? suspect?.isHeld : undefined);
  }

  /** One chunk's work. */
  async step(): Promise<void> {
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      const first = await firstChunks(this.#stream, SAMPLE_BYTES);
      this.sample = joinHead(first, SAMPLE_BYTES);
      this.head = this.sample.subarray(0, EDGE_BYTES);
      this.#suspect();
      let at = 0;
      for (const chunk of first) {
        this.#look(chunk, at);
        at += chunk.length;
      }
      if (this.#suspects.length === 0 || at === 0) await this.close();
      return;
    }
    const at = this.#stream.position;
    const chunk = await this.#stream.read();
    if (chunk.length === 0) await this.close();
    else this.#look(chunk, at);
  }

  async close(): Promise<void> {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#stream.close();
    await this.#handle.close();
  }

  #suspect(): void {
    const heads = new HeadHashes(this.head);
    for (const partition of this.#partitions) {
      const identity = partition.identity();
      if (identity !== undefined && identity.next > 0 && heads.agree(identity)) this.#suspects.push({ partition, identity, isHeld: false });
    }
  }

  #look(chunk: Uint8Array, at: Offset): void {
    for (const suspect of this.#suspects) {
      const { next, tailLength, tailHash } = suspect.identity;
      if (next <= at || next > at + chunk.length) continue;
      const before = this.#tail.view();
      const upTo = Buffer.concat([before, chunk.subarray(Math.max(0, next - at - EDGE_BYTES), next - at)]);
      suspect.isHeld = edgeHash(upTo.subarray(upTo.length - tailLength)) === tailHash;
    }
    this.#tail.push(chunk);
  }
}
