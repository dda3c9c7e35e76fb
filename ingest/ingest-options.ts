import type { OpenSegment } from '../core/partial.ts';
import type { EpochMs } from '../core/types.ts';
import type { Format } from './parse/format.ts';
import type { Normaliser } from './parse/normaliser.ts';

export type IngestLimits = {
  /** Distinct owners in one open segment; what comes above is counted on `refused` or `client:other`. */
  readonly entities: number;
  /** Terms and entities that the dictionaries may hold before they are emptied at a segment's end. */
  readonly dictionary: number;
};

export const DEFAULT_LIMITS: IngestLimits = { entities: 1_000_000, dictionary: 1_500_000 };

export type PartitionIngestOptions = {
  readonly source: number;
  readonly partition: number;
  readonly generation: number;
  /** A line belongs to the segment floor(line start / segmentBytes). */
  readonly segmentBytes: number;
  readonly format: Format;
  readonly normaliser: Normaliser;
  readonly limits?: IngestLimits;
  /** The open segment of an earlier process: counting goes on at its `next`. */
  readonly resume?: OpenSegment | undefined;
  /** Only events in `[since, until)` count; the others are dropped. */
  readonly since?: EpochMs | undefined;
  readonly until?: EpochMs | undefined;
  /**
   * Where histograms and tallies are kept: per window (what a store wants); addresses once per entity and segment
   * under `SEGMENT_WINDOW` with the segment's totals, and the rest for the segment as a whole (what a report
   * wants); or nowhere (what a bench compares with).
   */
  readonly sketches?: 'window' | 'segment' | 'none';
};
