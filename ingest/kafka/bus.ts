import type { Clock } from '../../core/clock.ts';
import type { PartialBatch } from '../../core/partial.ts';
import type { PartialBus, PartitionProgress, TopicPublisher } from '../../core/ports.ts';
import type { DurationMs } from '../../core/types.ts';
import { encodeBatchMessages, encodeProgressMessage } from './bus-message.ts';

export type KafkaBusOptions = {
  readonly topic: string;
  /** Names this process to the judge; another one than every other process that is alive. */
  readonly id: string;
};

export type KafkaBusDeps = {
  readonly publisher: TopicPublisher;
  /** One of its own for hints: they overtake batches, which may be megabytes. Default `publisher`. */
  readonly hints?: TopicPublisher;
  readonly clock: Clock;
  readonly onProblem: (message: string) => void;
  /** Aborted: what cannot be sent at once is given up, so that the process can end. */
  readonly signal?: AbortSignal;
};

const NEVER = new AbortController().signal;
const RETRY_MS: DurationMs = 1000;
/** Hints that wait for the brokers; more are left out, since the batches bring the same rows. */
const HINTS_MAX = 32;

/**
 * What the ingester tells the judge, over a topic. Batches of one partition stay in order (one key), and the pieces of
 * a large one are never mixed with those of another from here.
 */
export class KafkaBus implements PartialBus {
  readonly #options: KafkaBusOptions;
  readonly #deps: KafkaBusDeps;
  #serial = 0;
  #hints = 0;

  constructor(options: KafkaBusOptions, deps: KafkaBusDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  async publish(batch: PartialBatch): Promise<void> {
    const { topic } = this.#options;
    const { clock, onProblem, signal = NEVER } = this.#deps;
    for (let isTold = false; ;) {
      const outcome = await this.#send(batch);
      if (outcome.ok) {
        if (isTold) onProblem(`topic ${topic}: the judge is told again`);
        return;
      }
      if (!outcome.retryable || signal.aborted) throw new Error(`the judge cannot be told: ${outcome.reason}`);
      if (!isTold) onProblem(`nothing more is read, since the judge cannot be told: ${outcome.reason}`);
      isTold = true;
      await clock.sleep(outcome.retryAfterMs ?? RETRY_MS, signal);
    }
  }

  hint(batch: PartialBatch): void {
    if (this.#hints >= HINTS_MAX || this.#deps.signal?.aborted === true) return;
    this.#hints++;
    // Lost when it fails: the batch that follows brings its rows too.
    void this.#send(batch, this.#deps.hints).then(
      () => this.#hints--,
      () => this.#hints--,
    );
  }

  async progress(partitions: readonly PartitionProgress[]): Promise<void> {
    const { topic, id } = this.#options;
    // A lost one is followed by the next within about a second.
    await this.#deps.publisher.publish(topic, [{ key: id, value: encodeProgressMessage(id, partitions) }]);
  }

  #send(batch: PartialBatch, publisher = this.#deps.publisher): ReturnType<TopicPublisher['publish']> {
    const { topic, id } = this.#options;
    const key = `${batch.segment.source}.${batch.segment.partition}`;
    // Another sender to the reader, who puts the pieces of each together.
    const from = publisher === this.#deps.publisher ? id : `${id} hints`;
    const messages = encodeBatchMessages(batch, { from, serial: ++this.#serial }).map((value) => ({ key, value }));
    return publisher.publish(topic, messages);
  }
}

export function kafkaBus(publisher: TopicPublisher, options: KafkaBusOptions, deps: Omit<KafkaBusDeps, 'publisher'>): KafkaBus {
  return new KafkaBus(options, { ...deps, publisher });
}
