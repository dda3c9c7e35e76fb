/**
 * Every seam of Keywatch. Each has a real adapter, a memory adapter, doubles in `test/support`, and one
 * conformance suite in `test/conformance` that all adapters pass.
 *
 * Lifecycle promises, for all of them: dispose is safe twice and flushes first; every call that can hang
 * takes an AbortSignal; a world fault is an `Outcome`, a bug throws.
 */
import type { Alert, JournalBody, JournalEntry, Notification, OutboxRow } from './alert.ts';
import type { Counters } from './counters.ts';
import type { Evaluation } from './finding.ts';
import type { OpenSegment, PartialBatch, Rejects } from './partial.ts';
import type { Sketch } from './sketch/sketch.ts';
import type { EntityId, EntityKind, EpochMs, Minute, Offset, Outcome, TimeWindow } from './types.ts';

/** A run of whole records of one partition, in order. */
export type SourceBlock = {
  readonly kind: 'block';
  readonly partition: string;
  /** Position of `bytes[0]` in the decompressed stream. */
  readonly offset: Offset;
  /** Whole lines; each ends in a line feed, save the last one of a finished stream. Valid until the next block is asked for. */
  readonly bytes: Uint8Array;
  /** Receive time, where the source has a clock of its own (stdin, HTTP spool). */
  readonly receivedAt?: EpochMs;
};
export type SourceEvent =
  | SourceBlock
  /** A partition begins, or is found again: `from` says where reading must start (the stored `next`, or 0). `head` is a sample for format detection. */
  | {
      readonly kind: 'assigned';
      readonly partition: string;
      readonly label: string;
      readonly from: Offset;
      readonly head: Uint8Array;
      readonly sizeBytes?: number;
    }
  /** Everything readable now was delivered; `position` is the end. */
  | { readonly kind: 'caught_up'; readonly partition: string; readonly position: Offset }
  /** A line longer than the limit was passed over: `[offset, offset + length)`. */
  | { readonly kind: 'oversized'; readonly partition: string; readonly offset: Offset; readonly length: number }
  /** The partition will deliver no more (end of a one-shot file, a rotated file read to its end). */
  | { readonly kind: 'finished'; readonly partition: string; readonly position: Offset }
  /** One clear line for a person: what, where, what to do. The rest goes on. */
  | { readonly kind: 'problem'; readonly partition?: string; readonly subject: string; readonly message: string };

/** Pull-based, so that back-pressure costs nothing. */
export interface EventSource extends AsyncDisposable {
  readonly name: string;
  events(signal: AbortSignal): AsyncIterable<SourceEvent>;
  /** What to store beside `next`, so that this place is found again after a restart, a rename or a truncation. */
  cursor(partition: string, next: Offset): string;
}

export type Resolution = 'minute' | 'hour' | 'day';

/** A window merged over all segments. */
export type StoredWindow = {
  readonly entity: EntityId;
  readonly resolution: Resolution;
  readonly window: TimeWindow;
  readonly counters: Counters;
  /** Decoded on demand: most readers want counters only. */
  sketch(): Sketch;
};

export type EntityTotals = { readonly entity: EntityId; readonly counters: Counters; readonly addresses: number };

export type Retention = {
  readonly partialsMs: number;
  readonly minutesMs: number;
  readonly hoursMs: number;
  readonly daysMs: number;
  /** Over it the oldest minutes go first; 0 means no cap. */
  readonly bytesMax: number;
};
export type RetentionReport = {
  readonly droppedMinuteDays: readonly string[];
  readonly droppedHourMonths: readonly string[];
  readonly droppedDays: number;
  readonly bytes: number;
  readonly isOverCap: boolean;
};

export type StoredSource = {
  readonly id: number;
  readonly name: string;
  readonly next: Offset;
  readonly records: number;
  readonly dropped: number;
  readonly rejects: Rejects;
  readonly newest: EpochMs;
  readonly cursor?: string;
};

export interface MetricStore extends AsyncDisposable {
  /** Small values that all processes must share (pepper check, key names, parser version). */
  control(name: string): Promise<string | undefined>;
  setControl(name: string, value: string): Promise<void>;
  /** The small integer of a source, allocated at the first call. */
  source(name: string): Promise<number>;
  sources(): Promise<readonly StoredSource[]>;
  /** Atomic: rows, held rows, position and cursor. A failure (disk full, read-only) changes nothing. */
  put(batch: PartialBatch): Promise<Outcome>;
  /** The newest segment of a partition with everything needed to go on in the middle of it. */
  resume(source: number, partition: number): Promise<OpenSegment | undefined>;
  /** Merged minutes in time order; all entities, or one. */
  windows(query: { readonly from: Minute; readonly to: Minute; readonly entity?: EntityId; readonly resolution?: Resolution }): AsyncIterable<StoredWindow>;
  /** Sums per entity over a range, by requests, descending. */
  totals(query: {
    readonly from: EpochMs;
    readonly to: EpochMs;
    readonly kinds?: readonly EntityKind[];
    readonly limit?: number;
  }): Promise<readonly EntityTotals[]>;
  aliases(): Promise<ReadonlyMap<EntityId, EntityId>>;
  /**
   * Recomputes the hours and days whose minutes changed, absolutely; with `before` only those that end by then.
   * Reads are exact without it (they take the minutes where an hour is not folded): folding makes them fast. Returns how many rows it wrote.
   */
  fold(before?: Minute): Promise<number>;
  retain(policy: Retention, now: EpochMs): Promise<RetentionReport>;
}

/** Where decisions become durable. Create-only by seq: that is the fencing. */
export interface Journal extends AsyncDisposable {
  append(seq: number, body: JournalBody): Promise<'appended' | 'taken'>;
  head(): Promise<{ readonly seq: number; readonly hash: string }>;
  entries(fromSeq: number): AsyncIterable<JournalEntry>;
  saveSnapshot(snapshot: { readonly seq: number; readonly state: string }): Promise<void>;
  snapshot(): Promise<{ readonly seq: number; readonly state: string } | undefined>;
  /** The projection of `alerts`: newest first. */
  alerts(query: {
    readonly states?: readonly Alert['state'][];
    readonly since?: EpochMs;
    readonly entity?: EntityId;
    readonly limit?: number;
  }): Promise<readonly Alert[]>;
  /** Outbox rows whose delivery is not settled, the one due first in front. `attempts` were made; the next one is not before `nextAt`. */
  pending(): Promise<readonly { readonly row: OutboxRow; readonly attempts: number; readonly nextAt: EpochMs }[]>;
}

/** In process or over a topic: what the ingester tells the judge. */
export interface PartialBus {
  publish(batch: PartialBatch): Promise<void>;
}

/**
 * A rule. Pure: windows in, evaluations out. `watched` says which (rule, entity) pairs must be evaluated
 * although nothing breaches, because an alert is open on them.
 */
export interface Detector {
  /** Folds a batch in; returns what cannot un-breach (live findings). */
  observe(batch: PartialBatch, now: EpochMs): readonly Evaluation[];
  /** Closes every window that the watermark passed, oldest first. */
  advance(
    watermark: EpochMs,
    watched: ReadonlyMap<EntityId, ReadonlySet<string>>,
  ): { readonly evaluations: readonly Evaluation[]; readonly closedThrough: Minute };
}

/** One channel. Never throws for what the far side does. */
export interface Notifier {
  readonly name: string;
  notify(notification: Notification, signal: AbortSignal): Promise<Outcome>;
}
