/** Reads a topic to its end in a thread of its own, where kafkajs is as it came: Keywatch puts its decoder into the one of its process. */
import { parentPort, workerData } from 'node:worker_threads';
import kafkajs from 'kafkajs';
import { COMPRESSION, decompress } from '../../ingest/kafka/codecs.ts';
import type { TopicLook, TopicRecord } from './topic.ts';

const { brokers, topic, count } = workerData as TopicLook;
const { CompressionCodecs, Kafka, logLevel } = kafkajs;
// kafkajs knows gzip only; these are tested against other programs in test/ingest/kafka/codecs.test.ts.
for (const type of [COMPRESSION.snappy, COMPRESSION.lz4, COMPRESSION.zstd])
  CompressionCodecs[type] = () => ({ decompress: (packed: Buffer) => unpack(type, packed) });
// By place: a group that has to join again starts over.
const records = new Map<string, TopicRecord>();
const client = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING });
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
parentPort?.postMessage([...records.values()], []);

function unpack(type: number, packed: Buffer): Promise<Buffer> {
  const bytes = decompress(type, packed);
  if ('damage' in bytes) return Promise.reject(new Error(bytes.damage));
  return Promise.resolve(Buffer.from(bytes));
}
