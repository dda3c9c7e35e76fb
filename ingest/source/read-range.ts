import { closeSync, openSync, readSync } from 'node:fs';
import type { Offset } from '../../core/types.ts';
import { type SourceProblem, fsReason, problem } from './fs-problem.ts';
import { LineBlocks, type LineEvent } from './line-blocks.ts';

/** Larger reads are slower: they fall out of the processor's cache before they are parsed (notes/measured.md). */
export const READ_BYTES = 1 << 18;

const LINE_FEED = 10;

export type RangeEvent = LineEvent | SourceProblem;
export type RangeOptions = { readonly lineBytesMax?: number | undefined; readonly segmentBytes?: number | undefined };
/** `next` is the end of the last line delivered; `isShort`: the file ended before `to`. */
export type RangeEnd = { readonly next: Offset; readonly isShort: boolean };

/**
 * Delivers exactly the lines of a plain file that start in `[from, to)`, the last one whole even where it goes on
 * after `to`; one without a line feed at the end of the file too. Ranges that tile a file deliver each line once,
 * so threads can share a file without talking to each other. Synchronous: made for worker threads.
 * A block is valid until the next event is asked for.
 */
export function* readRange(path: string, from: Offset, to: Offset, options: RangeOptions = {}): Generator<RangeEvent, RangeEnd> {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    yield problem(path, fsReason(error));
    return { next: from, isShort: true };
  }
  try {
    return yield* readRangeOf({ descriptor, path }, from, to, options);
  } finally {
    closeSync(descriptor);
  }
}

export type OpenPlainFile = { readonly descriptor: number; readonly path: string };

/** As `readRange`, on a file that is open. */
export function* readRangeOf(file: OpenPlainFile, from: Offset, to: Offset, options: RangeOptions = {}): Generator<RangeEvent, RangeEnd> {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  let lines: LineBlocks | undefined;
  try {
    const start = findLineStart(file.descriptor, buffer, from, to);
    lines = new LineBlocks({ offset: start, ...options });
    let position = start;
    while (lines.position < to) {
      const length = readSync(file.descriptor, buffer, 0, buffer.length, position);
      if (length === 0) {
        yield* lines.end();
        return { next: lines.position, isShort: position < to };
      }
      yield* lines.push(buffer.subarray(0, usefulLength(buffer, length, to - position)));
      position += length;
    }
    return { next: lines.position, isShort: false };
  } catch (error) {
    yield problem(file.path, fsReason(error));
    return { next: lines?.position ?? from, isShort: true };
  }
}

/** The first line start at or after `from`; `to` when no line starts before it. */
function findLineStart(descriptor: number, buffer: Buffer, from: Offset, to: Offset): Offset {
  if (from === 0) return 0;
  // A line starts at `from` when the byte before it is a line feed.
  let position = from - 1;
  while (position < to - 1) {
    const length = readSync(descriptor, buffer, 0, Math.min(buffer.length, to - 1 - position), position);
    if (length === 0) break;
    const feed = buffer.subarray(0, length).indexOf(LINE_FEED);
    if (feed >= 0) return position + feed + 1;
    position += length;
  }
  return to;
}

/** Cuts what was read after the line that starts last before the end of the range, `room` bytes away. */
function usefulLength(buffer: Buffer, length: number, room: number): number {
  if (length <= room) return length;
  const feed = buffer.subarray(0, length).indexOf(LINE_FEED, Math.max(0, room - 1));
  return feed < 0 ? length : feed + 1;
}
