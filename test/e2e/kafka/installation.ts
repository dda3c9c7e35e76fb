import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';
import { systemClock } from '../../../core/clock.ts';
import type { MetricStore, PartitionHead } from '../../../core/ports.ts';
import { type KafkaClient, openKafka } from '../../../ingest/kafka/client.ts';
import { LogReader } from '../../../ingest/kafka/log-reader.ts';
import { kafkaPublisher } from '../../../ingest/kafka/publisher.ts';
import { type Elasticsearch, openElasticsearch } from '../../../storage/elasticsearch/client.ts';
import { openMetricStore } from '../../../storage/elasticsearch/metric-store.ts';
import { type Ran, runCli } from '../../app/cli/capture.ts';
import { deletePrefix } from '../../storage/elasticsearch/cluster.ts';
import { type Command, keywatch, scratch } from '../support/command.ts';
import { TEST_PEPPER } from '../support/pepper.ts';
import { type Difference, type Event, Ledger, compare, storedCells } from './ledger.ts';

export type InstallationOptions = {
  readonly name: string;
  readonly brokers: string;
  readonly elasticsearch: string;
  readonly partitions?: number;
  /** Of the topic with access events; the brokers stamp the records unless told. */
  readonly topicSettings?: Readonly<Record<string, string>>;
  /** Members of the configuration; they win. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Where Slack is; without it nobody is told. */
  readonly slack?: string;
  readonly shards?: number;
  /** The servers are the test's own and end with it: nothing is cleaned up. */
  readonly isOwn?: boolean;
};

/** How a configuration differs: the source's Kafka, the rest of the source, and everything else. */
export type Other = Readonly<Partial<Record<'kafka' | 'reading' | 'members', Readonly<Record<string, unknown>>>>>;

/**
 * Everything that one installation of Keywatch has on a broker and in an Elasticsearch, under names of its own, set up
 * as an operator does it: a configuration file and `keywatch setup`. What is sent is written down.
 */
export class Installation implements AsyncDisposable {
  readonly name: string;
  readonly ledger = new Ledger();
  readonly folder = scratch();
  readonly client: KafkaClient;
  readonly reader: LogReader;
  readonly #options: InstallationOptions;
  readonly #stack = new AsyncDisposableStack();
  #elasticsearch: Elasticsearch | undefined;
  #store: MetricStore | undefined;
  #config = '';

  private constructor(options: InstallationOptions) {
    this.name = options.name;
    this.#options = options;
    this.client = openKafka({ brokers: [options.brokers], clientId: `test-${options.name}`, log: () => undefined });
    this.reader = this.#stack.use(new LogReader(this.client.kafka));
    this.#publisher = this.#stack.use(kafkaPublisher(this.client, { compression: 'lz4' }));
  }

  readonly #publisher: ReturnType<typeof kafkaPublisher>;

  static async open(options: InstallationOptions): Promise<Installation> {
    const made = new Installation(options);
    made.folder.write('pepper', `${TEST_PEPPER}\n`);
    if (options.slack !== undefined) made.folder.write('webhook', `${options.slack}/services/T0/B0/x`);
    made.#config = made.configure('keywatch.yml');
    await made.setup();
    return made;
  }

  get topic(): string {
    return this.name;
  }

  get group(): string {
    return this.name;
  }

  get deadLetterTopic(): string {
    return `${this.name}-dlq`;
  }

  get partitions(): number {
    return this.#options.partitions ?? 3;
  }

  /** Another configuration of the same installation; what `other` says wins. Returns its path. */
  configure(file: string, other: Other = {}): string {
    const { brokers, elasticsearch, slack, shards = 1 } = this.#options;
    return this.folder.write(
      file,
      stringify({
        sources: [
          {
            format: 'json',
            kafka: {
              brokers: [brokers],
              topics: [this.topic],
              group: this.group,
              busTopic: `${this.name}-bus`,
              deadLetterTopic: this.deadLetterTopic,
              ...other.kafka,
            },
            ...other.reading,
          },
        ],
        pepper: { file: 'pepper' },
        store: { directory: 'data', elasticsearch: { nodes: [elasticsearch], prefix: this.name, replicas: 0, shards } },
        ops: { listen: 'off' },
        ...(slack === undefined
          ? {}
          : { alerts: { survey: 0, channels: { slack: [{ name: 'slack', webhookUrl: { file: 'webhook' } }] }, digest: { enabled: false } } }),
        ...this.#options.config,
        ...other.members,
      }),
    );
  }

  async setup(): Promise<void> {
    // The topic first, with settings of its own: setup leaves what is there.
    if (this.#options.topicSettings !== undefined) await this.makeTopic(this.#options.topicSettings);
    const ran = await this.cli(['setup', '--create-topics', '--partitions', String(this.partitions)]);
    if (ran.code !== 0) throw new Error(`setup failed: ${ran.stdout}${ran.stderr}`);
  }

  async makeTopic(settings: Readonly<Record<string, string>> = { 'message.timestamp.type': 'LogAppendTime' }): Promise<void> {
    await this.admin((admin) =>
      until(
        () =>
          admin
            .createTopics({
              topics: [
                {
                  topic: this.topic,
                  numPartitions: this.partitions,
                  replicationFactor: 1,
                  configEntries: Object.entries(settings).map(([name, value]) => ({ name, value })),
                },
              ],
            })
            // A name that was just deleted is taken for a moment longer.
            .catch(() => false),
        `topic ${this.topic} to be made`,
      ),
    );
  }

  async admin<T>(work: (admin: ReturnType<KafkaClient['kafka']['admin']>) => Promise<T>): Promise<T> {
    const admin = this.client.kafka.admin();
    await admin.connect();
    try {
      return await work(admin);
    } finally {
      await admin.disconnect();
    }
  }

  /** A command that ends by itself, in this process. */
  cli(args: readonly string[], config = this.#config): Promise<Ran> {
    const [verb = '', ...rest] = args;
    const sub = verb === 'dlq' || verb === 'generation' ? 2 : 1;
    return runCli([...[verb, ...rest].slice(0, sub), '-c', config, ...[verb, ...rest].slice(sub)], { clock: systemClock });
  }

  /** `keywatch run`, in a process of its own. */
  run(config = this.#config, args: readonly string[] = []): Command {
    return keywatch(['run', '-c', config, ...args], { cwd: this.folder.path });
  }

  /** Sends lines as records, one a record unless `pack`ed, and writes them down once the broker has them. */
  async send(events: readonly Event[], options: { readonly partition?: number; readonly line?: (event: Event) => string } = {}): Promise<void> {
    const { line = lineOf } = options;
    const partition = options.partition === undefined ? {} : { partition: options.partition };
    await this.sendRaw(
      events.map((event) => line(event)),
      partition,
    );
    for (const event of events) this.ledger.add(event);
  }

  /** Records that are in no ledger. */
  async sendRaw(values: readonly (string | Uint8Array | null)[], options: { readonly partition?: number } = {}): Promise<void> {
    const messages = values.map((value) => ({ ...options, value: typeof value === 'string' ? Buffer.from(value) : value }));
    const outcome = await this.#publisher.publish(this.topic, messages);
    if (!outcome.ok) throw new Error(outcome.reason);
  }

  async elasticsearch(): Promise<Elasticsearch> {
    this.#elasticsearch ??= this.#stack.use(await openElasticsearch({ nodes: [this.#options.elasticsearch] }, { clock: systemClock, random: Math.random }));
    return this.#elasticsearch;
  }

  async store(): Promise<MetricStore> {
    this.#store ??= this.#stack.use(
      await openMetricStore({ prefix: this.name, replicas: 0, shards: this.#options.shards ?? 1 }, { elasticsearch: await this.elasticsearch() }),
    );
    return this.#store;
  }

  async heads(): Promise<readonly PartitionHead[]> {
    return (await this.store()).heads();
  }

  /** How many records the store has of all partitions, rejected ones too. */
  async records(): Promise<number> {
    return (await (await this.store()).sources()).reduce((sum, { records }) => sum + records, 0);
  }

  /** Until the store has so many records; default all that the ledger holds. */
  async stored(records = this.ledger.events, waitMs = 60_000): Promise<void> {
    let found = 0;
    await until(
      async () => (found = await this.records()) >= records,
      () => `${found} of ${records} records to be stored`,
      waitMs,
    );
  }

  /** The store against the ledger, every cell. */
  async difference(): Promise<Difference> {
    return compare(this.ledger.byEntity(), await storedCells(await this.store()));
  }

  /** Gone from the broker and from Elasticsearch. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#options.isOwn === true) return;
      await this.admin(async (admin) => {
        const topics = (await admin.listTopics()).filter((topic) => topic === this.name || topic.startsWith(`${this.name}-`));
        if (topics.length > 0) await admin.deleteTopics({ topics });
      });
      await deletePrefix(await this.elasticsearch(), this.name);
    } finally {
      await this.#stack.disposeAsync();
      this.folder[Symbol.dispose]();
    }
  }
}

/** An access event as a gateway writes it: one flat JSON line. */
export function lineOf({ key, at, status, bytes }: Event, address = '198.18.0.10'): string {
  return `{"ts":${at},"key":"${key}","ip":"${address}","method":"GET","path":"/v1/orders/${at % 1000}","status":${status},"bytes":${bytes},"ms":12.5,"ua":"acme/2.4"}`;
}

/** `count` events of a few keys, now. */
export function events(count: number, options: { readonly at?: number; readonly keys?: number; readonly name?: string } = {}): readonly Event[] {
  const { at = Date.now(), keys = 7, name = 'customer' } = options;
  return Array.from({ length: count }, (_, index) => ({
    key: `${name}-key-${index % keys}-not-real`,
    at: at - (index % 5),
    status: STATUSES[index % STATUSES.length] ?? 200,
    bytes: 100 + (index % 50),
  }));
}

const STATUSES = [200, 200, 201, 304, 404, 403, 429, 499, 500, 200, 503];

/** Until `run` has said it on stderr; what it said instead is in the error. */
export async function heard(run: Command, text: string | RegExp, waitMs = 90_000): Promise<void> {
  const isSaid = (): boolean => (typeof text === 'string' ? run.stderr().includes(text) : text.test(run.stderr()));
  await until(
    () => isSaid() || run.process.exitCode !== null,
    () => `${String(text)}; it said ${run.stderr()}`,
    waitMs,
  );
  if (!isSaid()) throw new Error(`ended without saying ${String(text)}: ${run.stderr()}`);
}

/** Asks again until it is so: the servers decide when, not the test. */
export async function until(isSo: () => boolean | Promise<boolean>, what: string | (() => string), waitMs = 60_000): Promise<void> {
  const end = performance.now() + waitMs;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`waited ${Math.round(waitMs / 1000)} s in vain for ${typeof what === 'string' ? what : what()}`);
    await delay(100);
  }
}
