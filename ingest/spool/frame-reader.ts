import { type FileHandle, open } from 'node:fs/promises';
import type { Offset } from '../../core/types.ts';
import { FRAME_HEAD_BYTES, type Frame, NO_FRAME, decodeFrame, findMagic, frameLength } from './frame.ts';
import { type SpoolFile, listSpool } from './spool-files.ts';

/** What comes next in a spool. */
export type FrameStep =
  /** Its lines are valid until the next step. */
  | { readonly kind: 'frame'; readonly frame: Frame }
  /** `[from, to)` is damaged or gone; reading goes on at `to`. */
  | { readonly kind: 'gap'; readonly from: Offset; readonly to: Offset }
  /** Nothing whole at `position`; `tornBytes` of something follow that may still be being written. */
  | { readonly kind: 'end'; readonly position: Offset; readonly tornBytes: number };

const READ_BYTES = 1 << 18;

/**
 * Reads the frames of a spool in order, across its files. A damaged stretch is passed over up to the next frame that
 * is whole; whether what follows the last whole frame is damage or not written yet, the caller knows by `limit`.
 */
export class FrameReader implements AsyncDisposable {
  readonly #directory: string;
  readonly #id: string;
  #position: Offset;
  #hasBegun = false;
  #files: readonly SpoolFile[] = [];
  #file: { readonly start: Offset; readonly handle: FileHandle } | undefined;
  #buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  /** What the buffer holds: `[bufferAt, bufferAt + bufferLength)` of the stream. */
  #bufferAt: Offset = 0;
  #bufferLength = 0;
  /** Nothing beyond is looked at, not even to be ready: it may still change. */
  #limit = Number.POSITIVE_INFINITY;

  /** Begins with the file that holds `from`, wherever in a frame that is: what lies before is for the caller to pass over. */
  constructor(config: { readonly directory: string; readonly id: string; readonly from: Offset }) {
    this.#directory = config.directory;
    this.#id = config.id;
    this.#position = config.from;
  }

  /** The next frame below `limit`, up to which everything is known to be whole; without it the end is where nothing more is whole. */
  async next(limit?: Offset): Promise<FrameStep> {
    this.#limit = limit ?? Number.POSITIVE_INFINITY;
    for (;;) {
      if (limit !== undefined && this.#position >= limit) return { kind: 'end', position: this.#position, tornBytes: 0 };
      const file = await this.#fileOf(this.#position);
      if (file === undefined) return this.#withoutFile(limit);
      const nextStart = this.#files.find(({ start }) => start > file.start)?.start;
      if (nextStart === this.#position) {
        await this.#close();
        continue;
      }
      const frame = await this.#frameAt(file.handle, this.#position, limit);
      if (frame !== undefined) {
        this.#position = frame.end;
        return { kind: 'frame', frame };
      }
      // Without a limit the end of what was read may have been written by now.
      this.#bufferLength = 0;
      // A file that was begun meanwhile says that this one is finished.
      if (nextStart === undefined && (await this.#refresh())) continue;
      return this.#passOver(file.handle, nextStart ?? limit);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  async #refresh(): Promise<boolean> {
    const before = this.#files.length;
    const last = this.#files.at(-1)?.start;
    this.#files = await listSpool(this.#directory);
    return this.#files.length !== before && this.#files.at(-1)?.start !== last;
  }

  async #fileOf(position: Offset): Promise<{ readonly start: Offset; readonly handle: FileHandle } | undefined> {
    if (this.#file !== undefined) return this.#file;
    if (!this.#files.some(({ start }) => start === position)) await this.#refresh();
    const found = this.#files.findLast(({ start }) => start <= position);
    if (found === undefined) return undefined;
    this.#bufferLength = 0;
    try {
      this.#file = { start: found.start, handle: await open(found.path, 'r') };
    } catch (error) {
      // Gone since the directory was read.
      this.#files = [];
      throw error;
    }
    if (!this.#hasBegun) this.#position = found.start;
    this.#hasBegun = true;
    return this.#file;
  }

  /** The files begin later, or there are none. */
  #withoutFile(limit: Offset | undefined): FrameStep {
    const from = this.#position;
    const to = this.#files[0]?.start ?? limit;
    if (to === undefined) return { kind: 'end', position: from, tornBytes: 0 };
    this.#position = to;
    return { kind: 'gap', from, to };
  }

  async #frameAt(handle: FileHandle, at: Offset, limit: Offset | undefined): Promise<Frame | undefined> {
    const head = await this.#bytes(handle, at, FRAME_HEAD_BYTES);
    if (head === undefined) return undefined;
    const length = frameLength(head);
    if (length === NO_FRAME || (limit !== undefined && at + length > limit)) return undefined;
    const bytes = await this.#bytes(handle, at, length);
    return bytes === undefined ? undefined : decodeFrame(this.#id, at, bytes);
  }

  /** From a place without a whole frame to the next one, to `end` if there is none, or not at all. */
  async #passOver(handle: FileHandle, end: Offset | undefined): Promise<FrameStep> {
    const from = this.#position;
    const { size } = await handle.stat();
    const fileStart = this.#file?.start ?? 0;
    const stop = Math.min(fileStart + size, end ?? Number.POSITIVE_INFINITY);
    for (let at = from + 1; at + FRAME_HEAD_BYTES <= stop;) {
      const bytes = await this.#bytes(handle, at, Math.min(READ_BYTES, stop - at));
      if (bytes === undefined) break;
      const found = findMagic(bytes, 0);
      if (found < 0) {
        at += Math.max(1, bytes.length - 3);
        continue;
      }
      if ((await this.#frameAt(handle, at + found, end)) !== undefined) return this.#gap(from, at + found);
      at += found + 1;
    }
    if (end !== undefined) return this.#gap(from, end);
    return { kind: 'end', position: from, tornBytes: Math.max(0, fileStart + size - from) };
  }

  #gap(from: Offset, to: Offset): FrameStep {
    this.#position = to;
    return { kind: 'gap', from, to };
  }

  /** `[at, at + length)` of the stream, or undefined when the file does not have all of it. */
  async #bytes(handle: FileHandle, at: Offset, length: number): Promise<Buffer | undefined> {
    const inBuffer = at - this.#bufferAt;
    if (inBuffer >= 0 && inBuffer + length <= this.#bufferLength) return this.#buffer.subarray(inBuffer, inBuffer + length);
    if (length > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(length);
    // One large frame must not hold its memory for ever.
    else if (this.#buffer.length > READ_BYTES && length <= READ_BYTES) this.#buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    this.#bufferAt = at;
    this.#bufferLength = 0;
    const start = this.#file?.start ?? 0;
    const room = Math.min(this.#buffer.length, this.#limit - at);
    while (this.#bufferLength < length) {
      if (room < length) return undefined;
      const { bytesRead } = await handle.read(this.#buffer, this.#bufferLength, room - this.#bufferLength, at - start + this.#bufferLength);
      if (bytesRead === 0) return undefined;
      this.#bufferLength += bytesRead;
    }
    return this.#buffer.subarray(0, length);
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#bufferLength = 0;
    await file?.handle.close();
  }
}
