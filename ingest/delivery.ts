import type { Clock } from '../core/clock.ts';
import type { PartialBatch } from '../core/partial.ts';
import type { DeadLetter, DeadLetters, EventSource, MetricStore, PartialBus } from '../core/ports.ts';
import type { DurationMs, Outcome } from '../core/types.ts';

export type DeliveryDeps = {
  readonly store: MetricStore;
  readonly bus: PartialBus;
  readonly source: Pick<EventSource, 'stored'>;
  readonly deadLetters?: DeadLetters | undefined;
  readonly clock: Clock;
  readonly onProblem: (message: string) => void;
};

export type DeliveryOptions = {
  /** As the source calls the partition, and as people do. */
  readonly name: string;
  readonly label: string;
  /** Store and bus are shared with other processes: the end of a segment is stored after the bus acknowledged. */
  readonly isShared: boolean;
  /** The store and the judge have it. */
  readonly onStored: (batch: PartialBatch) => void;
  /** Something was delivered, or nothing more will be. */
  readonly onMoved: () => void;
};

/** What is delivered together: the dead letters are of records of this batch. What is stored already is only told again. */
export type Parcel = { readonly batch: PartialBatch; readonly letters: readonly DeadLetter[]; readonly isStored?: boolean };

const RETRY_MS: DurationMs = 1000;
/** A person mends what the store refuses for good: a mapping, a right. */
const HALTED_RETRY_MS: DurationMs = 30_000;
const NO_ROWS = { rows: [], held: [], gone: [], aliases: [] } as const;
/** What a row costs beside its cells, roughly: an object, a view of its cells, its place in two lists. */
const ROW_BYTES = 256;

/**
 * One partition's batches on their way: into the store, to the judge, and last of all back to the source, each step
 * acknowledged before the next, each batch before the next. Reading goes on meanwhile; whoever reads watches `bytes`.
 */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #deps: DeliveryDeps;
  readonly #signal: AbortSignal;
  readonly #queue: Parcel[] = [];
  #isBusy = false;
  #bytes = 0;
  #batches = 0;
  #isDropped = false;
  /** Dead letters were given up at the end: what follows them is stored, and not committed. */
  #isCommitStopped = false;
  #fault: { readonly error: unknown } | undefined;
  /** Why nothing of it is stored. */
  #trouble: string | undefined;
  /** The segment whose head is stored. */
  #opened = '';
  /** What follows the rows: letters, then the source. A topic of dead letters that is away must not hold the rows back. */
  #commits: Promise<void> = Promise.resolve();
  #waiting: (() => void)[] = [];

  /** When `signal` aborts, what the store refuses is not tried again: it will be read again. */
  constructor(options: DeliveryOptions, deps: DeliveryDeps, signal: AbortSignal) {
    this.#options = options;
    this.#deps = deps;
    this.#signal = signal;
  }

  /** Cells and letters that are under way. */
  get bytes(): number {
    return this.#bytes;
  }

  get batches(): number {
    return this.#batches;
  }

  /** Everything that was pushed is stored and with the judge. */
  get isIdle(): boolean {
    return this.#queue.length === 0 && !this.#isBusy;
  }

  /** Nothing more of this partition is stored: it belongs to another process, or this one stops while the store refuses. */
  get isDropped(): boolean {
    return this.#isDropped;
  }

  /** A fault of ours; everything was dropped. */
  get fault(): { readonly error: unknown } | undefined {
    return this.#fault;
  }

  /** Why the store refuses, while it does. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  push(parcel: Parcel): void {
    if (this.#isDropped) return;
    this.#queue.push(parcel);
    this.#batches++;
    this.#bytes += sizeOf(parcel);
    if (!this.#isBusy) void this.#run();
  }

  /** Resolves when no more than this is under way, or nothing more will be delivered; a fault of ours is thrown. */
  async settled(most = { batches: 0, bytes: 0 }): Promise<void> {
    while ((this.#batches > most.batches || this.#bytes > most.bytes) && this.#fault === undefined && !this.#isDropped)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.#fault !== undefined) throw this.#fault.error;
  }

  /** What is not stored will never be, and nothing of it is committed. */
  drop(): void {
    this.#isDropped = true;
    this.#queue.length = 0;
    this.#moved();
  }

  async #run(): Promise<void> {
    this.#isBusy = true;
    try {
      for (let parcel = this.#queue.shift(); parcel !== undefined; parcel = this.#queue.shift()) await this.#deliver(parcel);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isBusy = false;
    }
    this.#moved();
  }

  async #deliver(parcel: Parcel): Promise<void> {
    const { batch, isStored = false } = parcel;
    const isApart = this.#options.isShared && batch.isSealed;
    // 1. that there is such a segment: rows that are stored without their head would be nobody's after a crash
    if (!isStored && !(await this.#openSegment(batch))) return;
    // 2. the rows and the position
    if (!isStored && !(await this.#store(isApart ? { ...batch, isSealed: false } : batch))) return;
    // 3. then the judge
    await this.#deps.bus.publish(batch);
    if (this.#isDropped) return;
    // 4. only then the end of the segment: whoever goes on behind it need not tell of it again
    if (isApart && !(await this.#store({ ...batch, ...NO_ROWS }))) return;
    this.#options.onStored(batch);
    // 5. the source, last of all
    this.#commits = this.#commits.then(() => this.#commit(parcel));
    this.#commits.catch((error: unknown) => this.#fail(error));
    this.#moved();
  }

  /** In one transaction with its first rows where the store is embedded. */
  async #openSegment(batch: PartialBatch): Promise<boolean> {
    const { generation, start } = batch.segment;
    const name = `${generation} ${start}`;
    if (!this.#options.isShared || this.#opened === name) return true;
    const isOpened = await this.#store({ ...batch, ...NO_ROWS, next: start, isSealed: false, rejects: {}, dropped: 0, records: 0, overLimit: 0, skewed: 0 });
    if (isOpened) this.#opened = name;
    return isOpened;
  }

  async #commit(parcel: Parcel): Promise<void> {
    const { batch, letters, isStored = false } = parcel;
    if (letters.length > 0 && !(await this.#bury(letters))) this.#isCommitStopped = true;
    if (!isStored && !this.#isDropped && !this.#isCommitStopped) {
      await this.#deps.source.stored?.(this.#options.name, { next: batch.next, isSealed: batch.isSealed });
    }
    this.#batches--;
    this.#bytes -= sizeOf(parcel);
    this.#moved();
  }

  /** The process ends before anything more is committed. */
  #fail(error: unknown): void {
    this.#fault ??= { error };
    this.drop();
  }

  /** False when it was given up. */
  async #store(batch: PartialBatch): Promise<boolean> {
    const { store, clock, onProblem } = this.#deps;
    const { label, isShared } = this.#options;
    while (!this.#isDropped) {
      const outcome = await store.put(batch);
      if (outcome.ok) {
        if (this.#trouble !== undefined) onProblem(`${label}: the store accepts again`);
        this.#trouble = undefined;
        return !this.#isDropped;
      }
      if (this.#trouble === undefined && !this.#isDropped) onProblem(`${label}: ${refusal(outcome, isShared)}`);
      this.#trouble = outcome.reason;
      // What is not stored will be read again after a restart. What follows it must not be stored either: positions have no gaps.
      if (this.#signal.aborted) this.drop();
      else await clock.sleep(outcome.retryable || !isShared ? (outcome.retryAfterMs ?? RETRY_MS) : HALTED_RETRY_MS, this.#signal);
    }
    return false;
  }

  /** False when they were given up. */
  async #bury(letters: readonly DeadLetter[]): Promise<boolean> {
    const { deadLetters, clock, onProblem } = this.#deps;
    const { label } = this.#options;
    if (deadLetters === undefined) return true;
    for (let isTold = false; !this.#isDropped; isTold = true) {
      const outcome = await deadLetters.put(letters);
      if (outcome.ok) return true;
      if (!outcome.retryable) {
        onProblem(`${label}: ${letters.length} rejected records are not kept as dead letters (they are counted, and still in their topic): ${outcome.reason}`);
        return true;
      }
      if (!isTold) onProblem(`${label}: nothing is committed, since the dead letters are refused (counting goes on): ${outcome.reason}`);
      if (this.#signal.aborted) return false;
      await clock.sleep(outcome.retryAfterMs ?? RETRY_MS, this.#signal);
    }
    return false;
  }

  #moved(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
    this.#options.onMoved();
  }
}

function refusal(outcome: Extract<Outcome, { ok: false }>, isShared: boolean): string {
  if (outcome.retryable || !isShared) return `nothing more is read, since the store refuses: ${outcome.reason}`;
  return `halted, since the store refuses for good: ${outcome.reason}; mend that, it is tried again every ${HALTED_RETRY_MS / 1000} s; nothing is lost, and other partitions go on`;
}

function sizeOf({ batch, letters }: Parcel): number {
  let bytes = 0;
  for (const row of batch.rows) bytes += row.cells.length + ROW_BYTES;
  for (const row of batch.held) bytes += row.cells.length + ROW_BYTES;
  for (const letter of letters) bytes += letter.value.length + ROW_BYTES;
  return bytes;
}
