import { createRequire } from 'node:module';
import type { Kafka } from 'kafkajs';
import type { FetchedPartition } from './raw-fetch.ts';

/**
 * The parts of kafkajs 2.2.4 (pinned exactly; its internals will not move again) that are not public: one broker
 * connection pool that answers what its admin client cannot, or answers from stale metadata.
 */
export type Cluster = {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  /** Of the brokers: with no topic of our own asked for, nothing that happens to a topic gets in its way. */
  refreshMetadata(): Promise<void>;
  findBroker(at: { readonly nodeId: number | string }): Promise<Broker>;
  findGroupCoordinator(of: { readonly groupId: string }): Promise<Broker>;
  readonly brokerPool: { findConnectedBroker(): Promise<Broker> };
};

type Partitions<T> = readonly { readonly topic: string; readonly partitions: readonly T[] }[];

export type Broker = {
  /** Per request kind: which versions of it the broker speaks. */
  readonly versions: Readonly<Record<number, { readonly maxVersion: number }>> | null;
  readonly connectionPool: { send(call: ProtocolCall): Promise<unknown> };
  disconnect(): Promise<void>;
  lookupRequest(apiKey: number, definition: unknown): (request: object) => ProtocolCall;
  /** Of all topics when none is named. */
  metadata(topics: readonly string[]): Promise<{
    readonly clusterId: string;
    readonly topicMetadata: readonly {
      readonly topic: string;
      readonly partitionMetadata: readonly { readonly partitionId: number; readonly leader: number }[];
    }[];
  }>;
  listOffsets(request: { readonly isolationLevel: number; readonly topics: Partitions<{ readonly partition: number; readonly timestamp: number }> }): Promise<{
    readonly responses: Partitions<{ readonly partition: number; readonly offset: string }>;
  }>;
  offsetFetch(request: { readonly groupId: string; readonly topics: Partitions<{ readonly partition: number }> }): Promise<{
    readonly responses: Partitions<{ readonly partition: number; readonly offset: string; readonly metadata: string | null }>;
  }>;
};

export type ProtocolCall = {
  readonly request: { readonly apiVersion: number };
  readonly response: { decode(payload: Buffer): Promise<unknown>; parse(decoded: unknown): Promise<unknown> };
  readonly requestTimeout?: number;
};

/** Answers of a raw fetch, in the shape that the connection passes on. */
export type RawFetch = { readonly partitions: readonly FetchedPartition[] };

const requireInternal = createRequire(import.meta.url);
export const FETCH_KEY = 1;

/** A cluster of its own, connected with the client's settings. */
export function openCluster(kafka: Kafka, options: { readonly metadataMaxAge: number }): Cluster {
  const symbol = Object.getOwnPropertySymbols(kafka).find((one) => one.description === 'private:Kafka:createCluster');
  const create = symbol === undefined ? undefined : (kafka as unknown as Record<symbol, unknown>)[symbol];
  if (typeof create !== 'function') throw new Error('BUG: this is not the client of kafkajs 2.2.4');
  // Read uncommitted: the end of the log is its high watermark then, not where the oldest open transaction began.
  return (create as (settings: object) => Cluster)({ ...options, allowAutoTopicCreation: false, isolationLevel: 0 });
}

/** A Fetch request of the newest version that both sides know. */
export function fetchCall(broker: Broker, request: object): ProtocolCall {
  const { requests } = requireInternal('kafkajs/src/protocol/requests') as { readonly requests: { readonly Fetch: unknown } };
  return broker.lookupRequest(FETCH_KEY, requests.Fetch)(request);
}

export type DecodedRecord = { readonly offset: string; readonly key: Buffer | null; readonly value: Buffer | null; readonly isControlRecord: boolean };

/** The records of one batch with their keys, as the client's own decoder sees them. */
export async function decodeRecords(batch: Buffer): Promise<readonly DecodedRecord[]> {
  const decode = requireInternal('kafkajs/src/protocol/recordBatch/v0/decoder') as (
    decoder: unknown,
  ) => Promise<{ readonly records: readonly DecodedRecord[] }>;
  const Decoder = requireInternal('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => unknown;
  return (await decode(new Decoder(batch))).records;
}
