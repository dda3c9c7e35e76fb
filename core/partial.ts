import type { EntityId, EpochMs, Minute, Offset, RejectReason } from './types.ts';

/** A stretch of one partition's log. `start` names it. */
export type SegmentRef = {
  /** A small integer that the store allocates for a topic or a file partition. */
  readonly source: number;
  readonly partition: number;
  /** Of the topic or file set; a re-created one is a new generation. */
  readonly generation: number;
  readonly start: Offset;
};

/** Absolute values of one (entity, window) in one segment. */
export type PartialRow = {
  readonly window: Minute;
  readonly entity: EntityId;
  /** Canonical packed counters and sketches, see `cells.ts`. Equal state gives equal bytes. */
  readonly cells: Uint8Array;
};

/** What decides where a segment of a message log ends, and what recognises the log: a function of its first record. */
export type SegmentSpan = {
  /** Broker time of the first record that has one, -1 before: the segment ends before the first record 60 s later. */
  readonly firstAt: EpochMs;
  /** It ends at `start + length` at the latest. */
  readonly length: Offset;
  /** Checksum of the batch that holds the first record; 0 where unknown. */
  readonly crc: number;
};

/** A row of an open segment. A store without transactions may hold rows beyond the segment's `next`: an event below the row's own `next` is in it already. */
export type ResumedRow = PartialRow & { readonly next?: Offset };

export type Rejects = Readonly<Partial<Record<RejectReason, { readonly count: number; readonly first: Offset }>>>;

/** A record that shows both names of one key. */
export type Alias = { readonly credential: EntityId; readonly fingerprint: EntityId };

/**
 * What one flush hands to the store and then to the judge. Absolute and idempotent: writing it again, or
 * after a newer one of the same segment, changes nothing.
 */
export type PartialBatch = {
  readonly segment: SegmentRef;
  /** Every record below is in the rows. The version of every row in this batch. */
  readonly next: Offset;
  /** The segment ended: `next` is the start of the next one and nothing more will come for this one. */
  readonly isSealed: boolean;
  /** Rows touched since the batch before. */
  readonly rows: readonly PartialRow[];
  /**
   * The refused credentials of an open segment one by one, touched since the batch before; their sum is in
   * the `refused` rows. Kept only until the segment is sealed, so that a resume can move one out when it succeeds.
   * The entity `refused:` holds what has no credential of its own here (over the limit).
   */
  readonly held: readonly PartialRow[];
  /** Rows that became empty because a held credential moved out or in: to be deleted. */
  readonly gone: readonly { readonly window: Minute; readonly entity: EntityId; readonly isHeld: boolean }[];
  readonly aliases: readonly Alias[];
  /** Absolute for this segment. */
  readonly rejects: Rejects;
  readonly dropped: number;
  /** Records of this segment up to `next`, whatever became of them. */
  readonly records: number;
  /** Events of this segment that were counted on `refused` or `other` because the segment held too many entities. */
  readonly overLimit?: number;
  /** Events of this segment whose time lay ahead of the record's: counted at the record's time. */
  readonly skewed?: number;
  readonly span?: SegmentSpan;
  /** Newest event time of this partition so far. */
  readonly newest: EpochMs;
  /** What the source needs to find its place again, stored in the same transaction. */
  readonly cursor?: string;
};

/** What a store knows of a partition's newest segment. */
export type OpenSegment = {
  readonly segment: SegmentRef;
  readonly next: Offset;
  readonly isSealed: boolean;
  /** Empty when sealed. */
  readonly rows: readonly ResumedRow[];
  /** In the order in which they were first put: sums over many values depend on it. */
  readonly held: readonly ResumedRow[];
  readonly rejects: Rejects;
  readonly dropped: number;
  readonly records: number;
  readonly overLimit?: number;
  readonly skewed?: number;
  readonly span?: SegmentSpan;
  readonly newest: EpochMs;
  readonly cursor?: string;
};
