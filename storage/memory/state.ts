import type { EntityId, EpochMs, Minute, Offset } from '../../core/types.ts';
import type { PartialRow, Rejects, SegmentRef, SegmentSpan } from '../../core/partial.ts';

/** A row of one segment with the version that wrote it; empty cells are a tombstone. */
export type MemoryRow = PartialRow & { readonly segment: string; readonly next: Offset };

/** What the chain knows of a segment. */
export type MemorySegment = {
  readonly segment: SegmentRef;
  readonly next: Offset;
  readonly isSealed: boolean;
  readonly records: number;
  readonly dropped: number;
  readonly rejects: Rejects;
  readonly newest: EpochMs;
  readonly overLimit?: number;
  readonly skewed?: number;
  readonly span?: SegmentSpan;
  readonly cursor?: string;
};

export type MemorySource = { readonly id: number; readonly records: number; readonly dropped: number; readonly rejects: Rejects };

/** Everything the store knows, in one value: what a crash test keeps is a clone of it. */
export type MemoryState = {
  readonly controls: Map<string, string>;
  /** By name; the totals are over all segments ever. */
  readonly sources: Map<string, MemorySource>;
  readonly segments: Map<string, MemorySegment>;
  /** By segment, window and entity. */
  readonly rows: Map<string, MemoryRow>;
  readonly held: Map<string, MemoryRow>;
  readonly aliases: Map<EntityId, { readonly credential: EntityId; readonly seen: EpochMs }>;
  /** The newest segment that retention has forgotten, by source and partition. */
  readonly forgotten: Map<string, SegmentRef>;
  readonly frozenMinuteDays: Set<Minute>;
  /** What was summed up before the level below was dropped. */
  readonly frozenHours: PartialRow[];
  readonly frozenDays: PartialRow[];
  readonly dirtyHours: Set<Minute>;
};

export function emptyState(): MemoryState {
  return {
    controls: new Map(),
    sources: new Map(),
    segments: new Map(),
    rows: new Map(),
    held: new Map(),
    aliases: new Map(),
    forgotten: new Map(),
    frozenMinuteDays: new Set(),
    frozenHours: [],
    frozenDays: [],
    dirtyHours: new Set(),
  };
}

export function compareSegments(a: SegmentRef, b: SegmentRef): number {
  return a.generation - b.generation || a.start - b.start;
}

export function chainKey({ source, partition }: SegmentRef): string {
  return `${source} ${partition}`;
}

export function segmentKey(segment: SegmentRef): string {
  return `${chainKey(segment)} ${segment.generation} ${segment.start}`;
}
