import type { EventSource, SourceEvent, PartitionPosition } from '../../core/ports.ts';
import type { Offset } from '../../core/types.ts';
import { AssignedPartition, nextReadable } from './assigned-partition.ts';
import { errorType, isRebalance } from './errors.ts';
import type { FetchAnswer } from './every-answer.ts';
import { faultOf } from './fault.ts';
import { ConsumerLife, RETRY_MS } from './consumer-life.ts';
import type { GroupJoin } from './group-consumer.ts';
import { LogReader } from './log-reader.ts';
import { type CorruptBatch, MessageBlocks } from './message-block.ts';
import { type FoundPlace, PlaceFinder, commitMark } from './place-finder.ts';
import { Settling } from './settling.ts';
import type { KafkaSourceDeps, KafkaSourceOptions } from './source-options.ts';
import { TopicWatch } from './topic-watch.ts';

const WAITING_BYTES_MAX = 32 * 1024 * 1024;
const IDLE_MS = 5000;
/** Per message, beside its value: the client's objects. */
const MESSAGE_BYTES = 100;

/**
 * Topics of Kafka as a source: the group says which partitions are ours, the chain in the store says where each goes on.
 * Everything that kafkajs gets wrong (notes/streaming.md 1.3) is met here: answers of lost assignments are dropped, silent resets and
 * logs made anew are noticed, nothing blocks its heartbeats, and it is made anew when it dies.
 */
export class KafkaSource implements EventSource {
  readonly name: string;
  readonly #options: KafkaSourceOptions;
  readonly #deps: KafkaSourceDeps;
  readonly #reader: LogReader;
  readonly #settling: Settling;
  readonly #blocks: MessageBlocks;
  readonly #partitions = new Map<string, AssignedPartition>();
  readonly #told: SourceEvent[] = [];
  readonly #stop = new AbortController();
  readonly #commitFaults = new Set<string>();
  readonly #life: ConsumerLife;
  #memberId = '';
  #supervision: Promise<void> | undefined;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  #isFull = false;
  #isDone = false;
  #lastRead = '';

  constructor(options: KafkaSourceOptions, deps: KafkaSourceDeps) {
    this.name = `kafka ${options.group}`;
    this.#options = options;
    this.#deps = deps;
    this.#reader = new LogReader(deps.client.kafka);
    const unpackedMax = options.tuning?.unpackedBytesMax;
    this.#blocks = new MessageBlocks(unpackedMax === undefined ? {} : { unpackedMax });
    const reader = this.#reader;
    const watch = new TopicWatch(options.topics, { reader, onProblem: deps.onProblem });
    this.#settling = new Settling(
      { group: options.group, retryMs: options.tuning?.retryMs ?? RETRY_MS },
      {
        ...deps,
        reader,
        finder: new PlaceFinder(options, { ...deps, reader }),
        isLate: (topic) => watch.isLate(topic),
        isCurrent: (partition, turn) => this.#isCurrent(partition, turn),
        onSettled: (partition, found) => this.#settled(partition, found),
      },
    );
    this.#life = new ConsumerLife(options, {
      ...deps,
      watch,
      listener: {
        onJoin: (join) => this.#joined(join),
        onAnswer: (answer) => this.#answered(answer),
        onNoTopics: () => this.#revokeAll(),
        onWatch: () => this.#freeHalted(),
      },
    });
  }

  positions(): readonly PartitionPosition[] {
    return Array.from(this.#partitions.values(), (partition) => partition.position);
  }

  /** Records below the high watermark that were not delivered, as of the last answer of the broker. */
  lag(partition: string): number | undefined {
    const found = this.#partitions.get(partition);
    return found === undefined || found.highWatermark < 0 ? undefined : Math.max(0, found.highWatermark - found.delivered);
  }

  /** For metrics: fetched and not read yet, over all partitions that are not paused. */
  get waitingBytes(): number {
    let bytes = 0;
    for (const { isPaused, waitingBytes } of this.#partitions.values()) if (!isPaused) bytes += waitingBytes;
    return bytes;
  }

  async *events(signal: AbortSignal): AsyncIterable<SourceEvent> {
    this.#supervision ??= this.#life.run(this.#stop.signal).catch((error: unknown) => this.#fail(error));
    const onAbort = (): void => this.#wake?.();
    signal.addEventListener('abort', onAbort);
    try {
      for (;;) {
        const next = await this.#pull(signal);
        if (next === undefined) return;
        if (next instanceof AssignedPartition) yield* this.#read(next);
        else yield next;
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      // The group is kept until the source is disposed of: what was read can still be committed.
      this.#isDone = true;
      this.#applyAll();
    }
  }

  /** The chain in the store is the position: nothing else is needed. */
  cursor(): string {
    return '';
  }

  /** The commit only mirrors the chain, for other tools to see: losing one loses nothing. */
  async stored(partition: string, place: { readonly next: Offset; readonly isSealed: boolean }): Promise<void> {
    const found = this.#partitions.get(partition);
    if (!place.isSealed || found === undefined || this.#life.consumer === undefined) return;
    const { topic, number, generation } = found;
    try {
      await this.#life.consumer.commit({ topic, partition: number, offset: place.next, metadata: commitMark(generation) });
      this.#commitFaults.clear();
    } catch (error) {
      const type = errorType(error);
      if (isRebalance(error) || this.#commitFaults.has(type)) return;
      this.#commitFaults.add(type);
      this.#deps.onProblem(`group ${this.#options.group} cannot commit (counting is right all the same, its lag is not shown): ${faultOf(error).reason}`);
    }
  }

  pause(partition: string): void {
    this.#setPaused(partition, true);
  }

  resume(partition: string): void {
    this.#setPaused(partition, false);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#isDone = true;
    this.#wake?.();
    await this.#supervision;
    await this.#reader[Symbol.asyncDispose]();
  }

  // What the pump asks for.

  async #pull(signal: AbortSignal): Promise<SourceEvent | AssignedPartition | undefined> {
    for (;;) {
      if (signal.aborted || this.#stop.signal.aborted) return undefined;
      if (this.#failure !== undefined) throw this.#failure;
      const next = this.#told.shift() ?? nextReadable(this.#partitions.values(), this.#lastRead);
      if (next !== undefined) return next;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async *#read(partition: AssignedPartition): AsyncIterable<SourceEvent> {
    const { name, turn } = partition;
    this.#lastRead = name;
    const waiting = partition.shift();
    if (waiting === undefined) return;
    for (const block of this.#blocks.blocks(waiting.messages, { partition: name, from: partition.delivered })) {
      if (block.kind === 'corrupt') {
        const problem = await this.#corrupt(partition, block);
        if (problem !== undefined) yield problem;
        if (!this.#isCurrent(partition, turn)) return;
        continue;
      }
      if (block.leaderEpoch >= 0 && block.leaderEpoch < partition.leaderEpoch) {
        partition.leaderEpoch = block.leaderEpoch;
        this.#unsettle([partition]);
        return;
      }
      partition.leaderEpoch = block.leaderEpoch;
      partition.delivered = block.lastOffset + 1;
      if (block.crc !== 0) partition.landmark = { offset: block.offsets[0] ?? block.baseOffset, crc: block.crc };
      yield block;
      if (!this.#isCurrent(partition, turn)) return;
      if (partition.isPaused && partition.delivered < waiting.next) {
        partition.unshift(waiting);
        return;
      }
    }
    partition.delivered = Math.max(partition.delivered, waiting.next);
    this.#relieve();
    if (!waiting.isEnd || partition.waiting.length > 0) return;
    partition.atEndSince = this.#deps.clock.monotonic();
    yield { kind: 'caught_up', partition: name, position: partition.delivered };
  }

  async #corrupt(partition: AssignedPartition, batch: CorruptBatch): Promise<SourceEvent | undefined> {
    const { baseOffset, lastOffset, why } = batch;
    const place = `the record batch at offset ${baseOffset}${lastOffset > baseOffset ? ` to ${lastOffset}` : ''} cannot be read: ${why}`;
    const subject = `topic ${partition.label}`;
    if (this.#options.onCorrupt !== 'skip') {
      partition.unsettle();
      partition.phase = 'halted';
      // A new generation does not mend it.
      partition.haltedBy = 'corrupt';
      partition.halt = place;
      this.#apply(partition);
      return { kind: 'problem', partition: partition.name, subject, message: `halted: ${place}. Set onCorrupt: skip to leave it out, and restart` };
    }
    const { source, number } = partition;
    await this.#deps.quarantine?.({ source, partition: number, baseOffset, lastOffset, why, bytes: batch.bytes });
    partition.delivered = lastOffset + 1;
    return { kind: 'problem', partition: partition.name, subject, message: `${place}; it is left out` };
  }

  #setPaused(name: string, isPaused: boolean): void {
    const partition = this.#partitions.get(name);
    if (partition === undefined || partition.isPaused === isPaused) return;
    partition.isPaused = isPaused;
    this.#relieve();
    this.#apply(partition);
    this.#wake?.();
  }

  // What the consumer brings.

  #joined({ memberId, assignment }: GroupJoin): void {
    // Whoever stayed a member all the time and keeps a partition has lost nothing of it.
    const isSameMember = memberId === this.#memberId;
    this.#memberId = memberId;
    const assigned = Object.entries(assignment).flatMap(([topic, numbers]) =>
      numbers.map((number) => new AssignedPartition(this.#life.cluster, topic, number)),
    );
    const names = new Set(assigned.map(({ name }) => name));
    for (const partition of this.#partitions.values()) if (!isSameMember || !names.has(partition.name)) this.#revoke(partition);
    const unsettled: AssignedPartition[] = [];
    for (const fresh of assigned) {
      const partition = this.#partitions.get(fresh.name) ?? fresh;
      this.#partitions.set(partition.name, partition);
      partition.isClientPaused = true;
      if (partition.phase !== 'halted') unsettled.push(partition);
    }
    this.#unsettle(unsettled);
    this.#wake?.();
  }

  #answered(answer: FetchAnswer): boolean {
    const partition = this.#partitions.get(`kafka:${this.#life.cluster}/${answer.topic}/${answer.partition}`);
    if (this.#isDone || partition === undefined || partition.phase !== 'reading') return false;
    // Reset silently, stale, or of a log that was made anew.
    if (answer.fetchedOffset !== partition.fetched || answer.highWatermark < partition.fetched) {
      this.#unsettle([partition]);
      return false;
    }
    partition.highWatermark = answer.highWatermark;
    const isEnd = answer.next >= answer.highWatermark;
    if (answer.next === answer.fetchedOffset) {
      if (isEnd) this.#idle(partition);
      return false;
    }
    const bytes = answer.messages.reduce((sum, { value }) => sum + MESSAGE_BYTES + (value?.length ?? 0), 0);
    partition.atEndSince = -1;
    partition.push({ messages: answer.messages, from: answer.fetchedOffset, next: answer.next, bytes, isEnd });
    this.#relieve();
    this.#wake?.();
    return true;
  }

  #idle(partition: AssignedPartition): void {
    if (partition.waiting.length > 0) return;
    const { atEndSince } = partition;
    if (atEndSince >= 0 && this.#deps.clock.monotonic() - atEndSince < (this.#options.tuning?.idleMs ?? IDLE_MS)) return;
    const { fetched } = partition;
    partition.push({ messages: [], from: fetched, next: fetched, bytes: 0, isEnd: true });
    this.#wake?.();
  }

  /** A bounded heap: while too much waits, nothing is fetched; heartbeats go on. */
  #relieve(): void {
    const max = this.#options.tuning?.waitingBytesMax ?? WAITING_BYTES_MAX;
    const bytes = this.waitingBytes;
    const isFull = this.#isFull ? bytes > max / 2 : bytes > max;
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    this.#applyAll();
  }

  #applyAll(): void {
    for (const partition of this.#partitions.values()) this.#apply(partition);
  }

  #apply(partition: AssignedPartition): void {
    const isPaused = partition.phase !== 'reading' || partition.isPaused || this.#isFull || this.#isDone;
    const { consumer } = this.#life;
    if (isPaused === partition.isClientPaused || consumer === undefined) return;
    partition.isClientPaused = isPaused;
    if (isPaused) consumer.pause(partition.topic, partition.number);
    else consumer.resume(partition.topic, partition.number);
  }

  #revokeAll(): void {
    for (const partition of this.#partitions.values()) this.#revoke(partition);
    this.#wake?.();
  }

  #revoke(partition: AssignedPartition): void {
    this.#partitions.delete(partition.name);
    partition.unsettle();
    if (partition.isAnnounced) this.#told.push({ kind: 'revoked', partition: partition.name });
  }

  // Where each partition goes on.

  /** What is not read yet of these partitions is dropped, and where they go on is found out again. */
  #unsettle(partitions: readonly AssignedPartition[]): void {
    for (const [topic, group] of Map.groupBy(partitions, (partition) => partition.topic)) {
      const turns = new Map(group.map((partition) => [partition, partition.unsettle()]));
      for (const partition of group) this.#apply(partition);
      this.#settling.begin(topic, turns, this.#stop.signal).catch((error: unknown) => this.#fail(error));
    }
    this.#relieve();
  }

  #settled(partition: AssignedPartition, { place, generation, landmark, end, acked }: FoundPlace): void {
    const { name, topic, number, source, label } = partition;
    partition.generation = generation;
    if (place.kind === 'halt') {
      partition.phase = 'halted';
      partition.haltedBy = place.why;
      partition.halt = place.message;
      partition.highWatermark = end;
      if (!partition.isAnnounced) partition.delivered = acked;
      this.#told.push({ kind: 'problem', partition: name, subject: `topic ${label}`, message: `halted: ${place.message}` });
      this.#wake?.();
      return;
    }
    if (!partition.isAnnounced) {
      partition.isAnnounced = true;
      partition.delivered = place.from;
      partition.landmark = landmark;
      this.#told.push({
        kind: 'assigned',
        partition: name,
        label,
        from: place.from,
        head: new Uint8Array(0),
        source,
        number,
        segments: 'chain',
        generation,
        resume: place.kind,
      });
    }
    partition.fetched = partition.delivered;
    partition.highWatermark = end;
    partition.phase = 'reading';
    this.#life.consumer?.seek(topic, number, partition.delivered);
    this.#apply(partition);
    if (partition.delivered >= end) this.#idle(partition);
    this.#wake?.();
  }

  #isCurrent(partition: AssignedPartition, turn: number): boolean {
    return partition.turn === turn && this.#partitions.get(partition.name) === partition;
  }

  /** What an operator decided meanwhile: a new generation frees what was halted for its log's sake. */
  async #freeHalted(): Promise<void> {
    await this.#lookAtHalted();
    const halted = [...this.#partitions.values()].filter(({ phase, haltedBy }) => phase === 'halted' && haltedBy !== 'corrupt');
    if (halted.length === 0) return;
    const generation = await this.#deps.generation();
    const freed = halted.filter((partition) => partition.generation !== generation);
    for (const partition of freed) {
      if (partition.isAnnounced) this.#told.push({ kind: 'revoked', partition: partition.name });
      partition.isAnnounced = false;
    }
    this.#unsettle(freed);
  }

  /** Nothing is fetched of them, so nothing else would say how far behind they fall. */
  async #lookAtHalted(): Promise<void> {
    const halted = [...this.#partitions.values()].filter(({ phase }) => phase === 'halted');
    for (const topic of new Set(halted.map((partition) => partition.topic))) {
      const ranges = await this.#reader.ranges(topic);
      for (const partition of halted) if (partition.topic === topic) partition.highWatermark = ranges.get(partition.number)?.end ?? partition.highWatermark;
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
    this.#wake?.();
  }
}

export function kafkaSource(options: KafkaSourceOptions, deps: KafkaSourceDeps): KafkaSource {
  return new KafkaSource(options, deps);
}
