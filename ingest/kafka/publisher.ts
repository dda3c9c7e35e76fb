import type { CompressionTypes, IHeaders, Message, Producer } from 'kafkajs';
import type { TopicPublisher } from '../../core/ports.ts';
import { OK, type Outcome, failed } from '../../core/types.ts';
import type { KafkaClient } from './client.ts';
import type { COMPRESSION } from './codecs.ts';
import { errorType, isOutage } from './errors.ts';
import { faultOf } from './fault.ts';
import { kafkajs } from './patch.ts';

export type PublisherOptions = {
  /** Default lz4: it costs least on both sides. */
  readonly compression?: keyof typeof COMPRESSION;
  /** Tries of the client before a send is an `Outcome`. Default 4. */
  readonly retries?: number;
};

type OutMessage = Parameters<TopicPublisher['publish']>[1][number];

/** The client's producer takes time that grows with the square of the messages of a send (notes/measured.md). */
const MESSAGES_MAX = 5000;
/** Below the 1 MiB that brokers accept for a batch by default. */
const BYTES_MAX = 900_000;
/** Lengths, timestamps and the like of one message in a batch, at most. */
const OVERHEAD_BYTES = 70;
const TOO_LARGE: ReadonlySet<string> = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);

/** Sends to topics, acknowledged by all replicas that are in sync. One send at a time, in the order of the calls. */
export class KafkaPublisher implements TopicPublisher {
  readonly #client: KafkaClient;
  readonly #options: PublisherOptions;
  #producer: Producer | undefined;
  /** A cluster that denies idempotent writes still takes plain ones: a message may come twice then, which all readers of ours bear. */
  #isIdempotent = true;
  #queue: Promise<unknown> = Promise.resolve();
  #isDisposed = false;

  constructor(options: PublisherOptions, deps: { readonly client: KafkaClient }) {
    this.#options = options;
    this.#client = deps.client;
  }

  publish(topic: string, messages: readonly OutMessage[]): Promise<Outcome> {
    const sent = this.#queue.then(() => this.#sendAll(topic, messages));
    this.#queue = sent.catch(() => undefined);
    return sent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue;
    this.#isDisposed = true;
    await this.#drop();
  }

  async #sendAll(topic: string, messages: readonly OutMessage[]): Promise<Outcome> {
    for (const run of runsOf(messages)) {
      const outcome = await this.#send(topic, run);
      if (!outcome.ok) return outcome;
    }
    return OK;
  }

  async #send(topic: string, messages: readonly OutMessage[]): Promise<Outcome> {
    if (this.#isDisposed) return failed(`topic ${topic}: nothing is sent after the end`, false);
    try {
      const producer = (this.#producer ??= await this.#connect());
      await producer.send({ topic, acks: -1, compression: compressionOf(this.#options.compression ?? 'lz4'), messages: messages.map(toMessage) });
      return OK;
    } catch (error) {
      // Its sequence numbers may be ahead of or behind the broker's now: the next messages under the same numbers would be taken for repeats and dropped.
      await this.#drop();
      const type = errorType(error);
      if (TOO_LARGE.has(type)) {
        const largest = messages.reduce((max, { value }) => Math.max(max, value?.length ?? 0), 0);
        return failed(`topic ${topic} refuses a message of ${largest} bytes: raise its max.message.bytes`, false);
      }
      const fault = faultOf(error);
      return failed(`topic ${topic}: ${fault.reason}`, isOutage(error));
    }
  }

  async #connect(): Promise<Producer> {
    try {
      return await this.#open(this.#isIdempotent);
    } catch (error) {
      if (!this.#isIdempotent || errorType(error) !== 'CLUSTER_AUTHORIZATION_FAILED') throw error;
      this.#isIdempotent = false;
      return this.#open(false);
    }
  }

  async #open(idempotent: boolean): Promise<Producer> {
    const producer = this.#client.kafka.producer({
      idempotent,
      allowAutoTopicCreation: false,
      createPartitioner: kafkajs().Partitioners.DefaultPartitioner,
      maxInFlightRequests: 1,
      retry: { retries: this.#options.retries ?? 4 },
      metadataMaxAge: 60_000,
    });
    try {
      await producer.connect();
    } catch (error) {
      await producer.disconnect().catch(() => undefined);
      throw error;
    }
    return producer;
  }

  async #drop(): Promise<void> {
    const producer = this.#producer;
    this.#producer = undefined;
    // A connection that is gone cannot be closed any more, which is as good.
    await producer?.disconnect().catch(() => undefined);
  }
}

/** Connects with the first send, so that a process can start while the brokers are away. */
export function kafkaPublisher(client: KafkaClient, options: PublisherOptions = {}): KafkaPublisher {
  return new KafkaPublisher(options, { client });
}

/** As many messages as fit into one request; one that is too large stands alone, so that only it is refused. */
export function* runsOf(messages: readonly OutMessage[], bytesMax = BYTES_MAX, messagesMax = MESSAGES_MAX): Iterable<readonly OutMessage[]> {
  let start = 0;
  let bytes = 0;
  for (let index = 0; index < messages.length; index++) {
    const size = sizeOf(messages[index]);
    if (index > start && (bytes + size > bytesMax || index - start >= messagesMax)) {
      yield messages.slice(start, index);
      start = index;
      bytes = 0;
    }
    bytes += size;
  }
  if (start < messages.length) yield messages.slice(start);
}

function compressionOf(name: keyof typeof COMPRESSION): CompressionTypes {
  const { CompressionTypes: types } = kafkajs();
  return { none: types.None, gzip: types.GZIP, snappy: types.Snappy, lz4: types.LZ4, zstd: types.ZSTD }[name];
}

function sizeOf(message: OutMessage | undefined): number {
  if (message === undefined) return 0;
  let size = OVERHEAD_BYTES + (message.value?.length ?? 0) + (message.key === undefined ? 0 : Buffer.byteLength(message.key));
  for (const [name, value] of Object.entries(message.headers ?? {})) size += Buffer.byteLength(name) + Buffer.byteLength(value) + 10;
  return size;
}

function toMessage({ key, value, headers, partition }: OutMessage): Message {
  return {
    ...(key === undefined ? {} : { key }),
    // The client takes Buffers only; this is a view, not a copy.
    value: value === null ? null : Buffer.from(value.buffer, value.byteOffset, value.length),
    ...(headers === undefined ? {} : { headers: { ...headers } satisfies IHeaders }),
    ...(partition === undefined ? {} : { partition }),
  };
}
