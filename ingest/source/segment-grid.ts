import type { Offset } from '../../core/types.ts';

/**
 * Files are cut into segments of this many bytes of the decompressed stream: a line belongs to the cell in which
 * it starts. The rule reads nothing but the file, so threads, restarts and re-reads find the same boundaries.
 * Part of the interpretation: stored segments depend on it, so it must not change.
 */
export const SEGMENT_BYTES = 2 ** 25;

/** Lines that start in `[from, to)`. */
export type ByteRange = { readonly from: Offset; readonly to: Offset };

/** The cell of a line that starts at `lineStart`. */
export function cellOf(lineStart: Offset, segmentBytes = SEGMENT_BYTES): number {
  return Math.floor(lineStart / segmentBytes);
}

/** Where the cell of a line that starts at `lineStart` ends. */
export function cellEnd(lineStart: Offset, segmentBytes = SEGMENT_BYTES): Offset {
  return (cellOf(lineStart, segmentBytes) + 1) * segmentBytes;
}

/** The cells of a file, in order: what threads take one by one from a queue. */
export function cellsOf(sizeBytes: number, segmentBytes = SEGMENT_BYTES): ByteRange[] {
  const cells: ByteRange[] = [];
  for (let from = 0; from < sizeBytes; from += segmentBytes) cells.push({ from, to: Math.min(sizeBytes, from + segmentBytes) });
  return cells;
}

/** At most `parts` runs of whole cells, as equal as cells allow: one for each thread. */
export function splitForThreads(sizeBytes: number, parts: number, segmentBytes = SEGMENT_BYTES): ByteRange[] {
  const cells = Math.ceil(sizeBytes / segmentBytes);
  const count = Math.min(Math.max(1, parts), cells);
  return Array.from({ length: count }, (_, part) => ({
    from: Math.floor((part * cells) / count) * segmentBytes,
    to: Math.min(sizeBytes, Math.floor(((part + 1) * cells) / count) * segmentBytes),
  }));
}
