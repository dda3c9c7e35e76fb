import type { Admin } from 'kafkajs';
import type { DurationMs } from '../../core/types.ts';
import type { KafkaClient } from './client.ts';
import { FETCH_KEY, openCluster } from './cluster-internals.ts';
import { isMissingTopic } from './errors.ts';
import { type Committed, type LogRange, LogReader } from './log-reader.ts';
import { kafkajs } from './patch.ts';

/** A topic that Keywatch wants. `replication` undefined: as many as the cluster allows, at most three. */
export type TopicPlan = {
  readonly name: string;
  readonly partitions: number;
  readonly replication?: number;
  readonly settings: Readonly<Record<string, string>>;
};
export type TopicAction = {
  readonly name: string;
  readonly action: 'created' | 'exists' | 'would_create';
  readonly partitions: number;
  readonly replication: number;
};

/** What `doctor` judges of a topic. Undefined settings are those that the brokers do not show to this user. */
export type TopicFacts = {
  readonly name: string;
  readonly partitions: number;
  /** Of the partition that has fewest. */
  readonly replication: number;
  /** Partitions without a leader now: nothing can be read from them. */
  readonly leaderless: readonly number[];
  readonly timestampType: string | undefined;
  /** -1: kept for ever. */
  readonly retentionMs: number | undefined;
  readonly retentionBytes: number | undefined;
  readonly cleanupPolicy: string | undefined;
  readonly maxMessageBytes: number | undefined;
  readonly minInsyncReplicas: number | undefined;
};
export type BrokerFacts = {
  readonly nodeId: number;
  readonly address: string;
  /** The release that this broker is of at least, where its answers show it. */ readonly release: string | undefined;
};
export type GroupFacts = {
  readonly state: string;
  readonly members: readonly { readonly id: string; readonly clientId: string; readonly host: string }[];
};

const REPLICATION_MAX = 3;
const HOUR_MS = 3_600_000;
/** The newest Fetch version of a release. */
const RELEASES: readonly (readonly [number, string])[] = [
  [17, '3.9'],
  [16, '3.7'],
  [15, '3.5'],
  [13, '3.1'],
  [12, '2.7'],
  [11, '2.3'],
];

/** Read only by the judge, which seeds itself from the store: two hours outlast any restart. */
export function busPlan(name: string, partitions: number, retentionMs: DurationMs = 2 * HOUR_MS): TopicPlan {
  return {
    name,
    partitions,
    settings: { 'cleanup.policy': 'delete', 'retention.ms': String(retentionMs), 'segment.ms': String(Math.max(HOUR_MS / 2, Math.floor(retentionMs / 4))) },
  };
}

/** Dead letters wait for a person: two weeks. */
export function deadLetterPlan(name: string, partitions = 1, retentionMs: DurationMs = 14 * 24 * HOUR_MS): TopicPlan {
  return { name, partitions, settings: { 'cleanup.policy': 'delete', 'retention.ms': String(retentionMs) } };
}

/** Access events, stamped by the broker: a producer's wrong clock must not decide where a segment ends. */
export function sourcePlan(name: string, partitions: number, retentionMs: DurationMs = 7 * 24 * HOUR_MS): TopicPlan {
  return { name, partitions, settings: { 'cleanup.policy': 'delete', 'message.timestamp.type': 'LogAppendTime', 'retention.ms': String(retentionMs) } };
}

/** What `setup` and `doctor` ask and do. Throws what the client throws (see `faultOf`). */
export class KafkaAdmin implements AsyncDisposable {
  readonly #client: KafkaClient;
  readonly #admin: Admin;
  readonly #reader: LogReader;
  #connected: Promise<void> | undefined;

  constructor(client: KafkaClient) {
    this.#client = client;
    this.#admin = client.kafka.admin();
    this.#reader = new LogReader(client.kafka);
  }

  async clusterId(): Promise<string> {
    return (await (await this.#connect()).describeCluster()).clusterId;
  }

  async brokers(): Promise<readonly BrokerFacts[]> {
    const { brokers } = await (await this.#connect()).describeCluster();
    const cluster = openCluster(this.#client.kafka, { metadataMaxAge: 60_000 });
    try {
      await cluster.connect();
      await cluster.refreshMetadata();
      return await Promise.all(
        brokers.map(async ({ nodeId, host, port }) => {
          const version = (await cluster.findBroker({ nodeId }).catch(() => undefined))?.versions?.[FETCH_KEY]?.maxVersion ?? 0;
          return { nodeId, address: `${host}:${port}`, release: RELEASES.find(([fetch]) => version >= fetch)?.[1] };
        }),
      );
    } finally {
      await cluster.disconnect();
    }
  }

  async topics(): Promise<readonly string[]> {
    return (await this.#connect()).listTopics();
  }

  /** Makes what is missing and leaves alone what is there, whatever its settings: those are for a person to change. */
  async ensure(plans: readonly TopicPlan[], options: { readonly isDryRun?: boolean } = {}): Promise<readonly TopicAction[]> {
    const admin = await this.#connect();
    const { brokers } = await admin.describeCluster();
    const actions: TopicAction[] = [];
    for (const plan of plans) {
      const replication = plan.replication ?? Math.min(REPLICATION_MAX, Math.max(1, brokers.length));
      const found = await this.topic(plan.name);
      if (found !== undefined) {
        actions.push({ name: plan.name, action: 'exists', partitions: found.partitions, replication: found.replication });
        continue;
      }
      const action = { name: plan.name, partitions: plan.partitions, replication };
      if (options.isDryRun === true) {
        actions.push({ ...action, action: 'would_create' });
        continue;
      }
      // With three replicas one broker may be away and nothing that was acknowledged is lost.
      const settings = { 'min.insync.replicas': replication >= REPLICATION_MAX ? '2' : '1', ...plan.settings };
      const topic = {
        topic: plan.name,
        numPartitions: plan.partitions,
        replicationFactor: replication,
        configEntries: Object.entries(settings).map(([name, value]) => ({ name, value })),
      };
      const isNew = await admin.createTopics({ topics: [topic] }).catch((error: unknown) => {
        // It is made; the client only lost its patience until a busy cluster knows of it.
        if (isMissingTopic(error)) return true;
        throw error;
      });
      // False: another process was first.
      actions.push({ ...action, action: isNew ? 'created' : 'exists' });
    }
    return actions;
  }

  /** Undefined where there is no such topic. */
  async topic(name: string): Promise<TopicFacts | undefined> {
    const admin = await this.#connect();
    let metadata;
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [name] });
      metadata = topics.find((topic) => topic.name === name);
    } catch (error) {
      if (isMissingTopic(error)) return undefined;
      throw error;
    }
    if (metadata === undefined) return undefined;
    const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: kafkajs().ConfigResourceTypes.TOPIC, name }] });
    const entries = new Map(resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]));
    const number = (setting: string): number | undefined => {
      const value = entries.get(setting);
      return value === undefined || value === null || value === '' ? undefined : Number(value);
    };
    return {
      name,
      partitions: metadata.partitions.length,
      replication: metadata.partitions.reduce((least, { replicas }) => Math.min(least, replicas.length), Number.POSITIVE_INFINITY),
      leaderless: metadata.partitions.filter(({ leader }) => leader < 0).map(({ partitionId }) => partitionId),
      timestampType: entries.get('message.timestamp.type'),
      retentionMs: number('retention.ms'),
      retentionBytes: number('retention.bytes'),
      cleanupPolicy: entries.get('cleanup.policy'),
      maxMessageBytes: number('max.message.bytes'),
      minInsyncReplicas: number('min.insync.replicas'),
    };
  }

  /** `Dead` is what the brokers call a group that they do not know. */
  async group(id: string): Promise<GroupFacts> {
    const { groups } = await (await this.#connect()).describeGroups([id]);
    const [group] = groups;
    return {
      state: group?.state ?? 'Dead',
      members: (group?.members ?? []).map(({ memberId, clientId, clientHost }) => ({ id: memberId, clientId, host: clientHost })),
    };
  }

  ranges(topic: string): Promise<ReadonlyMap<number, LogRange>> {
    return this.#reader.ranges(topic);
  }

  async committed(group: string, topic: string): Promise<ReadonlyMap<number, Committed>> {
    const partitions = await this.#reader.partitions(topic);
    return partitions.length === 0 ? new Map() : this.#reader.committed(group, topic, partitions);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connected?.catch(() => undefined);
    await this.#admin.disconnect();
    await this.#reader[Symbol.asyncDispose]();
  }

  async #connect(): Promise<Admin> {
    this.#connected ??= this.#admin.connect();
    try {
      await this.#connected;
    } catch (error) {
      this.#connected = undefined;
      throw error;
    }
    return this.#admin;
  }
}
