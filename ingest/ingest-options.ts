import type { OpenSegment } from '../core/partial.ts';
import type { EpochMs, Offset, RejectReason } from '../core/types.ts';
import type { Format } from './parse/format.ts';
import type { Normaliser } from './parse/normaliser.ts';

export type IngestLimits = {
  /** Distinct owners in one open segment; what comes above is counted on `refused` or `client:other`. */
  readonly entities: number;
  /** Terms and entities that the dictionaries may hold before they are emptied at a segment's end. */
  readonly dictionary: number;
};

export const DEFAULT_LIMITS: IngestLimits = { entities: 1_000_000, dictionary: 1_500_000 };

/** A row is handed on at once where its counter passes `limit`, and at every `every` before and behind that: the share of a limit that one partition may keep to itself. */
export type Step = { readonly limit: number; readonly every: number };

export type Steps = {
  /** Events in one minute, integers from 1 on; what is not said has no step. */
  readonly requests?: Step | undefined;
  readonly failedAuth?: Step | undefined;
  /** In and out together. */
  readonly bytes?: Step | undefined;
};

/** A record that was no event, copied. */
export type RejectedRecord = {
  readonly offset: Offset;
  /** Which event of a packed record. */
  readonly index: number;
  readonly reason: RejectReason;
  /** Time of the record, -1 where it has none. */
  readonly at: EpochMs;
  readonly value: Uint8Array;
};

export type PartitionIngestOptions = {
  readonly source: number;
  readonly partition: number;
  readonly generation: number;
  /** In a grid, a line belongs to the segment floor(line start / segmentBytes). */
  readonly segmentBytes: number;
  /** What ends a segment: an absolute grid of bytes (default), or the rule of message logs (`segment/chain.ts`). */
  readonly segments?: 'grid' | 'chain' | undefined;
  readonly format: Format;
  readonly normaliser: Normaliser;
  readonly limits?: IngestLimits;
  /**
   * The newest segment that is stored, and how it is used: `rows` (default) goes on at its `next` with its rows;
   * `segment` makes it anew from `from`, its start, and tells nothing before its `next`; `fresh` begins another at
   * `from`: one of an older generation is finished first, up to where the store is ahead of it.
   */
  readonly resume?: OpenSegment | undefined;
  readonly mode?: 'rows' | 'segment' | 'fresh' | undefined;
  readonly from?: Offset | undefined;
  /** Only events in `[since, until)` count; the others are dropped. */
  readonly since?: EpochMs | undefined;
  readonly until?: EpochMs | undefined;
  /**
   * Where histograms and tallies are kept: per window (what a store wants); addresses once per entity and segment
   * under `SEGMENT_WINDOW` with the segment's totals, and the rest for the segment as a whole (what a report
   * wants); or nowhere (what a bench compares with).
   */
  readonly sketches?: 'window' | 'segment' | 'none';
  /** Rows that cross one are urgent (`takeUrgent`); default none is. */
  readonly steps?: Steps | undefined;
  /** Keep what was rejected, for `takeRejected`. */
  readonly keepsRejected?: boolean | undefined;
};
