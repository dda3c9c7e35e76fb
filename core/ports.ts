/**
 * Every seam of Keywatch. Each has a real adapter, a memory adapter, doubles in `test/support`, and one
 * conformance suite in `test/conformance` that all adapters pass.
 *
 * Lifecycle promises, for all of them: dispose is safe twice and flushes first; every call that can hang
 * takes an AbortSignal; a world fault is an `Outcome`, a bug throws.
 */
import type { Alert, AuditRow, JournalBody, JournalEntry, MessageRecord, Notification, OutboxRow } from './alert.ts';
import type { Counters } from './counters.ts';
import type { Evaluation, Finding } from './finding.ts';
import type { Exception, Incident, Maintenance, Silence } from './incident.ts';
import type { CommandResult, OperatorCommand } from './operator.ts';
import type { OpenSegment, PartialBatch, PartialRow, Rejects, SegmentRef } from './partial.ts';
import type { Sketch } from './sketch/sketch.ts';
import type { EntityId, EntityKind, EpochMs, Minute, Offset, Outcome, RejectReason, TimeWindow } from './types.ts';

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
/**
 * Records of a message log in offset order: one record batch of Kafka. The arrays are reused: valid until the next
 * event is asked for. A value may hold one event, a JSON array of events, or several lines.
 */
export type RecordBlock = {
  readonly kind: 'records';
  readonly partition: string;
  /** Holds all values. The byte after each value belongs to nobody: a reader may overwrite it, so that a value ends in a line feed without being copied. */
  readonly bytes: Uint8Array;
  readonly count: number;
  /** Per record: its offset, its value in `bytes[start, end)` (empty for a null value), its broker or producer time (-1 where it has none). */
  readonly offsets: Float64Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly times: Float64Array;
  /** Who stamped `times`: the broker (LogAppendTime) or the producer (CreateTime). */
  readonly clock: 'append' | 'create';
  /** Checksum of the record batch that these come from; 0 where the client does not show it. */
  readonly crc: number;
};
export type SourceEvent =
  | SourceBlock
  | RecordBlock
  /** A partition begins, or is found again: `from` says where reading must start (the stored `next`, or 0). `head` is a sample for format detection. */
  | {
      readonly kind: 'assigned';
      readonly partition: string;
      readonly label: string;
      readonly from: Offset;
      readonly head: Uint8Array;
      readonly sizeBytes?: number;
      /** What the store allocates an integer for; default `partition` itself, which is then partition 0 of it. All partitions of a topic share one. */
      readonly source?: string;
      readonly number?: number;
      /** How segments are cut: by an absolute grid of bytes (default), or by the chain rule of message logs. */
      readonly segments?: 'grid' | 'chain';
      readonly generation?: number;
      /**
       * Where counting goes on: `rows` (default) from the stored rows at `from`; `segment` from the start of the open
       * segment, whose rows are made anew; `fresh` in a new segment that starts with the first record at or after `from`.
       */
      readonly resume?: 'rows' | 'segment' | 'fresh';
    }
  /** The partition belongs to another process now: what is not stored of it is dropped, that one reads it again. */
  | { readonly kind: 'revoked'; readonly partition: string }
  /** Everything readable now was delivered; `position` is the end. */
  | { readonly kind: 'caught_up'; readonly partition: string; readonly position: Offset }
  /** A line longer than the limit was passed over: `[offset, offset + length)`. */
  | { readonly kind: 'oversized'; readonly partition: string; readonly offset: Offset; readonly length: number }
  /** The partition will deliver no more (end of a one-shot file, a rotated file read to its end). */
  | { readonly kind: 'finished'; readonly partition: string; readonly position: Offset }
  /** One clear line for a person: what, where, what to do. The rest goes on. */
  | { readonly kind: 'problem'; readonly partition?: string; readonly subject: string; readonly message: string };

/** Of a message log, for metrics: how far each partition was read, and how long its log is. */
export type PartitionPosition = {
  readonly source: string;
  readonly topic: string;
  readonly partition: number;
  readonly phase: string;
  readonly position: Offset;
  /** -1 before a broker said it. */
  readonly end: Offset;
  /** Why a person has to decide; undefined while it is not halted. */
  readonly halt: string | undefined;
};

/** Pull-based, so that back-pressure costs nothing. */
export interface EventSource extends AsyncDisposable {
  readonly name: string;
  events(signal: AbortSignal): AsyncIterable<SourceEvent>;
  /** What to store beside `next`, so that this place is found again after a restart, a rename or a truncation. */
  cursor(partition: string, next: Offset): string;
  /** Told after the store and the bus acknowledged everything before `next`. A message log commits here, last of all. */
  stored?(partition: string, place: { readonly next: Offset; readonly isSealed: boolean }): Promise<void>;
  /** Records that can be read and were not delivered; undefined where that is not known. */
  lag?(partition: string): number | undefined;
  /** No more blocks of this partition until `resume`. */
  pause?(partition: string): void;
  resume?(partition: string): void;
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

/** The newest segment of one partition, without its rows. */
export type PartitionHead = Omit<OpenSegment, 'rows' | 'held'>;

/** A row as it was put: of one segment. */
export type StoredPartial = { readonly segment: SegmentRef; readonly next: Offset; readonly row: PartialRow };

export interface MetricStore extends AsyncDisposable {
  /** Small values that all processes must share (pepper check, key names, parser version). */
  control(name: string): Promise<string | undefined>;
  setControl(name: string, value: string): Promise<void>;
  /** Stores `value` unless there is one; returns what is stored then. Of many processes that claim at once one wins and all are told the same. */
  claim(name: string, value: string): Promise<string>;
  /** The small integer of a source, allocated at the first call. */
  source(name: string): Promise<number>;
  sources(): Promise<readonly StoredSource[]>;
  /**
   * Atomic: rows, held rows, position and cursor. A failure (disk full, read-only) changes nothing. A store without
   * transactions keeps the order instead: first all rows, then what is held and gone, last the segment, and nothing of a
   * later step before all of the earlier one is acknowledged; `resume` then gives every row with its own `next`.
   */
  put(batch: PartialBatch): Promise<Outcome>;
  /** The newest segment of a partition with everything needed to go on in the middle of it. */
  resume(source: number, partition: number): Promise<OpenSegment | undefined>;
  /** The newest segment (of the highest generation) of every partition of a source, or of all sources. */
  heads(source?: number): Promise<readonly PartitionHead[]>;
  /** Unmerged rows of `[from, to)` in time order, all segments, without held ones: what a judge is seeded from while others write. */
  partials(query: { readonly from: Minute; readonly to: Minute }): AsyncIterable<StoredPartial>;
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

/** The last one of a page: the next page begins after it. `at` is what the list is sorted by (start of an alert, creation of a message). */
export type PageMark = { readonly at: EpochMs; readonly id: string };

/** What any process may read of the journal's decisions, as of the newest entry that the judge projected. */
export interface JournalViews {
  /** The projection of `alerts`: newest first. */
  alerts(query: {
    readonly states?: readonly Alert['state'][];
    readonly since?: EpochMs;
    readonly entity?: EntityId;
    readonly ids?: readonly string[];
    readonly incident?: string;
    readonly limit?: number;
    readonly after?: PageMark;
  }): Promise<readonly Alert[]>;
  /** The projection of `incidents`: newest start first, as `alerts`. */
  incidents(query: {
    readonly states?: readonly Incident['state'][];
    /** Changed since then. */
    readonly since?: EpochMs;
    readonly lineage?: EntityId;
    readonly ids?: readonly string[];
    readonly limit?: number;
    readonly after?: PageMark;
  }): Promise<readonly Incident[]>;
  /** Newest first; with `inForceAt` only those that hold then or will later. */
  silences(query: { readonly inForceAt?: EpochMs }): Promise<readonly Silence[]>;
  maintenances(query: { readonly inForceAt?: EpochMs }): Promise<readonly Maintenance[]>;
  exceptions(query: { readonly inForceAt?: EpochMs }): Promise<readonly Exception[]>;
  /** The judge's answer to a command, once there is one. */
  commandResult(id: string): Promise<CommandResult | undefined>;
  /** Every act, newest entry first and within an entry as it happened. One entry may hold many, so a page goes on after a row. */
  audit(query: { readonly subject?: string; readonly after?: Pick<AuditRow, 'seq' | 'index'>; readonly limit?: number }): Promise<readonly AuditRow[]>;
  /** Messages and what became of them, newest first. */
  messages(query: {
    readonly incident?: string;
    readonly channel?: string;
    readonly limit?: number;
    readonly after?: PageMark;
  }): Promise<readonly MessageRecord[]>;
}

/** Where decisions become durable. Create-only by seq: that is the fencing. */
export interface Journal extends JournalViews, AsyncDisposable {
  append(seq: number, body: JournalBody): Promise<'appended' | 'taken'>;
  head(): Promise<{ readonly seq: number; readonly hash: string }>;
  entries(fromSeq: number): AsyncIterable<JournalEntry>;
  saveSnapshot(snapshot: { readonly seq: number; readonly state: string }): Promise<void>;
  snapshot(): Promise<{ readonly seq: number; readonly state: string } | undefined>;
  /** Outbox rows whose delivery is not settled, the one due first in front. `attempts` were made; the next one is not before `nextAt`. */
  pending(): Promise<readonly { readonly row: OutboxRow; readonly attempts: number; readonly nextAt: EpochMs }[]>;
}

/**
 * Where people's commands wait for the judge, whichever process they came to. The order is the guarantee: `submit`
 * here, the answer in the journal, `remove` last; a command found here again is answered already.
 */
export interface CommandInbox extends AsyncDisposable {
  /** Create-only by the command's id: submitting one twice changes nothing. */
  submit(command: OperatorCommand): Promise<void>;
  /** Oldest first; bounded, the rest comes with the next call. What cannot be read is left out and told as a problem by the adapter. */
  pending(): Promise<readonly OperatorCommand[]>;
  /** Those whose answer is durable. */
  remove(ids: readonly string[]): Promise<void>;
}

/** In process or over a topic: what the ingester tells the judge. */
export interface PartialBus {
  /** Resolves once the judge has it, or the topic that it is read from. After the store, before the commit. */
  publish(batch: PartialBatch): Promise<void>;
  /** Rows that crossed a step of a limit, ahead of the batch that will bring them: true at `next`, but not all of it, and not stored yet. */
  hint(batch: PartialBatch): void;
  /** Where the partitions of this process stand, about every second: what the watermark is made of. */
  progress(partitions: readonly PartitionProgress[]): Promise<void>;
}

/** How far one partition was read. */
export type PartitionProgress = {
  readonly source: number;
  readonly partition: number;
  /** Newest event time so far; 0 before the first. */
  readonly newest: EpochMs;
  /** Everything readable was delivered. */
  readonly isAtEnd: boolean;
  /** Wall clock of the last delivery, at first of the assignment. */
  readonly heardAt: EpochMs;
  /** Everything that was readable at this time of the wall clock was delivered: known also of a partition that is never at its end for long. */
  readonly completeAt?: EpochMs;
};

/** The judge's end of a bus over a topic. `hint` batches arrive as `batch`. */
export type BusEvent =
  /** `at`: wall clock at which it was put on the bus, where that is known. */
  | { readonly kind: 'batch'; readonly batch: PartialBatch; readonly at?: EpochMs }
  | { readonly kind: 'progress'; readonly from: string; readonly partitions: readonly PartitionProgress[] };
export interface BusReader extends AsyncDisposable {
  /** From the end of the topic as it was when this was called; resolves when reading has begun there, so that what is published afterwards is seen. */
  start(onEvent: (event: BusEvent) => Promise<void>): Promise<void>;
}

/** Sends to a topic; resolves when the brokers acknowledged all of it. Splits what is too large for one request. */
export interface TopicPublisher extends AsyncDisposable {
  publish(
    topic: string,
    messages: readonly {
      readonly key?: string;
      readonly value: Uint8Array | null;
      readonly headers?: Readonly<Record<string, string>>;
      readonly partition?: number;
    }[],
  ): Promise<Outcome>;
}

/** A record that was not counted, with its place. `value` is as it came and may hold a secret: seal it before it leaves the process. */
export type DeadLetter = {
  readonly source: string;
  readonly partition: number;
  readonly offset: Offset;
  /** Which event of a packed record; 0 where there is one. */
  readonly index: number;
  readonly reason: RejectReason;
  readonly at: EpochMs;
  readonly value: Uint8Array;
};
export interface DeadLetters {
  put(letters: readonly DeadLetter[]): Promise<Outcome>;
}

/** One of many processes may act. Whether a lease is over is judged by who waits for it: unchanged for the time to live on its own clock. */
export type LeaseRecord = { readonly holder: string; readonly beat: number };
export interface LeaseStore {
  read(name: string): Promise<LeaseRecord | undefined>;
  /** Compare and set: `lost` when what is stored is not `expected`. Throws for a fault of the world. */
  write(name: string, expected: LeaseRecord | undefined, next: LeaseRecord): Promise<'written' | 'lost'>;
}

/** What dashboards read: one document per (entity, window), merged over all segments, under the name that the directory gives. */
export type WindowDocument = StoredWindow & {
  readonly label: string;
  readonly plan?: string;
  readonly score?: number;
  readonly expected?: number;
  readonly low?: number;
  readonly high?: number;
};
/** Written by the judge only; `seq` of its newest journal entry is the version, so that a judge that lost its lease loses every race. */
export interface WindowStore {
  putWindows(windows: readonly WindowDocument[], seq: number): Promise<Outcome>;
  /** Create-only by finding id. */
  putFindings(findings: readonly Finding[]): Promise<Outcome>;
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
  /** One message per incident that is edited, with a thread: then `updated` and `acknowledged` are sent here too. */
  readonly hasThreads?: boolean;
  notify(notification: Notification, signal: AbortSignal): Promise<Outcome>;
}
