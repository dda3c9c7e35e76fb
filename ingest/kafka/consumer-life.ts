import type { Clock } from '../../core/clock.ts';
import type { DurationMs } from '../../core/types.ts';
import type { KafkaClient } from './client.ts';
import { isMissingTopic, isOutage } from './errors.ts';
import type { FetchAnswer } from './every-answer.ts';
import { faultOf } from './fault.ts';
import { orAborted } from './or-aborted.ts';
import { type ConsumerTuning, GroupConsumer, type GroupJoin } from './group-consumer.ts';
import type { TopicWatch } from './topic-watch.ts';

export type LifeTuning = ConsumerTuning & {
  /** How often topics are looked for, and halted partitions looked after. Default 30 s. */
  readonly watchMs?: DurationMs;
  /** Before the brokers are asked again. Default 1 s. */
  readonly retryMs?: DurationMs;
};

/** Only ever told by the consumer that lives now. */
export type LifeListener = {
  onJoin(join: GroupJoin): void;
  onAnswer(answer: FetchAnswer): boolean;
  /** None of the topics exists. */
  onNoTopics(): void;
  /** Every `watchMs`. */
  onWatch(): Promise<void>;
};

export type LifeOptions = { readonly group: string; readonly tuning?: LifeTuning };
export type LifeDeps = {
  readonly client: KafkaClient;
  readonly clock: Clock;
  readonly watch: TopicWatch;
  readonly listener: LifeListener;
  readonly onProblem: (message: string) => void;
};

export const RETRY_MS = 1000;
const WATCH_MS = 30_000;

/**
 * Keeps a consumer alive in its group: begins when brokers and topics are there, begins anew when it died of something
 * that passes or when other topics are there, and gives up (rejects) on what only a person can change.
 */
export class ConsumerLife {
  readonly #options: LifeOptions;
  readonly #deps: LifeDeps;
  #consumer: GroupConsumer | undefined;
  #cluster = '';
  #isTold = false;

  constructor(options: LifeOptions, deps: LifeDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Undefined between two lives. */
  get consumer(): GroupConsumer | undefined {
    return this.#consumer;
  }

  /** The id of the cluster; empty before its brokers answered. */
  get cluster(): string {
    return this.#cluster;
  }

  /** Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, watch, listener } = this.#deps;
    while (!signal.aborted) {
      try {
        const found = await orAborted(watch.find(), signal);
        if (found === undefined) return;
        const { cluster, topics } = found;
        this.#cluster = cluster;
        if (topics.length > 0) await this.#consume(topics, signal);
        else {
          listener.onNoTopics();
          await clock.sleep(this.#watchMs, signal);
        }
      } catch (error) {
        this.#judge(error);
        await clock.sleep(this.#options.tuning?.retryMs ?? RETRY_MS, signal);
      }
    }
  }

  /** Rethrows what does not pass by itself. */
  #judge(error: unknown): void {
    // The next look at the topics says which one it is.
    if (isMissingTopic(error)) return;
    if (!isOutage(error)) throw new Error(`kafka group ${this.#options.group} cannot be read: ${faultOf(error).reason}`, { cause: error });
    if (!this.#isTold) this.#deps.onProblem(`kafka group ${this.#options.group}: nothing is read until the brokers answer: ${faultOf(error).reason}`);
    this.#isTold = true;
  }

  /** One consumer, until it dies (rejects), or other topics are there, or `signal` aborts. */
  async #consume(topics: readonly string[], signal: AbortSignal): Promise<void> {
    const { client, clock, listener } = this.#deps;
    const crash = Promise.withResolvers<never>();
    crash.promise.catch(() => undefined);
    const isNow = (): boolean => this.#consumer === consumer;
    const consumer: GroupConsumer = new GroupConsumer(
      { group: this.#options.group, tuning: this.#options.tuning ?? {} },
      {
        client,
        listener: {
          onJoin: (join) => {
            if (!isNow()) return;
            this.#recovered();
            listener.onJoin(join);
          },
          onAnswer: (answer) => isNow() && listener.onAnswer(answer),
          onCrash: (error) => crash.reject(error instanceof Error ? error : new Error(String(error))),
        },
      },
    );
    this.#consumer = consumer;
    try {
      await Promise.race([orAborted(consumer.start(topics), signal), crash.promise]);
      while (!signal.aborted) {
        await Promise.race([clock.sleep(this.#watchMs, signal), crash.promise]);
        if (signal.aborted || (await this.#hasOtherTopics(topics))) return;
      }
    } finally {
      this.#consumer = undefined;
      // A connection that is gone cannot be closed any more.
      await consumer.stop().catch(() => undefined);
    }
  }

  async #hasOtherTopics(topics: readonly string[]): Promise<boolean> {
    try {
      await this.#deps.listener.onWatch();
      const now = (await this.#deps.watch.find()).topics;
      return now.length !== topics.length || now.some((topic) => !topics.includes(topic));
    } catch {
      // Store or brokers are away: whether the consumer lives is for it to find out, and this is asked again.
      return false;
    }
  }

  #recovered(): void {
    if (this.#isTold) this.#deps.onProblem(`kafka group ${this.#options.group}: the brokers answer again`);
    this.#isTold = false;
  }

  get #watchMs(): DurationMs {
    return this.#options.tuning?.watchMs ?? WATCH_MS;
  }
}
