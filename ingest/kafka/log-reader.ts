import type { Kafka } from 'kafkajs';
import type { DurationMs, Offset } from '../../core/types.ts';
import { type Broker, type Cluster, type RawFetch, fetchCall, openCluster } from './cluster-internals.ts';
import { isMissingTopic } from './errors.ts';
import { type FetchedPartition, decodeFetch } from './raw-fetch.ts';

/** The oldest readable record and the end of one partition. */
export type LogRange = { readonly start: Offset; readonly end: Offset };
export type Committed = { readonly offset: Offset; readonly metadata: string };
export type FetchFrom = { readonly topic: string; readonly partition: number; readonly offset: Offset };

/**
 * Reads logs without a group: where they begin and end, what stands at an offset, everything from an offset on.
 * Throws what the client throws; a topic that is not there is an empty answer.
 */
export class LogReader implements AsyncDisposable {
  readonly #cluster: Cluster;
  #isConnected = false;

  constructor(kafka: Kafka, options: { readonly metadataMaxAgeMs?: DurationMs } = {}) {
    this.#cluster = openCluster(kafka, { metadataMaxAge: options.metadataMaxAgeMs ?? 60_000 });
  }

  async cluster(): Promise<{ readonly id: string; readonly topics: readonly string[] }> {
    await this.#connect();
    const metadata = await this.#cluster.metadata();
    if (metadata === null) throw new Error('no broker tells its topics');
    return { id: metadata.clusterId, topics: metadata.topicMetadata.map(({ topic }) => topic) };
  }

  /** The partitions as they are now, never from memory: none where the topic is missing. */
  async partitions(topic: string): Promise<readonly number[]> {
    await this.#connect();
    const cluster = this.#cluster;
    try {
      await cluster.addMultipleTargetTopics([topic]);
      await cluster.refreshMetadata();
    } catch (error) {
      if (!isMissingTopic(error)) throw error;
      // Or the metadata of the topics that are there could never be read again.
      cluster.targetTopics.delete(topic);
      await cluster.refreshMetadata().catch((again: unknown) => {
        if (!isMissingTopic(again)) throw again;
      });
      return [];
    }
    return cluster
      .findTopicPartitionMetadata(topic)
      .map(({ partitionId }) => partitionId)
      .sort((a, b) => a - b);
  }

  /** Of all partitions of a topic as it is now. */
  async ranges(topic: string): Promise<ReadonlyMap<number, LogRange>> {
    const partitions = (await this.partitions(topic)).map((partition) => ({ partition }));
    if (partitions.length === 0) return new Map();
    const list = async (fromBeginning: boolean): Promise<ReadonlyMap<number, Offset>> => {
      const [found] = await this.#cluster.fetchTopicsOffset([{ topic, partitions, fromBeginning }]);
      return new Map(found?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
    };
    // The start first: what retention removes between the two questions must not look like records.
    const starts = await list(true);
    const ends = await list(false);
    return new Map([...starts].map(([partition, start]) => [partition, { start, end: ends.get(partition) ?? start }]));
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
      const leader = this.#cluster.findTopicPartitionMetadata(place.topic).find(({ partitionId }) => partitionId === place.partition)?.leader;
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
    if (this.#isConnected) return;
    await this.#cluster.connect();
    this.#isConnected = true;
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
    const call = fetchCall(broker, { maxWaitTime: maxWaitMs, minBytes: 1, maxBytes, isolationLevel: 0, topics });
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
