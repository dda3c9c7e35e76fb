import type { Clock } from '../../core/clock.ts';
import type { DeadLetters, MetricStore } from '../../core/ports.ts';
import type { Secret } from '../../core/secret.ts';
import { Sealer } from '../../ingest/dead-letter/seal.ts';
import { kafkaBus } from '../../ingest/kafka/bus.ts';
import { kafkaBusReader } from '../../ingest/kafka/bus-reader.ts';
import { type KafkaClient, openKafka } from '../../ingest/kafka/client.ts';
import { deadLetterTopic } from '../../ingest/kafka/dead-letter-topic.ts';
import { KafkaFault } from '../../ingest/kafka/fault.ts';
import { kafkaPublisher } from '../../ingest/kafka/publisher.ts';
import { reachKafka } from '../../ingest/kafka/reach.ts';
import { kafkaSource } from '../../ingest/kafka/source.ts';
import type { QuarantinedBatch } from '../../ingest/kafka/source-options.ts';
import type { Step, Steps } from '../../ingest/ingest-options.ts';
import { RULES } from '../../detectors/registry.ts';
import { type Config, type KafkaConfig, type SourceConfig, ruleLimits } from '../config/config.ts';
import { CliError, usageError } from '../cli/errors.ts';
import type { PipelineSource, SharedBus } from '../pipeline/pipeline.ts';

export type KafkaDeps = {
  readonly clock: Clock;
  readonly pepper: Secret;
  readonly holder: string;
  readonly onProblem: (message: string) => void;
  /** Aborted: the process ends, and what Kafka does not take at once is read again by whoever goes on. */
  readonly signal?: AbortSignal;
};

/** The number of this generation of all message logs; `keywatch generation new` raises it. */
export const GENERATION = 'generation';

/** While a backlog is read: fewer writes of the same rows. What crosses a limit goes ahead. */
const FLUSH_MS = 5000;
const QUARANTINE_RETRY_MS = 1000;
/** Batches of one partition on their way to the store. */
const UNACKED_BATCHES = 4;
/** A row is told early at every such share of the lowest limit that it could cross: it may be spread over partitions. */
const STEP_SHARE = 8;

/** The Kafka source of a configuration, if there is one. */
export function kafkaOf(config: Config): KafkaConfig | undefined {
  return config.sources.find((source) => source.kind === 'kafka')?.kafka;
}

export function connectKafka(
  kafka: KafkaConfig,
  deps: { readonly clientId: string; readonly onProblem: (message: string) => void; readonly retries?: number },
): KafkaClient {
  return openKafka({
    brokers: kafka.brokers,
    clientId: deps.clientId,
    ...(deps.retries === undefined ? {} : { retries: deps.retries }),
    ...(kafka.tls === undefined ? {} : { tls: kafka.tls }),
    ...(kafka.sasl === undefined ? {} : { sasl: kafka.sasl }),
    log: (level, text) => {
      if (level === 'error' || level === 'warn') deps.onProblem(text);
    },
  });
}

/** Whether other processes may do a part of the work: then nothing is kept in this one alone. */
export function isShared(config: Config): boolean {
  return kafkaOf(config) !== undefined || config.store.elasticsearch !== undefined;
}

/** Whether a process may leave judging, or reading, to others: both ends need what is between them. */
export function canSplitRoles(config: Config): boolean {
  return kafkaOf(config) !== undefined && config.store.elasticsearch !== undefined;
}

/** True where Kafka is away and may come back by itself; not for a refused login. */
export function isKafkaAway(error: unknown): error is Error {
  return error instanceof KafkaFault && error.isRetryable;
}

/** What the processes of this installation talk over; undefined where each hears only itself. */
export function sharedBusOf(config: Config, deps: KafkaDeps): (() => Promise<SharedBus>) | undefined {
  const kafka = kafkaOf(config);
  return kafka === undefined || !canSplitRoles(config) ? undefined : () => openReachedBus(kafka, deps);
}

/** The brokers are asked first: whoever starts before them can then say in one line what it waits for. */
async function openReachedBus(kafka: KafkaConfig, deps: KafkaDeps): Promise<SharedBus> {
  await reachKafka(connectKafka(kafka, { clientId: `keywatch-start-${deps.holder}`, onProblem: () => undefined, retries: 0 }));
  return openKafkaBus(kafka, deps);
}

/** What the processes tell each other, over the cluster that they read from. */
export async function openKafkaBus(kafka: KafkaConfig, deps: KafkaDeps): Promise<SharedBus> {
  await using stack = new AsyncDisposableStack();
  const client = connectKafka(kafka, { clientId: `keywatch-bus-${deps.holder}`, onProblem: deps.onProblem });
  const publisher = stack.use(kafkaPublisher(client));
  const hints = stack.use(kafkaPublisher(client));
  const bus = kafkaBus(
    publisher,
    { topic: kafka.busTopic, id: deps.holder },
    { clock: deps.clock, onProblem: deps.onProblem, hints, ...(deps.signal === undefined ? {} : { signal: deps.signal }) },
  );
  const opened = stack.move();
  return {
    publisher: bus,
    reader: () =>
      kafkaBusReader(
        client,
        { topic: kafka.busTopic },
        { clock: deps.clock, onProblem: deps.onProblem, ...(deps.signal === undefined ? {} : { signal: deps.signal }) },
      ),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

export function kafkaPipelineSource(source: SourceConfig & { readonly kind: 'kafka' }, config: Config, deps: KafkaDeps): PipelineSource {
  const { kafka } = source;
  const deadLetters = deadLettersOf(kafka, deps);
  return {
    reading: source,
    tag: `kafka ${kafka.group}`,
    pump: { flushMs: FLUSH_MS, unackedBatches: UNACKED_BATCHES, steps: stepsOf(config) },
    open: async (_known, store) => {
      // Two groups would count every record twice.
      const group = await store.claim('kafka group', kafka.group);
      if (group !== kafka.group)
        throw usageError(
          `the store is filled by the consumer group ${group}, this configuration says ${kafka.group}: every record would be counted twice; use that group, or another store.elasticsearch.prefix`,
        );
      const client = connectKafka(kafka, { clientId: `keywatch-${deps.holder}`, onProblem: deps.onProblem });
      return kafkaSource(
        {
          topics: kafka.pattern === undefined ? kafka.topics : [new RegExp(`^(?:${kafka.pattern})$`)],
          group: kafka.group,
          startFrom: kafka.from,
          onCorrupt: kafka.onCorrupt,
        },
        {
          client,
          clock: deps.clock,
          head: async (name, partition) => {
            const heads = await store.heads(await store.source(name));
            return heads.find(({ segment }) => segment.partition === partition);
          },
          generation: () => generationOf(store),
          claim: (name, value) => store.claim(name, value),
          onProblem: deps.onProblem,
          // Only with onCorrupt: skip. Nobody can read it, but somebody may want to look at it.
          quarantine: (batch) => quarantine(deadLetters, batch, deps),
        },
      );
    },
    deadLetters,
  };
}

export async function generationOf(store: MetricStore): Promise<number> {
  return Number((await store.control(GENERATION)) ?? '1');
}

function deadLettersOf(kafka: KafkaConfig, deps: KafkaDeps): DeadLetters & AsyncDisposable {
  const sealer = new Sealer(deps.pepper);
  const client = connectKafka(kafka, { clientId: `keywatch-dlq-${deps.holder}`, onProblem: deps.onProblem });
  const publisher = kafkaPublisher(client);
  const topic = deadLetterTopic(publisher, { topic: kafka.deadLetterTopic, seal: (bytes) => sealer.seal(bytes) });
  return { put: (letters) => topic.put(letters), [Symbol.asyncDispose]: () => publisher[Symbol.asyncDispose]() };
}

/** The lowest critical limits of what cannot un-breach, so that a breach need not wait for the next flush. */
function stepsOf(config: Config): Steps {
  const lowest = (rule: string): Step | undefined => {
    const own = [...config.directory.keys, ...Object.values(config.directory.plans)].flatMap(({ rules }) => rules[rule]?.critical ?? []);
    const all = [ruleLimits(config, rule).critical ?? [], own].flat().filter((limit) => limit > 0);
    if (all.length === 0 || !RULES.some(({ id }) => id === rule)) return undefined;
    const limit = Math.floor(Math.min(...all));
    return { limit, every: Math.max(1, Math.floor(limit / STEP_SHARE)) };
  };
  return { requests: lowest('request_rate'), failedAuth: lowest('failed_auth'), bytes: lowest('data_transfer') };
}

async function quarantine(deadLetters: DeadLetters, batch: QuarantinedBatch, { clock, signal }: KafkaDeps): Promise<void> {
  const { source, partition, baseOffset, bytes } = batch;
  const stop = signal ?? new AbortController().signal;
  for (;;) {
    const outcome = await deadLetters.put([{ source, partition, offset: baseOffset, index: 0, reason: 'binary', at: clock.now(), value: bytes }]);
    if (outcome.ok) return;
    if (!outcome.retryable || stop.aborted)
      throw new CliError(`an unreadable batch of ${source}/${partition} at offset ${baseOffset} cannot be put aside: ${outcome.reason}`);
    await clock.sleep(QUARANTINE_RETRY_MS, stop);
  }
}
