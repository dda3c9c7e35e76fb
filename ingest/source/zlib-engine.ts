import { type InflateRaw, type ZstdDecompress, createInflateRaw, createZstdDecompress } from 'node:zlib';
import type { PieceQueue } from './piece-queue.ts';

/** Output of one decoding step: what a bomb can make us hold. */
const CHUNK_BYTES = 1 << 18;

export type EngineEnd = 'complete' | 'truncated' | { readonly damage: string };

/**
 * Pulls one gzip member's deflate stream, or one run of zstd frames, through node:zlib: a piece goes in only
 * when everything made of the piece before it was taken. An error therefore never swallows earlier output.
 */
export class ZlibEngine {
  readonly #stream: InflateRaw | ZstdDecompress;
  #given = 0;
  #lastPiece: Uint8Array = new Uint8Array(0);
  #isWriting = false;
  #hasEnded = false;
  #failure: Error | undefined;
  #hasChanged = false;
  #wake: (() => void) | undefined;

  constructor(compression: 'gzip' | 'zstd') {
    this.#stream = compression === 'gzip' ? createInflateRaw({ chunkSize: CHUNK_BYTES }) : createZstdDecompress({ chunkSize: CHUNK_BYTES });
    this.#stream.on('readable', this.#notify);
    this.#stream.on('end', () => {
      this.#hasEnded = true;
      this.#notify();
    });
    this.#stream.on('error', (error) => {
      this.#failure = error;
      this.#notify();
    });
  }

  /** The next chunk, or undefined at the end: then `finish` tells how it ended. */
  async pull(input: PieceQueue): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk: unknown = this.#stream.read();
      if (chunk instanceof Uint8Array) return chunk;
      if (this.#hasEnded || this.#failure !== undefined) return undefined;
      // A piece that was not used up is followed by the end, which is announced a turn later.
      const isHungry = !this.#isWriting && !this.#stream.writableEnded && this.#stream.bytesWritten === this.#given;
      if (isHungry) await this.#feed(input);
      await this.#change();
    }
  }

  /** Gives back the bytes after the stream's end. */
  finish(input: PieceQueue): EngineEnd {
    const unused = this.#given - this.#stream.bytesWritten;
    this.#stream.destroy();
    if (this.#failure === undefined) {
      if (unused > 0) input.unread(this.#lastPiece.subarray(this.#lastPiece.length - unused));
      return 'complete';
    }
    const code = 'code' in this.#failure && typeof this.#failure.code === 'string' ? this.#failure.code : this.#failure.message;
    return code === 'Z_BUF_ERROR' ? 'truncated' : { damage: code };
  }

  close(): void {
    this.#stream.destroy();
  }

  async #feed(input: PieceQueue): Promise<void> {
    const piece = await input.next();
    if (piece.length === 0) {
      this.#stream.end();
      return;
    }
    this.#lastPiece = piece;
    this.#given += piece.length;
    this.#isWriting = true;
    this.#stream.write(piece, () => {
      this.#isWriting = false;
      this.#notify();
    });
  }

  readonly #notify = (): void => {
    this.#hasChanged = true;
    this.#wake?.();
  };

  async #change(): Promise<void> {
    if (!this.#hasChanged) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    this.#hasChanged = false;
  }
}
