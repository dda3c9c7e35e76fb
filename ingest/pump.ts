import type { Clock } from '../core/clock.ts';
import type { OpenSegment, PartialBatch } from '../core/partial.ts';
import type { EventSource, MetricStore, PartialBus, PartitionProgress, SourceEvent } from '../core/ports.ts';
import { type DurationMs, type EpochMs, type Offset, type Outcome, assertNever } from '../core/types.ts';
import { detectFormat, formatOf, type DetectOptions } from './parse/detect.ts';
import type { Format } from './parse/format.ts';
import { Backlog } from './parallel/backlog.ts';
import type { CellPool } from './parallel/cell-pool.ts';
import type { Normaliser } from './parse/normaliser.ts';
import type { IngestLimits } from './ingest-options.ts';
import { PartitionIngest } from './partition-ingest.ts';

export type PumpOptions = {
  readonly segmentBytes: number;
  readonly detect: DetectOptions;
  readonly limits: IngestLimits;
  /** While a backlog is read, the store is written at least this often. */
  readonly flushMs: DurationMs;
  /** One per partition: its numbers belong to that partition's open segment. */
  readonly normaliser: () => Normaliser;
};

export type PumpDeps = {
  readonly source: EventSource;
  readonly store: MetricStore;
  readonly bus: PartialBus;
  readonly clock: Clock;
  /** Threads for a backlog of many segments; without it everything is counted on this one. */
  readonly pool?: CellPool | undefined;
  /** One clear line: what, where, what to do. */
  readonly onProblem: (message: string) => void;
  /** Stored with every partition: which configured source found it. */
  readonly origin: string;
};

/** What a person or the judge wants to know of one partition. */
export type PartitionState = {
  readonly name: string;
  readonly label: string;
  readonly format: string;
  /** What the format shows: rules on other fields are blind here. */
  readonly visible: ReadonlySet<string>;
  readonly next: Offset;
  readonly newest: EpochMs;
  /** Nothing more to read right now. */
  readonly isAtEnd: boolean;
  readonly sizeBytes: number | undefined;
  readonly lastBlockAt: EpochMs;
};

type Partition = { -readonly [K in keyof PartitionState]: PartitionState[K] } & {
  readonly sourceId: number;
  readonly open: OpenSegment | undefined;
  ingest: PartitionIngest | undefined;
  descriptor: string;
  /** While a large backlog is shared out to threads; `ingest` is undefined then. */
  backlog: Backlog | undefined;
  /** Its format is unknown: nothing of it is read, so nothing of it is lost. */
  isRefused: boolean;
  /** The process was told to stop while the store refused a batch: nothing more of this partition is stored. */
  isAbandoned: boolean;
};

const RETRY_MS = 1000;
/** Less than this many segments to go is not worth other threads. */
const BACKLOG_SEGMENTS = 2;

/**
 * Moves records from a source into the store and then to the judge, in that order, exactly once. It stops
 * reading while the store refuses, so nothing that was accepted can be lost.
 */
export class Pump {
  readonly #options: PumpOptions;
  readonly #deps: PumpDeps;
  readonly #partitions = new Map<string, Partition>();
  #flushedAt = 0;

  constructor(options: PumpOptions, deps: PumpDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  partitions(): readonly PartitionState[] {
    return [...this.#partitions.values()];
  }

  progress(): readonly PartitionProgress[] {
    return Array.from(this.#partitions.values(), ({ sourceId, newest, isAtEnd, lastBlockAt }) => ({
      source: sourceId,
      partition: 0,
      newest,
      isAtEnd,
      heardAt: lastBlockAt,
    }));
  }

  /** Runs until the source ends or `signal` aborts; then what was read is stored. */
  async run(signal: AbortSignal): Promise<void> {
    const { source, clock } = this.#deps;
    this.#flushedAt = clock.monotonic();
    for await (const event of source.events(signal)) {
      await this.#take(event, signal);
      if (signal.aborted) break;
      if (clock.monotonic() - this.#flushedAt >= this.#options.flushMs) await this.#flushAll(signal);
    }
    // A last flush even after the abort: records that were read need not be read again.
    await this.#flushAll(signal);
  }

  async #take(event: SourceEvent, signal: AbortSignal): Promise<void> {
    switch (event.kind) {
      case 'assigned':
        return this.#assign(event);
      case 'block': {
        const partition = this.#partitions.get(event.partition);
        if (partition === undefined || partition.isRefused) return;
        partition.isAtEnd = false;
        partition.lastBlockAt = this.#deps.clock.now();
        if (partition.format === '' && !(await this.#begin(partition, event.bytes))) return;
        if (await this.#shares(partition, event.offset, signal)) {
          partition.backlog?.block(event.bytes, event.offset);
          return;
        }
        const { ingest } = partition;
        if (ingest === undefined) throw new Error(`BUG: ${partition.label} has a format and nobody reads it`);
        ingest.block(event.bytes, event.offset);
        partition.newest = ingest.newest;
        for (const batch of ingest.takeSealed()) await this.#store(partition, batch, signal);
        return;
      }
      case 'records':
      case 'revoked':
        throw new Error(`BUG: ${event.kind} of ${event.partition}: no message log is read yet`);
      case 'oversized': {
        const partition = this.#partitions.get(event.partition);
        if (partition === undefined || partition.isRefused) return;
        if (await this.#shares(partition, event.offset, signal)) partition.backlog?.oversized(event.offset, event.length);
        else partition.ingest?.oversized(event.offset, event.length);
        return;
      }
      case 'caught_up':
      case 'finished': {
        const partition = this.#partitions.get(event.partition);
        if (partition === undefined) return;
        partition.isAtEnd = true;
        await this.#leaveBacklog(partition, event.position, signal);
        // The end of a file does not end its segment: a rotated file may still be written to, and goes on where it was. That it is done is part of the cursor.
        await this.#flush(partition, signal, event.kind === 'finished');
        return;
      }
      case 'problem':
        this.#deps.onProblem(`${event.subject}: ${event.message}`);
        return;
      default:
        return assertNever(event);
    }
  }

  async #assign(event: Extract<SourceEvent, { kind: 'assigned' }>): Promise<void> {
    const { store } = this.#deps;
    const sourceId = await store.source(event.partition);
    if ((await store.control(`origin:${sourceId}`)) === undefined) await store.setControl(`origin:${sourceId}`, this.#deps.origin);
    const open = await store.resume(sourceId, 0);
    const partition: Partition = {
      name: event.partition,
      label: event.label,
      format: '',
      visible: new Set(),
      sourceId,
      open,
      next: open?.next ?? 0,
      newest: open?.newest ?? 0,
      isAtEnd: false,
      sizeBytes: event.sizeBytes,
      lastBlockAt: this.#deps.clock.now(),
      ingest: undefined,
      descriptor: '',
      backlog: undefined,
      isRefused: false,
      isAbandoned: false,
    };
    this.#partitions.set(event.partition, partition);
    if (event.head.length > 0) await this.#begin(partition, event.head);
  }

  /** The format of a partition is found once and stored, so that a restart reads as before. */
  async #begin(partition: Partition, head: Uint8Array): Promise<boolean> {
    const { store, onProblem } = this.#deps;
    const name = `format:${partition.sourceId}`;
    const { detect } = this.#options;
    const stored = await store.control(name);
    let format: Format | undefined = stored === undefined ? undefined : formatOf(stored, detect.keyNames);
    if (format === undefined) {
      const found = detectFormat(head, detect);
      if (found.format === undefined) {
        partition.isRefused = true;
        onProblem(`${partition.label}: ${found.why}`);
        return false;
      }
      format = found.format;
      await store.setControl(name, format.descriptor);
    }
    partition.format = format.name;
    partition.visible = format.visible;
    partition.descriptor = format.descriptor;
    partition.ingest = this.#ingestOf(partition, format, partition.open);
    return true;
  }

  #ingestOf(partition: Partition, format: Format, resume: OpenSegment | undefined): PartitionIngest {
    const { segmentBytes, limits, normaliser } = this.#options;
    return new PartitionIngest({ source: partition.sourceId, partition: 0, generation: 1, segmentBytes, format, normaliser: normaliser(), limits, resume });
  }

  /** Whether the record at `offset` goes to the threads: while there are many segments to go, from a segment's beginning on. */
  async #shares(partition: Partition, offset: Offset, signal: AbortSignal): Promise<boolean> {
    const { pool, source } = this.#deps;
    const { backlog, ingest } = partition;
    if (backlog !== undefined) {
      if (!backlog.endsBefore(offset)) return true;
      backlog.seal(source.cursor(partition.name, offset));
      while (backlog.isFull) await this.#storeOldest(partition, backlog, signal);
      return true;
    }
    const { segmentBytes, limits } = this.#options;
    const left = (partition.sizeBytes ?? 0) - offset;
    if (pool === undefined || pool.threads < 2 || ingest === undefined || left <= BACKLOG_SEGMENTS * segmentBytes) return false;
    if (!ingest.isEmpty && offset < ingest.segmentEnd) return false;
    const cursor = source.cursor(partition.name, offset);
    for (const batch of ingest.finish()) await this.#store(partition, batch, signal, cursor);
    partition.ingest = undefined;
    partition.backlog = new Backlog(pool, { source: partition.sourceId, segmentBytes, descriptor: partition.descriptor, limits });
    return true;
  }

  async #storeOldest(partition: Partition, backlog: Backlog, signal: AbortSignal): Promise<boolean> {
    const oldest = await backlog.next();
    if (oldest?.batch !== undefined) await this.#store(partition, oldest.batch, signal, oldest.cursor);
    return oldest !== undefined;
  }

  /** The backlog is read: what the threads still hold is stored in order, and this thread goes on in the open segment. */
  async #leaveBacklog(partition: Partition, position: Offset, signal: AbortSignal): Promise<void> {
    const { backlog } = partition;
    if (backlog === undefined) return;
    while (await this.#storeOldest(partition, backlog, signal));
    const open = await backlog.leave();
    if (open !== undefined) await this.#store(partition, open, signal, this.#deps.source.cursor(partition.name, position));
    partition.backlog = undefined;
    // An idle thread holds some 30 MB.
    await this.#deps.pool?.rest();
    const format = formatOf(partition.descriptor, this.#options.detect.keyNames);
    if (format === undefined) throw new Error(`BUG: no format is described by "${partition.descriptor}"`);
    partition.ingest = this.#ingestOf(partition, format, await this.#deps.store.resume(partition.sourceId, 0));
  }

  async #flushAll(signal: AbortSignal): Promise<void> {
    for (const partition of this.#partitions.values()) await this.#flush(partition, signal);
    this.#flushedAt = this.#deps.clock.monotonic();
  }

  async #flush(partition: Partition, signal: AbortSignal, isForced = false): Promise<void> {
    const batch = partition.ingest?.flush(isForced);
    if (batch !== undefined) await this.#store(partition, batch, signal);
  }

  async #store(partition: Partition, batch: PartialBatch, signal: AbortSignal, cursor?: string): Promise<void> {
    const { source, store, bus, clock, onProblem } = this.#deps;
    if (partition.isAbandoned) return;
    if (batch.newest > partition.newest) partition.newest = batch.newest;
    const whole = { ...batch, newest: partition.newest, cursor: cursor ?? source.cursor(partition.name, batch.next) };
    // 1. the rows and the position, in one transaction
    for (let isTold = false; ;) {
      const outcome: Outcome = await store.put(whole);
      if (outcome.ok) {
        if (isTold) onProblem(`${partition.label}: the store accepts again`);
        break;
      }
      if (!isTold) onProblem(`${partition.label}: nothing more is read, since the store refuses: ${outcome.reason}`);
      isTold = true;
      // What is not stored will be read again after a restart. What follows it must not be stored either: positions have no gaps.
      if (signal.aborted) {
        partition.isAbandoned = true;
        return;
      }
      await clock.sleep(RETRY_MS, signal);
    }
    partition.next = batch.next;
    // 2. then the judge
    await bus.publish(whole);
  }
}
