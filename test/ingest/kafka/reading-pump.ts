import { systemClock } from '../../../core/clock.ts';
import type { PartitionHead, SourceEvent } from '../../../core/ports.ts';
import type { KafkaSourceOptions, QuarantinedBatch } from '../../../ingest/kafka/source-options.ts';
import { type KafkaSource, kafkaSource } from '../../../ingest/kafka/source.ts';
import { fresh } from '../../services/needs.ts';
import { type Scratch, until } from './scratch.ts';

/** What all processes of a test share: heads as a store would hold them, claims, the generation. */
export class SharedHeads {
  readonly heads = new Map<string, PartitionHead>();
  readonly claims = new Map<string, string>();
  generation = 1;
  isAway = false;

  readonly deps = {
    head: async (source: string, partition: number): Promise<PartitionHead | undefined> => {
      if (this.isAway) throw new Error('the store is away');
      return this.heads.get(`${source}/${partition}`);
    },
    generation: async (): Promise<number> => this.generation,
    claim: async (name: string, value: string): Promise<string> => {
      const stored = this.claims.get(name) ?? value;
      this.claims.set(name, stored);
      return stored;
    },
  };
}

type Seen = { readonly offset: number; readonly value: string };
type Reading = {
  readonly start: number;
  readonly resume: string;
  readonly generation: number;
  readonly seen: Seen[];
  crc: number;
  next: number;
  isAtEnd: boolean;
};

/** Stands for the pump: keeps what it read of each partition since it was assigned, and stores a head when told to. */
export class ReadingPump implements AsyncDisposable {
  readonly source: KafkaSource;
  readonly partitions = new Map<string, Reading>();
  readonly events: Exclude<SourceEvent, { kind: 'records' }>[] = [];
  readonly problems: string[] = [];
  readonly quarantined: QuarantinedBatch[] = [];
  readonly #heads: SharedHeads;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  failure: unknown;
  /** While set, events are not asked for. */
  gate: Promise<void> | undefined;

  constructor(
    scratch: Pick<Scratch, 'client'>,
    heads: SharedHeads,
    options: Partial<KafkaSourceOptions> & { readonly topics: KafkaSourceOptions['topics']; readonly group: string },
  ) {
    this.#heads = heads;
    this.source = kafkaSource(
      {
        startFrom: 'earliest',
        ...options,
        tuning: {
          maxWaitMs: 50,
          minBytes: 1,
          watchMs: 200,
          retryMs: 100,
          idleMs: 100,
          metadataMaxAgeMs: 300,
          heartbeatMs: 200,
          sessionTimeoutMs: 10_000,
          rebalanceTimeoutMs: 15_000,
          ...options.tuning,
        },
      },
      {
        client: scratch.client,
        clock: systemClock,
        ...heads.deps,
        onProblem: (message) => void this.problems.push(message),
        quarantine: async (batch) => void this.quarantined.push({ ...batch, bytes: Uint8Array.from(batch.bytes) }),
      },
    );
    this.#running = this.#run().catch((error: unknown) => {
      this.failure = error;
    });
  }

  /** Offsets read of `<topic>/<n>` since it was assigned. */
  offsets(topic: string, number = 0): readonly number[] {
    return this.of(topic, number)?.seen.map(({ offset }) => offset) ?? [];
  }

  of(topic: string, number = 0): Reading | undefined {
    return [...this.partitions].find(([name]) => name.endsWith(`/${topic}/${number}`))?.[1];
  }

  nameOf(topic: string, number = 0): string {
    const found = [...this.partitions.keys()].find((name) => name.endsWith(`/${topic}/${number}`));
    if (found === undefined) throw new Error(`${topic}/${number} is not assigned`);
    return found;
  }

  told(pattern: RegExp): boolean {
    return [...this.problems, ...this.events.map((event) => (event.kind === 'problem' ? `${event.subject}: ${event.message}` : ''))].some((line) =>
      pattern.test(line),
    );
  }

  /** Stores what was read up to `next` of a segment that began at `start`, then tells the source as the pump does. */
  async store(topic: string, number: number, part: { readonly start?: number; readonly next: number; readonly isSealed: boolean }): Promise<void> {
    const name = this.nameOf(topic, number);
    const reading = this.partitions.get(name);
    const start = part.start ?? reading?.start ?? 0;
    this.#heads.heads.set(name, {
      segment: { source: 1, partition: number, generation: reading?.generation ?? 1, start },
      next: part.next,
      isSealed: part.isSealed,
      span: { firstAt: 0, length: 1 << 20, crc: reading?.crc ?? 0 },
      rejects: {},
      dropped: 0,
      records: part.next - start,
      newest: 0,
    });
    await this.source.stored(name, { next: part.next, isSealed: part.isSealed });
  }

  async caughtUp(topic: string, number: number, next: number): Promise<void> {
    await until(
      () => {
        if (this.failure !== undefined) throw new Error('the source failed', { cause: this.failure });
        const reading = this.of(topic, number);
        return reading !== undefined && reading.next === next && reading.isAtEnd;
      },
      `${topic}/${number} to be read up to ${next} (${JSON.stringify({ ...this.of(topic, number), seen: this.offsets(topic, number).length })}; ${this.problems.join('; ')})`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.source[Symbol.asyncDispose]();
  }

  async #run(): Promise<void> {
    for await (const event of this.source.events(this.#stop.signal)) {
      this.#take(event);
      if (this.gate !== undefined) await this.gate;
    }
  }

  #take(event: SourceEvent): void {
    if (event.kind === 'records') {
      const reading = this.partitions.get(event.partition);
      if (reading === undefined) throw new Error(`records of ${event.partition}, which is not assigned`);
      const { bytes, count, offsets, starts, ends } = event;
      if (reading.crc === 0) reading.crc = event.crc;
      for (let index = 0; index < count; index++) {
        const offset = offsets[index] ?? -1;
        if (offset < reading.next) throw new Error(`${event.partition}: ${offset} comes after ${reading.next}`);
        reading.seen.push({ offset, value: Buffer.from(bytes.subarray(starts[index], ends[index])).toString() });
        reading.next = offset + 1;
      }
      reading.isAtEnd = false;
      return;
    }
    this.events.push(event);
    if (event.kind === 'assigned') {
      if (this.partitions.has(event.partition)) throw new Error(`${event.partition} is assigned twice`);
      this.partitions.set(event.partition, {
        start: event.from,
        resume: event.resume ?? '',
        generation: event.generation ?? 0,
        seen: [],
        crc: 0,
        next: event.from,
        isAtEnd: false,
      });
    } else if (event.kind === 'revoked') {
      if (!this.partitions.delete(event.partition)) throw new Error(`${event.partition} is revoked and was not assigned`);
    } else if (event.kind === 'caught_up') {
      const reading = this.partitions.get(event.partition);
      if (reading === undefined) throw new Error(`the end of ${event.partition}, which is not assigned`);
      // Control records stand at the end, too.
      reading.next = event.position;
      reading.isAtEnd = true;
    }
  }
}

export function freshGroup(): string {
  return fresh('group');
}
