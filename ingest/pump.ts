import type { Alias, OpenSegment, PartialBatch } from '../core/partial.ts';
import type { DeadLetter, PartitionProgress, RecordBlock, SourceEvent } from '../core/ports.ts';
import { type DurationMs, type Offset, assertNever, entityId } from '../core/types.ts';
import { Delivery } from './delivery.ts';
import { detectFormat, formatOf } from './parse/detect.ts';
import type { Format } from './parse/format.ts';
import { Backlog } from './parallel/backlog.ts';
import type { PartitionState, PumpDeps, PumpOptions } from './pump-options.ts';
import { type Assigned, PumpedPartition } from './pumped-partition.ts';

export type { PartitionState, PumpDeps, PumpOptions } from './pump-options.ts';

const ROWS_MAX = 100_000;
const RETRY_MS: DurationMs = 1000;
const TICK_MS: DurationMs = 1000;
const PROGRESS_MS: DurationMs = 1000;
/** Less than this many segments to go is not worth other threads. */
const BACKLOG_SEGMENTS = 2;
/** Only these have two names. */
const KEYS = entityId('key', '');
const UNACKED_BYTES = 64 * 1024 * 1024;
const FIRST_GENERATION = 1;

/**
 * Moves records from a source into the store, then to the judge, and then back to the source, in that order, exactly
 * once. What the store does not take is kept, and reading stops when that becomes too much, so nothing that was
 * accepted can be lost.
 */
export class Pump {
  readonly #options: PumpOptions;
  readonly #deps: PumpDeps;
  readonly #partitions = new Map<string, PumpedPartition>();
  /** A fault of ours in a part that nobody waits for ends reading. */
  readonly #stop = new AbortController();
  #fault: { readonly error: unknown } | undefined;
  #signal: AbortSignal = this.#stop.signal;
  #flushedAt = 0;

  constructor(options: PumpOptions, deps: PumpDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Who judges may be another process. */
  get #isShared(): boolean {
    return (this.#options.unackedBatches ?? 0) > 0;
  }

  partitions(): readonly PartitionState[] {
    return [...this.#partitions.values()];
  }

  progress(): readonly PartitionProgress[] {
    return Array.from(this.#partitions.values(), (partition) => partition.progress);
  }

  /** After `run`: partitions of which something was read and given up, since the store refused it while this process stopped. It is read again. */
  get unstored(): readonly string[] {
    return [...this.#partitions.values()].filter(({ delivery }) => delivery.isDropped).map(({ label }) => label);
  }

  /** Runs until the source ends or `signal` aborts; then what was read is stored. */
  async run(signal: AbortSignal): Promise<void> {
    const { source, clock, bus } = this.#deps;
    this.#signal = AbortSignal.any([signal, this.#stop.signal]);
    this.#flushedAt = clock.monotonic();
    const ticks = new AbortController();
    const ticking = Promise.all([
      this.#every(Math.min(TICK_MS, this.#options.flushMs), () => this.#flushDue(), ticks.signal),
      this.#every(PROGRESS_MS, () => bus.progress(this.progress()), ticks.signal),
    ]);
    try {
      for await (const event of source.events(this.#signal)) {
        await this.#take(event);
        if (this.#signal.aborted) break;
        await this.#flushDue();
      }
      // A last flush even after the abort: records that were read need not be read again.
      if (this.#fault === undefined) await this.#flushAll();
      await Promise.all(Array.from(this.#partitions.values(), ({ delivery }) => delivery.settled()));
    } finally {
      ticks.abort();
      for (const { delivery } of this.#partitions.values()) if (this.#fault !== undefined) delivery.drop();
    }
    await ticking;
    if (this.#fault !== undefined) throw this.#fault.error;
  }

  async #every(ms: DurationMs, work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await this.#deps.clock.sleep(ms, signal);
        if (signal.aborted) return;
        await work();
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#fault ??= { error };
    this.#stop.abort();
  }

  async #take(event: SourceEvent): Promise<void> {
    switch (event.kind) {
      case 'assigned':
        return this.#assign(event);
      case 'revoked':
        return this.#forget(event.partition);
      case 'block': {
        const partition = await this.#reading(event.partition, () => event.bytes);
        if (partition === undefined) return;
        if (await this.#shares(partition, event.offset)) {
          partition.backlog?.block(event.bytes, event.offset, event.receivedAt);
          return;
        }
        partition.ingest?.block(event.bytes, event.offset, event.receivedAt);
        return this.#afterReading(partition);
      }
      case 'records': {
        const partition = this.#partitions.get(event.partition);
        if (partition === undefined || partition.isRefused) return;
        const isEarly = partition.format === '';
        if (isEarly) partition.early.add(event);
        if ((await this.#reading(event.partition, () => partition.early.sample())) === undefined) return;
        return isEarly ? this.#readEarly(partition) : this.#records(partition, event);
      }
      case 'oversized': {
        const partition = this.#partitions.get(event.partition);
        if (partition === undefined || partition.isRefused) return;
        if (await this.#shares(partition, event.offset)) partition.backlog?.oversized(event.offset, event.length);
        else partition.ingest?.oversized(event.offset, event.length);
        return;
      }
      case 'caught_up':
      case 'finished': {
        const partition = this.#partitions.get(event.partition);
        if (partition === undefined) return;
        partition.isAtEnd = true;
        // A message log is always near its end: it is flushed by the clock.
        if (partition.isChain && event.kind === 'caught_up') {
          // Another partition may have shown the format meanwhile.
          if (!partition.early.isEmpty && !partition.isRefused && (await this.#begin(partition, partition.early.sample()))) await this.#readEarly(partition);
          if (partition.early.isEmpty) partition.caughtUp();
          return;
        }
        await this.#leaveBacklog(partition, event.position);
        // The end of a file does not end its segment: a rotated file may still be written to, and goes on where it was. That it is done is part of the cursor.
        return this.#flush(partition, event.kind === 'finished');
      }
      case 'problem':
        this.#deps.onProblem(`${event.subject}: ${event.message}`);
        return;
      default:
        return assertNever(event);
    }
  }

  async #assign(event: Assigned): Promise<void> {
    const { store, clock, origin } = this.#deps;
    this.#forget(event.partition);
    const found = await this.#patiently(event.label, async () => {
      const source = await store.source(event.source ?? event.partition);
      await store.claim(`origin:${source}`, origin);
      const open = await this.#open(event, source);
      return { source, open, aliases: await this.#aliasesOf(open) };
    });
    if (found === undefined) return;
    const partition = new PumpedPartition(event, found, { isShared: this.#isShared, clock, delivery: (made) => this.#delivery(made) });
    this.#partitions.set(event.partition, partition);
    for (const batch of partition.retold(found.aliases)) partition.delivery.push({ batch, letters: [], isStored: true });
    if (event.head.length > 0) await this.#begin(partition, event.head);
  }

  /** The newest segment that is stored; its rows only where counting goes on with them. */
  async #open({ resume = 'rows', number = 0, generation = 1 }: Assigned, source: number): Promise<OpenSegment | undefined> {
    const { store } = this.#deps;
    if (resume === 'rows') return store.resume(source, number);
    const head = (await store.heads(source)).find(({ segment }) => segment.partition === number);
    if (head === undefined) return undefined;
    const isLeftOpen = resume === 'fresh' && !head.isSealed && head.segment.generation < generation;
    return isLeftOpen ? store.resume(source, number) : { ...head, rows: [], held: [] };
  }

  /** Both names of the keys whose rows are told again: the records that showed them are not read any more. */
  async #aliasesOf(open: OpenSegment | undefined): Promise<readonly Alias[]> {
    const credentials = new Set(open?.rows.map(({ entity }) => entity).filter((entity) => entity.startsWith(KEYS)));
    if (credentials.size === 0 || !this.#isShared) return [];
    const known = await this.#deps.store.aliases();
    return Array.from(known, ([fingerprint, credential]) => ({ credential, fingerprint })).filter(({ credential }) => credentials.has(credential));
  }

  #delivery(partition: PumpedPartition): Delivery {
    const { name, label, isShared } = partition;
    return new Delivery(
      {
        name,
        label,
        isShared,
        onStored: (batch) => partition.stored(batch),
        onMoved: () => {
          const { fault, batches, bytes } = partition.delivery;
          if (fault !== undefined) this.#fail(fault.error);
          const { unackedBatches = 0, unackedBytes = UNACKED_BYTES } = this.#options;
          if (!partition.isPaused || batches > unackedBatches / 2 || bytes > unackedBytes / 2) return;
          partition.isPaused = false;
          this.#deps.source.resume?.(name);
        },
      },
      this.#deps,
      this.#signal,
    );
  }

  /** It belongs to another process now, or begins anew: what is not stored of it is read again. */
  #forget(name: string): void {
    this.#partitions.get(name)?.delivery.drop();
    this.#partitions.delete(name);
  }

  /** The partition that a block is of, ready to count; undefined when nothing of it is read. */
  async #reading(name: string, head: () => Uint8Array): Promise<PumpedPartition | undefined> {
    const partition = this.#partitions.get(name);
    if (partition === undefined || partition.isRefused) return undefined;
    partition.isAtEnd = false;
    partition.lastBlockAt = this.#deps.clock.now();
    if (partition.format === '' && !(await this.#begin(partition, head()))) return undefined;
    if (partition.ingest === undefined && partition.backlog === undefined) throw new Error(`BUG: ${partition.label} has a format and nobody reads it`);
    return partition;
  }

  async #readEarly(partition: PumpedPartition): Promise<void> {
    for (const block of partition.early.take()) await this.#records(partition, block);
  }

  async #records(partition: PumpedPartition, block: RecordBlock): Promise<void> {
    partition.ingest?.records(block);
    await this.#afterReading(partition);
  }

  async #afterReading(partition: PumpedPartition): Promise<void> {
    const { ingest } = partition;
    if (ingest === undefined) return;
    partition.newest = Math.max(partition.newest, ingest.newest);
    for (const batch of ingest.takeSealed()) {
      partition.openSince = undefined;
      await this.#emit(partition, batch);
    }
    if (!ingest.isEmpty) partition.openSince ??= partition.lastBlockAt;
    // After an outage a minute's worth of rows comes within a second: each batch of them is an object per row until it is stored.
    if (partition.isShared && ingest.changed >= (this.#options.rowsMax ?? ROWS_MAX)) await this.#flush(partition);
    const urgent = ingest.takeUrgent();
    if (urgent !== undefined && !partition.delivery.isDropped) this.#deps.bus.hint(urgent);
  }

  /** The format of a source is found once a generation and stored, so that a restart and other processes read as this one. */
  async #begin(partition: PumpedPartition, head: Uint8Array): Promise<boolean> {
    const { store, onProblem, source } = this.#deps;
    const name = formatControl(partition);
    const { detect } = this.#options;
    const format = await this.#patiently(partition.label, async () => {
      const stored = await store.control(name);
      if (stored !== undefined) return this.#formatOf(stored);
      const found = detectFormat(head, detect);
      if (found.format === undefined) return found.why;
      return this.#formatOf(await store.claim(name, found.format.descriptor));
    });
    if (format === undefined) return false;
    if (typeof format === 'string') {
      // What comes next may show it.
      if (!partition.early.isEmpty && !partition.early.isFull) {
        if (!partition.isWaitTold) onProblem(`${partition.label}: nothing is counted until a record shows how to read it: ${format}`);
        partition.isWaitTold = true;
        return false;
      }
      partition.isRefused = true;
      partition.early.take();
      onProblem(`${partition.label}: ${format}`);
      source.pause?.(partition.name);
      return false;
    }
    partition.begin(format, this.#options, this.#deps);
    for (const batch of partition.ingest?.takeSealed() ?? []) await this.#emit(partition, batch);
    return true;
  }

  #formatOf(descriptor: string): Format {
    const format = formatOf(descriptor, this.#options.detect.keyNames);
    if (format === undefined)
      throw new Error(`no format is described by "${descriptor}", which the store holds; it was written by another version of keywatch`);
    return format;
  }

  /** Asks the store again and again while it is away; undefined when told to stop. */
  async #patiently<T>(label: string, work: () => Promise<T>): Promise<T | undefined> {
    const { clock, onProblem } = this.#deps;
    for (let isTold = false; ; isTold = true) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof Error && 'isRetryable' in error && error.isRetryable === true)) throw error;
        if (!isTold) onProblem(`${label}: nothing is read yet, since the store does not answer: ${error.message}`);
      }
      if (this.#signal.aborted) return undefined;
      await clock.sleep(RETRY_MS, this.#signal);
    }
  }

  /** Whether the record at `offset` goes to the threads: while there are many segments to go, from a segment's beginning on. */
  async #shares(partition: PumpedPartition, offset: Offset): Promise<boolean> {
    const { pool, source } = this.#deps;
    const { backlog, ingest } = partition;
    if (backlog !== undefined) {
      if (!backlog.endsBefore(offset)) return true;
      backlog.seal(source.cursor(partition.name, offset));
      while (backlog.isFull) await this.#storeOldest(partition, backlog);
      return true;
    }
    const { segmentBytes, limits } = this.#options;
    const left = (partition.sizeBytes ?? 0) - offset;
    if (pool === undefined || pool.threads < 2 || ingest === undefined || left <= BACKLOG_SEGMENTS * segmentBytes) return false;
    if (!ingest.isEmpty && offset < ingest.segmentEnd) return false;
    const cursor = source.cursor(partition.name, offset);
    for (const batch of ingest.finish()) await this.#emit(partition, batch, cursor);
    partition.ingest = undefined;
    partition.backlog = new Backlog(pool, { source: partition.sourceId, segmentBytes, descriptor: partition.descriptor, limits });
    return true;
  }

  async #storeOldest(partition: PumpedPartition, backlog: Backlog): Promise<boolean> {
    const oldest = await backlog.next();
    if (oldest?.batch !== undefined) await this.#emit(partition, oldest.batch, oldest.cursor);
    return oldest !== undefined;
  }

  /** The backlog is read: what the threads still hold is stored in order, and this thread goes on in the open segment. */
  async #leaveBacklog(partition: PumpedPartition, position: Offset): Promise<void> {
    const { backlog } = partition;
    if (backlog === undefined) return;
    while (await this.#storeOldest(partition, backlog));
    const open = await backlog.leave();
    if (open !== undefined) await this.#emit(partition, open, this.#deps.source.cursor(partition.name, position));
    await partition.delivery.settled();
    partition.backlog = undefined;
    // An idle thread holds some 30 MB.
    await this.#deps.pool?.rest();
    if (partition.delivery.isDropped) return;
    partition.begin(this.#formatOf(partition.descriptor), this.#options, this.#deps, await this.#deps.store.resume(partition.sourceId, 0));
  }

  async #flushDue(): Promise<void> {
    if (this.#deps.clock.monotonic() - this.#flushedAt >= this.#options.flushMs) await this.#flushAll();
  }

  async #flushAll(): Promise<void> {
    this.#flushedAt = this.#deps.clock.monotonic();
    for (const partition of this.#partitions.values()) {
      // What waits would only wait longer behind more: rows that change again meanwhile are sent once.
      if (partition.delivery.batches < 2 || this.#signal.aborted) await this.#flush(partition);
    }
  }

  async #flush(partition: PumpedPartition, isForced = false): Promise<void> {
    const batch = partition.ingest?.flush(isForced);
    if (batch !== undefined) await this.#emit(partition, batch);
  }

  async #emit(partition: PumpedPartition, batch: PartialBatch, cursor?: string): Promise<void> {
    const { source } = this.#deps;
    const { delivery, name, ingest } = partition;
    if (delivery.isDropped) return;
    if (batch.newest > partition.newest) partition.newest = batch.newest;
    const whole = { ...batch, newest: partition.newest, cursor: cursor ?? source.cursor(name, batch.next) };
    partition.sent(batch.next);
    delivery.push({ batch: whole, letters: this.#lettersOf(partition, ingest?.takeRejected(batch.next) ?? []) });
    const { unackedBatches = 0, unackedBytes = UNACKED_BYTES } = this.#options;
    if (unackedBatches === 0) return delivery.settled();
    if (delivery.batches <= unackedBatches && delivery.bytes <= unackedBytes) return;
    if (source.pause === undefined) return delivery.settled({ batches: unackedBatches, bytes: unackedBytes });
    if (partition.isPaused) return;
    partition.isPaused = true;
    source.pause(name);
  }

  #lettersOf({ sourceName, number }: PumpedPartition, rejected: ReturnType<NonNullable<PumpedPartition['ingest']>['takeRejected']>): readonly DeadLetter[] {
    const now = this.#deps.clock.now();
    return rejected.map((record) => ({ ...record, source: sourceName, partition: number, at: record.at < 0 ? now : record.at }));
  }
}

/** The control value that says how records are read. A new generation takes over what is configured then. */
function formatControl({ sourceId, generation }: PumpedPartition): string {
  return generation === FIRST_GENERATION ? `format:${sourceId}` : `format:${sourceId}/${generation}`;
}
