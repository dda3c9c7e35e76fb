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

/** All records that the topic holds now, without Keywatch: for an independent count. Leaves no group behind. */
export async function readTopic(brokers: string, topic: string): Promise<readonly TopicRecord[]> {
  const count = await recordCount(brokers, topic);
  if (count === 0) return [];
  // By place: a group that has to join again starts over.
  const records = new Map<string, TopicRecord>();
  const client = quietClient(brokers);
  const groupId = `read-${topic}`;
  const consumer = client.consumer({ groupId });
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        if (!payload.restart) reject(payload.error);
      });
      void consumer.run({
        autoCommit: false,
        eachMessage: ({ partition, message }) => {
          records.set(`${partition}:${message.offset}`, { partition, offset: Number(message.offset), value: message.value?.toString() ?? '' });
          if (records.size === count) resolve();
          return Promise.resolve();
        },
      });
    });
  } finally {
    await consumer.disconnect();
  }
  const admin = client.admin();
  await admin.connect();
  try {
    await admin.deleteGroups([groupId]);
  } finally {
    await admin.disconnect();
  }
  return [...records.values()];
}
