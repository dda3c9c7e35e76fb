import { setTimeout as delay } from 'node:timers/promises';
import type { Admin } from 'kafkajs';
import { type KafkaClient, openKafka } from '../../../ingest/kafka/client.ts';
import { fresh, kafka } from '../../services/needs.ts';

/** One test's topics and groups: gone at its end. */
export class Scratch implements AsyncDisposable {
  readonly client: KafkaClient;
  readonly admin: Admin;
  readonly #topics: string[] = [];

  constructor(client: KafkaClient, admin: Admin) {
    this.client = client;
    this.admin = admin;
  }

  static async open(): Promise<Scratch> {
    const client = openKafka({ brokers: [await kafka()], clientId: 'keywatch-test', log: () => undefined });
    const admin = client.kafka.admin();
    await admin.connect();
    return new Scratch(client, admin);
  }

  async topic(what: string, partitions = 1, settings: Readonly<Record<string, string>> = { 'message.timestamp.type': 'LogAppendTime' }): Promise<string> {
    const name = fresh(what);
    await this.make(name, partitions, settings);
    return name;
  }

  async make(name: string, partitions: number, settings: Readonly<Record<string, string>> = { 'message.timestamp.type': 'LogAppendTime' }): Promise<void> {
    if (!this.#topics.includes(name)) this.#topics.push(name);
    // A name that was just deleted is taken for a moment longer.
    await until(
      () =>
        this.admin
          .createTopics({
            topics: [
              {
                topic: name,
                numPartitions: partitions,
                replicationFactor: 1,
                configEntries: Object.entries(settings).map(([key, value]) => ({ name: key, value })),
              },
            ],
          })
          .catch(() => false),
      `topic ${name} to be made`,
    );
  }

  /** Deleted at the end. */
  adopt(name: string): void {
    this.#topics.push(name);
  }

  async remove(name: string): Promise<void> {
    await this.admin.deleteTopics({ topics: [name] });
    await until(async () => !(await this.admin.listTopics()).includes(name), `topic ${name} to be gone`);
  }

  /** As retention would: the log begins at `offset` then. */
  async cut(topic: string, partition: number, offset: number): Promise<void> {
    // The client needs another call first to know the leader.
    await this.admin.fetchTopicOffsets(topic);
    await this.admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const left = await this.admin.listTopics();
    const topics = this.#topics.filter((topic) => left.includes(topic));
    if (topics.length > 0) await this.admin.deleteTopics({ topics });
    await this.admin.disconnect();
  }
}

/** Asks again until it is so: the broker decides when, not the test. */
export async function until(isSo: () => boolean | Promise<boolean>, what: string, waitMs = 40_000): Promise<void> {
  const end = performance.now() + waitMs;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`waited ${waitMs} ms in vain for ${what}`);
    await delay(20);
  }
}
