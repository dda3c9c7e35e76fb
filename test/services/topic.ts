import { Worker } from 'node:worker_threads';
import { Kafka, logLevel } from 'kafkajs';

export type TopicRecord = { readonly partition: number; readonly offset: number; readonly value: string };

/** A client that says nothing: a test reads what it asks for. */
export function quietClient(brokers: string): Kafka {
  return new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING });
}

/** A topic for the time of a test. */
export async function withTopic<T>(
  options: { readonly brokers: string; readonly topic: string; readonly partitions: number },
  use: () => Promise<T>,
): Promise<T> {
  const { brokers, topic, partitions } = options;
  const admin = quietClient(brokers).admin();
  await admin.connect();
  try {
    await admin.createTopics({
      topics: [{ topic, numPartitions: partitions, configEntries: [{ name: 'message.timestamp.type', value: 'LogAppendTime' }] }],
      waitForLeaders: true,
    });
    try {
      return await use();
    } finally {
      await admin.deleteTopics({ topics: [topic] });
    }
  } finally {
    await admin.disconnect();
  }
}

/** How many records the topic holds now. */
export async function recordCount(brokers: string, topic: string): Promise<number> {
  const admin = quietClient(brokers).admin();
  await admin.connect();
  try {
    return (await admin.fetchTopicOffsets(topic)).reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  } finally {
    await admin.disconnect();
  }
}

/** What is read of which topic. */
export type TopicLook = { readonly brokers: string; readonly topic: string; readonly count: number };

/** All records that the topic holds now, without Keywatch: for an independent count. Leaves no group behind. */
export async function readTopic(brokers: string, topic: string): Promise<readonly TopicRecord[]> {
  const count = await recordCount(brokers, topic);
  if (count === 0) return [];
  const look: TopicLook = { brokers, topic, count };
  const reader = new Worker(new URL('topic-reader.ts', import.meta.url), { workerData: look, execArgv: [] });
  try {
    return await new Promise<readonly TopicRecord[]>((resolve, reject) => {
      reader.once('message', resolve);
      reader.once('error', reject);
      reader.once('exit', () => reject(new Error(`nobody read topic ${topic}`)));
    });
  } finally {
    await reader.terminate();
  }
}
