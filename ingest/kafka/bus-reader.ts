import type { Clock } from '../../core/clock.ts';
import type { BusEvent, BusReader } from '../../core/ports.ts';
import type { DurationMs, EpochMs, Offset } from '../../core/types.ts';
import type { KafkaClient } from './client.ts';
import { BUS_VERSION, PieceJoiner, decodeBatch, decodeMessage } from './bus-message.ts';
import { isOutage } from './errors.ts';
import { KafkaFault, faultOf } from './fault.ts';
import { LogReader } from './log-reader.ts';
import { orAborted } from './or-aborted.ts';
import { rawBatches } from './raw-batches.ts';
import { type FetchedPartition, OFFSET_OUT_OF_RANGE } from './raw-fetch.ts';
import { RecordWalk } from './record-walk.ts';

export type KafkaBusReaderOptions = {
  readonly topic: string;
  /** How long a broker may wait for something to send. Default 250. */
  readonly maxWaitMs?: DurationMs;
  /** How often new partitions of the topic are looked for. Default 30 s. */
  readonly refreshMs?: DurationMs;
};

export type KafkaBusReaderDeps = {
  readonly client: KafkaClient;
  readonly clock: Clock;
  readonly onProblem: (message: string) => void;
  /** Aborted: the topic is not waited for any more. What reads already goes on until it is disposed. */
  readonly signal?: AbortSignal;
};

type Cursor = { next: Offset; readonly joiners: Map<string, PieceJoiner> };

const MAX_WAIT_MS = 250;
const REFRESH_MS = 30_000;
const RETRY_MS = 500;
const FETCH_BYTES = 8 * 1024 * 1024;
const PARTITION_BYTES = 2 * 1024 * 1024;
/** Senders of one partition whose batch is not whole yet; the oldest of more is forgotten (its process is gone). */
const JOINERS_MAX = 64;

/**
 * The judge's end of the bus: reads every partition of the topic itself, without a group, so that nothing has to be
 * assigned and nothing is ever committed. A judge that starts anew seeds itself from the store instead.
 */
export class KafkaBusReader implements BusReader {
  readonly #options: KafkaBusReaderOptions;
  readonly #deps: KafkaBusReaderDeps;
  readonly #reader: LogReader;
  readonly #cursors = new Map<number, Cursor>();
  readonly #walk = new RecordWalk();
  readonly #stop = new AbortController();
  #loop: Promise<void> | undefined;
  #refreshedAt = 0;
  #isFailing = false;
  /** Versions of messages that were named. Bounded: a version is a byte. */
  readonly #refused = new Set<number>();

  constructor(options: KafkaBusReaderOptions, deps: KafkaBusReaderDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#reader = new LogReader(deps.client.kafka);
  }

  /** Waits for the topic and its brokers as long as it takes; rejects when told to stop meanwhile, and with a `KafkaFault` for what only a person can change. */
  async start(onEvent: (event: BusEvent) => Promise<void>): Promise<void> {
    const { topic } = this.#options;
    const signal = this.#deps.signal === undefined ? this.#stop.signal : AbortSignal.any([this.#stop.signal, this.#deps.signal]);
    for (;;) {
      try {
        const ranges = await orAborted(this.#reader.ranges(topic), signal);
        if (ranges !== undefined && ranges.size > 0) {
          for (const [partition, { end }] of ranges) this.#cursors.set(partition, { next: end, joiners: new Map() });
          this.#recovered();
          break;
        }
        if (ranges !== undefined) this.#failing(`topic ${topic} is missing: \`keywatch setup\` makes it; waiting for it`);
      } catch (error) {
        const fault = faultOf(error);
        if (!isOutage(error)) throw new KafkaFault(`topic ${topic} cannot be read: ${fault.reason}`, { isRetryable: false });
        this.#failing(`topic ${topic} cannot be read yet: ${fault.reason}; waiting for it, asked again every few seconds`);
      }
      await this.#deps.clock.sleep(RETRY_MS, signal);
      if (signal.aborted) throw new Error(`topic ${topic}: stopped before its reading began`);
    }
    this.#refreshedAt = this.#deps.clock.monotonic();
    this.#loop = this.#run(onEvent);
    // What the handler throws is a bug of ours; it comes out of `ended`.
    this.#loop.catch(() => undefined);
  }

  /** Rejects when the handler threw; resolves when disposed. */
  get ended(): Promise<void> {
    return this.#loop ?? Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop?.catch(() => undefined);
    await this.#reader[Symbol.asyncDispose]();
  }

  async #run(onEvent: (event: BusEvent) => Promise<void>): Promise<void> {
    const { topic, maxWaitMs = MAX_WAIT_MS, refreshMs = REFRESH_MS } = this.#options;
    const { clock } = this.#deps;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      let answers: readonly FetchedPartition[] = [];
      try {
        if (clock.monotonic() - this.#refreshedAt >= refreshMs) await this.#refresh();
        const places = [...this.#cursors].map(([partition, { next }]) => ({ topic, partition, offset: next }));
        answers = await this.#reader.fetch(places, { maxWaitMs, maxBytes: FETCH_BYTES, maxBytesPerPartition: PARTITION_BYTES });
        const hasMoved = answers.some(({ errorCode }) => errorCode !== 0);
        if (hasMoved || answers.length === 0) await this.#recover(answers);
        else this.#recovered();
      } catch (error) {
        this.#failing(`topic ${topic} cannot be read: ${faultOf(error).reason}`);
        await clock.sleep(RETRY_MS, signal);
        await this.#refresh().catch(() => undefined);
      }
      for (const answer of answers) if (answer.errorCode === 0) await this.#take(answer, onEvent);
    }
  }

  /** Leaders moved, or what was to be read next is gone. */
  async #recover(answers: readonly FetchedPartition[]): Promise<void> {
    const { topic } = this.#options;
    await this.#deps.clock.sleep(RETRY_MS, this.#stop.signal);
    await this.#refresh();
    if (!answers.some(({ errorCode }) => errorCode === OFFSET_OUT_OF_RANGE)) return;
    const ranges = await this.#reader.ranges(topic);
    for (const { partition, errorCode } of answers) {
      const cursor = this.#cursors.get(partition);
      const range = ranges.get(partition);
      if (errorCode !== OFFSET_OUT_OF_RANGE || cursor === undefined || range === undefined) continue;
      this.#deps.onProblem(
        `topic ${topic} partition ${partition}: the judge had read up to ${cursor.next}, and the topic holds ${range.start} to ${range.end}: what was between is missing on the bus, not in the store. Give the topic more retention, or restart the judge if the topic was made anew`,
      );
      this.#cursors.set(partition, { next: range.start, joiners: new Map() });
    }
  }

  /** A partition that was added holds nothing that the judge has seen: it is read from its beginning. */
  async #refresh(): Promise<void> {
    for (const partition of await this.#reader.partitions(this.#options.topic)) {
      if (!this.#cursors.has(partition)) this.#cursors.set(partition, { next: 0, joiners: new Map() });
    }
    this.#refreshedAt = this.#deps.clock.monotonic();
  }

  async #take({ partition, records }: FetchedPartition, onEvent: (event: BusEvent) => Promise<void>): Promise<void> {
    const { topic } = this.#options;
    const cursor = this.#cursors.get(partition);
    if (cursor === undefined) return;
    for (const batch of rawBatches(records)) {
      const lastOffset = batch.damage === undefined ? batch.header.lastOffset : batch.lastOffset;
      if (lastOffset < cursor.next) continue;
      const isEmpty = batch.damage === undefined && batch.header.isControl;
      const damage = batch.damage ?? (isEmpty ? undefined : this.#walk.walk(batch.header, batch.bytes, cursor.next)?.damage);
      // Whoever goes on waits for nothing: the rows are in the store, and the next batch of the same segment holds them again.
      if (damage !== undefined) this.#deps.onProblem(`topic ${topic} partition ${partition}: the batch at offset ${cursor.next} is left out: ${damage}`);
      const events = damage !== undefined || isEmpty ? [] : this.#events(cursor);
      cursor.next = lastOffset + 1;
      for (const event of events) {
        if (this.#stop.signal.aborted) return;
        await onEvent(event);
      }
    }
  }

  #events(cursor: Cursor): readonly BusEvent[] {
    const { bytes, count, starts, ends, times } = this.#walk;
    const events: BusEvent[] = [];
    for (let index = 0; index < count; index++) {
      // Copied: the walk's bytes are used again, and small rows must not keep a whole fetch in memory.
      const event = this.#event(cursor, bytes.slice(starts[index], ends[index]), times[index] as number);
      if (event !== undefined) events.push(event);
    }
    return events;
  }

  #event({ joiners }: Cursor, bytes: Uint8Array, at: EpochMs): BusEvent | undefined {
    try {
      const message = decodeMessage(bytes);
      if (message === undefined || message.kind === 'progress') return message;
      if (message.kind === 'unknown') {
        this.#refuse(message.version);
        return undefined;
      }
      const joiner = joiners.get(message.from) ?? new PieceJoiner();
      const whole = joiner.add(message);
      // Only senders with a batch on its way are remembered: processes come and go.
      joiners.delete(message.from);
      if (!joiner.isEmpty) joiners.set(message.from, joiner);
      if (joiners.size > JOINERS_MAX) forgetOldest(joiners);
      return whole === undefined ? undefined : { kind: 'batch', batch: decodeBatch(whole), ...(at < 0 ? {} : { at }) };
    } catch (error) {
      if (!(error instanceof RangeError || error instanceof SyntaxError)) throw error;
      // Nobody of ours writes such a message; whoever did must not stop the judge.
      this.#deps.onProblem(`topic ${this.#options.topic}: a message that is none of the bus is left out: ${error.message}`);
      return undefined;
    }
  }

  #refuse(version: number): void {
    if (this.#refused.has(version)) return;
    this.#refused.add(version);
    this.#deps.onProblem(
      `topic ${this.#options.topic}: messages of bus version ${version} are left out, this process knows version ${BUS_VERSION}: another version of keywatch writes there; what it counts is in the store, and is judged late. Update all processes to one version`,
    );
  }

  #failing(message: string): void {
    if (!this.#isFailing) this.#deps.onProblem(message);
    this.#isFailing = true;
  }

  #recovered(): void {
    if (this.#isFailing) this.#deps.onProblem(`topic ${this.#options.topic}: read again`);
    this.#isFailing = false;
  }
}

function forgetOldest(joiners: Map<string, PieceJoiner>): void {
  const [oldest] = joiners.keys();
  if (oldest !== undefined) joiners.delete(oldest);
}

export function kafkaBusReader(client: KafkaClient, options: KafkaBusReaderOptions, deps: Omit<KafkaBusReaderDeps, 'client'>): KafkaBusReader {
  return new KafkaBusReader(options, { ...deps, client });
}
