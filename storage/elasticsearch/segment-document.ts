import { REJECT_REASONS } from '../../core/types.ts';
import { base36, segmentName } from './names.ts';
import type { PartitionHead } from '../../core/ports.ts';
import type { PartialBatch, Rejects, SegmentRef, SegmentSpan } from '../../core/partial.ts';

/** A segment as it is stored, and the sum of segments that retention forgot (`kind` forgotten). */
export type SegmentSource = {
  readonly kind: 'head' | 'forgotten';
  readonly source: number;
  readonly p: number;
  readonly generation: number;
  readonly start: number;
  readonly records: number;
  readonly dropped: number;
  readonly rejects: Rejects;
  readonly next?: number;
  readonly sealed?: boolean;
  readonly over_limit?: number;
  readonly skewed?: number;
  readonly span?: SegmentSpan;
  /** Absent before the first event. */
  readonly newest?: number;
  readonly cursor?: string;
  /** Of a forgotten sum: segments that are in it may still be there. */
  readonly cleaning?: boolean;
};

export function headId(segment: SegmentRef): string {
  return `h.${segmentName(segment)}`;
}

export function forgottenId({ source, partition }: { readonly source: number; readonly partition: number }): string {
  return `f.${base36(source)}.${base36(partition)}`;
}

/** A higher `next` wins; of two with the same, the sealed one. */
export function headVersion({ next, isSealed }: { readonly next: number; readonly isSealed: boolean }): number {
  return next * 2 + (isSealed ? 1 : 0);
}

export function headSource(batch: PartialBatch): SegmentSource {
  const { segment, next, isSealed, records, dropped, rejects, newest, overLimit, skewed, span, cursor } = batch;
  return {
    kind: 'head',
    source: segment.source,
    p: segment.partition,
    generation: segment.generation,
    start: segment.start,
    next,
    sealed: isSealed,
    records,
    dropped,
    rejects,
    ...(Number.isFinite(newest) ? { newest } : {}),
    ...(overLimit === undefined ? {} : { over_limit: overLimit }),
    ...(skewed === undefined ? {} : { skewed }),
    ...(span === undefined ? {} : { span }),
    ...(cursor === undefined ? {} : { cursor }),
  };
}

export function headOf(stored: SegmentSource): PartitionHead {
  return {
    segment: segmentOf(stored),
    next: stored.next ?? stored.start,
    isSealed: stored.sealed === true,
    rejects: knownRejects(stored.rejects),
    dropped: stored.dropped,
    records: stored.records,
    newest: stored.newest ?? Number.NEGATIVE_INFINITY,
    ...(stored.over_limit === undefined ? {} : { overLimit: stored.over_limit }),
    ...(stored.skewed === undefined ? {} : { skewed: stored.skewed }),
    ...(stored.span === undefined ? {} : { span: stored.span }),
    ...(stored.cursor === undefined ? {} : { cursor: stored.cursor }),
  };
}

export function segmentOf({ source, p, generation, start }: SegmentSource): SegmentRef {
  return { source, partition: p, generation, start };
}

/** Reasons of another version are left out. */
function knownRejects(stored: Rejects): Rejects {
  return Object.fromEntries(REJECT_REASONS.flatMap((reason) => (stored[reason] === undefined ? [] : [[reason, stored[reason]] as const])));
}
