import type { Consumer } from 'kafkajs';
import type { DurationMs, Offset } from '../../core/types.ts';
import type { KafkaClient } from './client.ts';
import { type FetchAnswer, answerOf, seeEveryAnswer } from './every-answer.ts';

/** How the brokers are asked (notes/streaming.md 1.5). */
export type ConsumerTuning = {
  readonly maxBytesPerPartition?: number;
  readonly maxBytes?: number;
  readonly minBytes?: number;
  readonly maxWaitMs?: DurationMs;
  readonly sessionTimeoutMs?: DurationMs;
  readonly heartbeatMs?: DurationMs;
  readonly rebalanceTimeoutMs?: DurationMs;
  /** How old the client's picture of the topics may be: added partitions are found after it. */
  readonly metadataMaxAgeMs?: DurationMs;
};

export type GroupJoin = { readonly memberId: string; readonly assignment: Readonly<Record<string, readonly number[]>> };

export type GroupListener = {
  /** At every join, before anything is fetched under the new assignment. All of it is paused then, and stays so until it is released. */
  onJoin(join: GroupJoin): void;
  /** Returns whether it was taken; then what follows it is fetched next. Must not throw, and returns at once. */
  onAnswer(answer: FetchAnswer): boolean;
  /** It is over: nothing more comes of this consumer, which has left the group. */
  onCrash(error: unknown): void;
};

const MIB = 1024 * 1024;
const RETRIES = 5;

/** One life of a kafkajs consumer in a group. It never restarts by itself: whoever owns it makes another. */
export class GroupConsumer {
  readonly #consumer: Consumer;
  readonly #listener: GroupListener;
  #commit: ((offsets: { readonly topics: readonly object[] }) => Promise<void>) | undefined;
  #isActive = true;

  constructor(options: { readonly group: string; readonly tuning: ConsumerTuning }, deps: { readonly client: KafkaClient; readonly listener: GroupListener }) {
    const { tuning, group } = options;
    this.#listener = deps.listener;
    this.#consumer = deps.client.kafka.consumer({
      groupId: group,
      allowAutoTopicCreation: false,
      maxBytesPerPartition: tuning.maxBytesPerPartition ?? MIB,
      maxBytes: tuning.maxBytes ?? 10 * MIB,
      minBytes: tuning.minBytes ?? 64 * 1024,
      maxWaitTimeInMs: tuning.maxWaitMs ?? 100,
      sessionTimeout: tuning.sessionTimeoutMs ?? 30_000,
      heartbeatInterval: tuning.heartbeatMs ?? 3000,
      rebalanceTimeout: tuning.rebalanceTimeoutMs ?? 60_000,
      metadataMaxAge: tuning.metadataMaxAgeMs ?? 60_000,
      // Its own restart would forget what is paused, and would try for ever what cannot be cured.
      retry: { retries: RETRIES, restartOnFailure: () => Promise.resolve(false) },
    });
    const { GROUP_JOIN, CRASH } = this.#consumer.events;
    this.#consumer.on(GROUP_JOIN, ({ payload: { memberId, memberAssignment } }) => {
      if (!this.#isActive) return;
      this.#consumer.pause(Object.entries(memberAssignment).map(([topic, partitions]) => ({ topic, partitions: [...partitions] })));
      this.#listener.onJoin({ memberId, assignment: memberAssignment });
    });
    this.#consumer.on(CRASH, ({ payload: { error } }) => this.#crash(error));
  }

  /** Resolves when reading began; rejects when the brokers or the topics are not there. */
  async start(topics: readonly string[]): Promise<void> {
    await this.#consumer.connect();
    // What is out of range is read from the beginning, and noticed: never skipped.
    await this.#consumer.subscribe({ topics: [...topics], fromBeginning: true });
    await this.#consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: 1,
      eachBatch: seeEveryAnswer(async (payload) => {
        if (!this.#isActive) return;
        this.#commit = (offsets) => payload.commitOffsetsIfNecessary(offsets as Parameters<typeof payload.commitOffsetsIfNecessary>[0]);
        if (this.#listener.onAnswer(answerOf(payload))) payload.resolveOffset(payload.batch.lastOffset());
      }),
    });
  }

  /** Where to read next, from now on: what is on its way is dropped. */
  seek(topic: string, partition: number, offset: Offset): void {
    if (this.#isActive) this.#consumer.seek({ topic, partition, offset: String(offset) });
  }

  pause(topic: string, partition: number): void {
    if (this.#isActive) this.#consumer.pause([{ topic, partitions: [partition] }]);
  }

  resume(topic: string, partition: number): void {
    if (this.#isActive) this.#consumer.resume([{ topic, partitions: [partition] }]);
  }

  /** One attempt, under the generation of the group as it is now: a repeated one could be of a partition that has another owner by then. */
  async commit(place: { readonly topic: string; readonly partition: number; readonly offset: Offset; readonly metadata: string }): Promise<void> {
    const { topic, partition, offset, metadata } = place;
    await this.#commit?.({ topics: [{ topic, partitions: [{ partition, offset: String(offset), metadata }] }] });
  }

  /** Leaves the group. */
  async stop(): Promise<void> {
    this.#isActive = false;
    this.#commit = undefined;
    await this.#consumer.disconnect();
  }

  #crash(error: unknown): void {
    if (!this.#isActive) return;
    this.#isActive = false;
    this.#commit = undefined;
    this.#listener.onCrash(error);
  }
}
