import type { SegmentSpan } from '../../core/partial.ts';
import type { DurationMs, EpochMs, Offset } from '../../core/types.ts';
import { recordTime } from './record-time.ts';

/** A segment of a message log ends before the first record that is so much later than its first one. */
export const SPAN_MS: DurationMs = 60_000;
/** Offsets that a segment spans at most: of records with one event each, of packed ones, and where producers stamp the time, whose clocks may stand still. Part of the interpretation. */
export const LENGTH_SINGLE: Offset = 2 ** 20;
export const LENGTH_PACKED: Offset = 2 ** 14;
export const LENGTH_CREATE_TIME: Offset = 2 ** 16;

export type FirstRecord = { readonly at: EpochMs; readonly isPacked: boolean; readonly clock: 'append' | 'create'; readonly crc: number };

/** What the first record of a segment decides of its end. */
export function spanOf({ at, isPacked, clock, crc }: FirstRecord): SegmentSpan {
  return { firstAt: recordTime(at), length: isPacked ? LENGTH_PACKED : clock === 'create' ? LENGTH_CREATE_TIME : LENGTH_SINGLE, crc };
}

/** The span after a record that did not end it: the first time there is counts. */
export function spanWith(span: SegmentSpan, stamped: number): SegmentSpan {
  const at = span.firstAt < 0 ? recordTime(stamped) : -1;
  return at < 0 ? span : { ...span, firstAt: at };
}

/**
 * Whether the segment that began at `start` ends before a record. It reads only the log, so every owner, restart or
 * zombie finds the same end; a clock that goes backwards, gaps and records without a time do no harm.
 */
export function endsBefore(span: SegmentSpan, start: Offset, record: { readonly offset: Offset; readonly at: number }): boolean {
  if (record.offset >= start + span.length) return true;
  return span.firstAt >= 0 && recordTime(record.at) >= span.firstAt + SPAN_MS;
}
