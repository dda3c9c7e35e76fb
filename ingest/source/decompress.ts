import { crc32 } from 'node:zlib';
import type { Offset } from '../../core/types.ts';
import { type Compression, detectCompression, isZstdFrame } from './compression.ts';
import { PieceQueue } from './piece-queue.ts';
import { ZlibEngine } from './zlib-engine.ts';

const NOTHING = new Uint8Array(0);
const GZIP_HEADER_BYTES = 10;
const GZIP_TRAILER_BYTES = 8;
const ZSTD_MAGIC_BYTES = 4;

/** Why packed bytes did not end well. What was read before stays good. */
export type DecompressProblem = 'truncated' | 'damaged' | 'trailing';

const PROBLEM_TEXT: Readonly<Record<DecompressProblem, string>> = {
  truncated: 'ends in the middle of its compressed data: what could be read is counted',
  damaged: 'holds damaged compressed data: what could be read before it is counted',
  trailing: 'holds other bytes after its compressed data: they are ignored',
};

/**
 * Unpacks gzip (several members, zero padding) and zstd (several frames, skippable ones) chunk by chunk. Memory is
 * bounded whatever the data unpacks to. The same bytes give the same chunks and the same end, so that a position
 * in the unpacked stream means the same at every reading.
 */
export class Decompressor {
  readonly #compression: Exclude<Compression, 'none'>;
  readonly #input: PieceQueue;
  #engine: ZlibEngine | undefined;
  #position: Offset = 0;
  #memberStart: Offset = 0;
  #checksum = 0;
  #hasMember = false;
  #isEnded = false;
  #problem: DecompressProblem | undefined;

  /** `source` gives an empty piece at the end; a piece stays valid until the next is asked for. */
  constructor(compression: Exclude<Compression, 'none'>, source: () => Promise<Uint8Array>) {
    this.#compression = compression;
    this.#input = new PieceQueue(source);
  }

  /** Unpacked bytes so far. */
  get position(): Offset {
    return this.#position;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  get problem(): DecompressProblem | undefined {
    return this.#problem;
  }

  /** Words that follow the name of the file. */
  get problemText(): string | undefined {
    return this.#problem === undefined ? undefined : PROBLEM_TEXT[this.#problem];
  }

  /** The next unpacked bytes, in memory of their own; empty at the end. */
  async read(): Promise<Uint8Array> {
    while (!this.#isEnded) {
      if (this.#engine === undefined && !(await this.#beginMember())) break;
      const chunk = await this.#engine?.pull(this.#input);
      if (chunk === undefined) {
        await this.#endMember();
        continue;
      }
      if (this.#compression === 'gzip') this.#checksum = crc32(chunk, this.#checksum);
      this.#position += chunk.length;
      if (chunk.length > 0) return chunk;
    }
    return NOTHING;
  }

  close(): void {
    this.#isEnded = true;
    this.#engine?.close();
    this.#engine = undefined;
  }

  async #beginMember(): Promise<boolean> {
    const end = this.#compression === 'gzip' ? await this.#readGzipHeader() : await this.#peekZstdMagic();
    if (end !== undefined) {
      if (end !== 'complete') this.#problem ??= end;
      this.#isEnded = true;
      return false;
    }
    this.#engine = new ZlibEngine(this.#compression);
    this.#hasMember = true;
    this.#checksum = 0;
    this.#memberStart = this.#position;
    return true;
  }

  async #endMember(): Promise<void> {
    const end = this.#engine?.finish(this.#input);
    this.#engine = undefined;
    if (end !== 'complete') {
      this.#problem = end === 'truncated' ? 'truncated' : 'damaged';
      this.#isEnded = true;
      return;
    }
    if (this.#compression === 'gzip') await this.#readGzipTrailer();
  }

  /** Undefined when a member follows. */
  async #readGzipHeader(): Promise<DecompressProblem | 'complete' | undefined> {
    // Tapes and some archivers fill the last block with zeros.
    if ((await this.#input.skipWhile((byte) => byte === 0)) === undefined) return 'complete';
    const header = await this.#input.take(GZIP_HEADER_BYTES);
    if (detectCompression(header) !== 'gzip') return this.#hasMember ? 'trailing' : 'damaged';
    if (header.length < GZIP_HEADER_BYTES) return 'truncated';
    const flags = header[3] ?? 0;
    if ((flags & 4) !== 0) {
      const size = await this.#input.take(2);
      await this.#input.take((size[0] ?? 0) | ((size[1] ?? 0) << 8));
    }
    for (const flag of [8, 16]) {
      if ((flags & flag) === 0) continue;
      await this.#input.skipWhile((byte) => byte !== 0);
      await this.#input.take(1);
    }
    if ((flags & 2) !== 0) await this.#input.take(2);
    return undefined;
  }

  async #readGzipTrailer(): Promise<void> {
    const trailer = await this.#input.take(GZIP_TRAILER_BYTES);
    if (trailer.length < GZIP_TRAILER_BYTES) {
      this.#problem = 'truncated';
      this.#isEnded = true;
      return;
    }
    const view = new DataView(trailer.buffer, trailer.byteOffset, trailer.length);
    const isRight = view.getUint32(0, true) === this.#checksum && view.getUint32(4, true) === (this.#position - this.#memberStart) % 2 ** 32;
    if (!isRight) this.#problem = 'damaged';
  }

  /** Undefined when a frame follows. */
  async #peekZstdMagic(): Promise<DecompressProblem | 'complete' | undefined> {
    const magic = await this.#input.take(ZSTD_MAGIC_BYTES);
    if (magic.length === 0) return 'complete';
    if (!isZstdFrame(magic)) return this.#hasMember ? 'trailing' : 'damaged';
    this.#input.unreadTaken(magic);
    return undefined;
  }
}
