import type { Kafka } from 'kafkajs';
import type { DurationMs, Offset } from '../../core/types.ts';
import { type Broker, type Cluster, type RawFetch, fetchCall, openCluster } from './cluster-internals.ts';
import { isMissingTopic } from './errors.ts';
import { type FetchedPartition, decodeFetch } from './raw-fetch.ts';

/** The oldest readable record and the end of one partition. */
export type LogRange = { readonly start: Offset; readonly end: Offset };
export type Committed = { readonly offset: Offset; readonly metadata: string };
export type FetchFrom = { readonly topic: string; readonly partition: number; readonly offset: Offset };

/** Of ListOffsets. */
const LATEST = -1;
const EARLIEST = -2;
/** The end of a log is its high watermark, also while a transaction is open. */
const READ_UNCOMMITTED = 0;

/**
 * Reads logs without a group: where they begin and end, what stands at an offset, everything from an offset on.
 * Throws what the client throws; a topic that is not there is an empty answer. Asks the brokers itself, topic by topic, for the client's own
 * metadata cannot be refreshed any more when one of its topics was deleted.
 */
export class LogReader implements AsyncDisposable {
  readonly #cluster: Cluster;
  /** Per topic: the leader of each partition, as last asked. */
  readonly #leaders = new Map<string, ReadonlyMap<number, number>>();
  #connected: Promise<void> | undefined;

  constructor(kafka: Kafka) {
    this.#cluster = openCluster(kafka, { metadataMaxAge: 60_000 });
  }

  async cluster(): Promise<{ readonly id: string; readonly topics: readonly string[] }> {
    const { clusterId, topicMetadata } = await (await this.#anyBroker()).metadata([]);
    return { id: clusterId, topics: topicMetadata.map(({ topic }) => topic) };
  }

  /** The partitions as they are now: none where the topic is missing. */
  async partitions(topic: string): Promise<readonly number[]> {
    const broker = await this.#anyBroker();
    try {
      const { topicMetadata } = await broker.metadata([topic]);
      const found = topicMetadata.find((one) => one.topic === topic)?.partitionMetadata ?? [];
      this.#leaders.set(topic, new Map(found.map(({ partitionId, leader }) => [partitionId, leader])));
    } catch (error) {
      if (!isMissingTopic(error)) throw error;
      this.#leaders.delete(topic);
    }
    return [...(this.#leaders.get(topic)?.keys() ?? [])].sort((a, b) => a - b);
  }

  /** Of all partitions of a topic as it is now. */
  async ranges(topic: string): Promise<ReadonlyMap<number, LogRange>> {
    const partitions = await this.partitions(topic);
    // The start first: what retention removes between the two questions must not look like records.
    const starts = await this.#offsets(topic, partitions, EARLIEST);
    const ends = await this.#offsets(topic, partitions, LATEST);
    return new Map(
      partitions.flatMap((partition) => {
        const start = starts.get(partition);
        const end = ends.get(partition);
        return start === undefined || end === undefined ? [] : [[partition, { start, end }] as const];
      }),
    );
  }

  /** What a group committed; a partition without a commit is absent. */
  async committed(groupId: string, topic: string, partitions: readonly number[]): Promise<ReadonlyMap<number, Committed>> {
    await this.#connect();
    const coordinator = await this.#cluster.findGroupCoordinator({ groupId });
    const { responses } = await coordinator.offsetFetch({ groupId, topics: [{ topic, partitions: partitions.map((partition) => ({ partition })) }] });
    const found = responses.flatMap((response) => response.partitions);
    return new Map(
      found
        .filter(({ offset }) => Number(offset) >= 0)
        .map(({ partition, offset, metadata }) => [partition, { offset: Number(offset), metadata: metadata ?? '' }]),
    );
  }

  /** Record batches from each place on, of partitions whose leader is known; `partitions` must have been asked for their topics. One failed broker does not spoil the answers of the others. */
  async fetch(
    places: readonly FetchFrom[],
    limits: { readonly maxWaitMs: DurationMs; readonly maxBytes: number; readonly maxBytesPerPartition: number },
  ): Promise<readonly FetchedPartition[]> {
    await this.#connect();
    const byLeader = new Map<number, FetchFrom[]>();
    for (const place of places) {
      const leader = this.#leaders.get(place.topic)?.get(place.partition);
      if (leader === undefined || leader < 0) continue;
      const list = byLeader.get(leader);
      if (list === undefined) byLeader.set(leader, [place]);
      else list.push(place);
    }
    const answers = await Promise.allSettled([...byLeader].map(([nodeId, list]) => this.#fetchFrom(nodeId, list, limits)));
    const failure = answers.find((answer) => answer.status === 'rejected');
    const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (failure !== undefined && found.length === 0) throw failure.reason;
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cluster.disconnect();
  }

  async #connect(): Promise<void> {
    // Without a picture of the brokers the client finds none, however well it is connected.
    this.#connected ??= this.#cluster.connect().then(() => this.#cluster.refreshMetadata());
    try {
      await this.#connected;
    } catch (error) {
      this.#connected = undefined;
      throw error;
    }
  }

  async #anyBroker(): Promise<Broker> {
    await this.#connect();
    return this.#cluster.brokerPool.findConnectedBroker();
  }

  async #offsets(topic: string, partitions: readonly number[], timestamp: number): Promise<ReadonlyMap<number, Offset>> {
    const byLeader = Map.groupBy(partitions, (partition) => this.#leaders.get(topic)?.get(partition) ?? -1);
    // Partitions without a leader are asked for again by whoever needs them.
    byLeader.delete(-1);
    const answers = await Promise.all(
      [...byLeader].map(async ([nodeId, list]) => {
        const broker = await this.#cluster.findBroker({ nodeId });
        return broker.listOffsets({ isolationLevel: READ_UNCOMMITTED, topics: [{ topic, partitions: list.map((partition) => ({ partition, timestamp })) }] });
      }),
    );
    return new Map(
      answers.flatMap(({ responses }) =>
        responses.flatMap((response) => response.partitions.map(({ partition, offset }) => [partition, Number(offset)] as const)),
      ),
    );
  }

  async #fetchFrom(
    nodeId: number,
    places: readonly FetchFrom[],
    { maxWaitMs, maxBytes, maxBytesPerPartition }: { readonly maxWaitMs: DurationMs; readonly maxBytes: number; readonly maxBytesPerPartition: number },
  ): Promise<readonly FetchedPartition[]> {
    const topics = [...new Set(places.map(({ topic }) => topic))].map((topic) => ({
      topic,
      partitions: places
        .filter((place) => place.topic === topic)
        .map(({ partition, offset }) => ({ partition, fetchOffset: String(offset), maxBytes: maxBytesPerPartition })),
    }));
    const broker = await this.#cluster.findBroker({ nodeId });
    const call = fetchCall(broker, { maxWaitTime: maxWaitMs, minBytes: 1, maxBytes, isolationLevel: READ_UNCOMMITTED, topics });
    try {
      const { partitions } = (await broker.connectionPool.send({
        ...call,
        response: {
          decode: (payload): Promise<RawFetch> => Promise.resolve({ partitions: decodeFetch(payload, call.request.apiVersion) }),
          parse: (decoded) => Promise.resolve(decoded),
        },
      })) as RawFetch;
      return partitions;
    } catch (error) {
      await closed(broker, error);
      throw error;
    }
  }
}

/** As the client itself does: a connection that the far side closed is opened anew by the next request. */
async function closed(broker: Broker, error: unknown): Promise<void> {
  if (error instanceof Error && error.name === 'KafkaJSConnectionClosedError') await broker.disconnect();
}
