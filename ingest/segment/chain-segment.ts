import type { SegmentSpan } from '../../core/partial.ts';
import type { RecordBlock } from '../../core/ports.ts';
import type { EpochMs, Offset } from '../../core/types.ts';
import { SPAN_MS, endsBefore, spanOf, spanWith } from './chain.ts';
import { isPacked } from './values.ts';

/** Where the open segment of a message log is, and when it ends. */
export class ChainSegment {
  start: Offset = 0;
  /** Undefined until its first record came. */
  span: SegmentSpan | undefined;
  /** Said from outside: it ends before the first record from here on, and nowhere else. */
  closesAt: Offset | undefined;

  /** The next record is the first of another. */
  clear(start: Offset): void {
    this.start = start;
    this.span = undefined;
    this.closesAt = undefined;
  }

  /** Whether a record of the block from `from` on can end it, or begin it: only then each is looked at. */
  mayEnd({ count, offsets, times }: RecordBlock, from: number): boolean {
    const { span } = this;
    if (span === undefined || span.firstAt < 0 || this.closesAt !== undefined) return true;
    if ((offsets[count - 1] as number) >= this.start + span.length) return true;
    const end = span.firstAt + SPAN_MS;
    for (let i = from; i < count; i++) if ((times[i] as number) >= end) return true;
    return false;
  }

  /** Whether it ends before this record. */
  endsBefore(offset: Offset, at: EpochMs): boolean {
    if (this.span === undefined) return false;
    if (this.closesAt !== undefined) return offset >= this.closesAt;
    return endsBefore(this.span, this.start, { offset, at });
  }

  /** Takes a record in that does not end it. */
  take({ bytes, starts, ends, times, clock, crc }: RecordBlock, i: number): void {
    const at = times[i] as number;
    this.span =
      this.span === undefined ? spanOf({ at, isPacked: isPacked(bytes, starts[i] as number, ends[i] as number), clock, crc }) : spanWith(this.span, at);
  }
}
