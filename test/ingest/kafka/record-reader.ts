import type { Kafka } from 'kafkajs';
import type { Offset } from '../../../core/types.ts';
import type { COMPRESSION } from '../../../ingest/kafka/codecs.ts';
import { openKafka } from '../../../ingest/kafka/client.ts';
import { type CorruptBatch, MessageBlocks } from '../../../ingest/kafka/message-block.ts';
import { kafkajs } from '../../../ingest/kafka/patch.ts';
import { fresh } from '../../services/needs.ts';

export type ReadRecord = {
  readonly offset: Offset;
  readonly time: number;
  readonly value: string;
  readonly clock: string;
  readonly crc: number;
  readonly baseOffset: Offset;
};
type Read = { readonly records: readonly ReadRecord[]; readonly corrupt: readonly CorruptBatch[] };

const { CompressionTypes } = kafkajs();
const TYPES = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
};
const END = 'the end';

/** Topics of a test, written by kafkajs and read the way a consumer of ours reads them. */
export class RecordReader implements AsyncDisposable {
  readonly address: string;
  readonly kafka: Kafka;
  readonly #topics: string[] = [];
  readonly #groups: string[] = [];

  constructor(address: string) {
    this.address = address;
    this.kafka = openKafka({ brokers: [address], clientId: 'keywatch-test', log: () => undefined }).kafka;
  }

  async topic(config: Readonly<Record<string, string>> = {}): Promise<string> {
    const topic = fresh('records');
    await this.#admin(async (admin) => {
      await admin.createTopics({
        waitForLeaders: true,
        topics: [{ topic, numPartitions: 1, replicationFactor: 1, configEntries: Object.entries(config).map(([name, value]) => ({ name, value })) }],
      });
    });
    this.#topics.push(topic);
    return topic;
  }

  async send(topic: string, values: readonly (string | null)[], codec: keyof typeof COMPRESSION = 'none'): Promise<void> {
    const producer = this.kafka.producer({ retry: { retries: 10 } });
    await producer.connect();
    await producer.send({ topic, compression: TYPES[codec], messages: values.map((value) => ({ value })) });
    await producer.disconnect();
  }

  /** Everything from `from` to an end record that it sends. */
  async read(topic: string, from: Offset = 0): Promise<Read> {
    await this.send(topic, [END]);
    const groupId = fresh('records');
    this.#groups.push(groupId);
    const consumer = this.kafka.consumer({ groupId, maxWaitTimeInMs: 50 });
    const blocks = new MessageBlocks();
    const records: ReadRecord[] = [];
    const corrupt: CorruptBatch[] = [];
    try {
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await new Promise<void>((resolve, reject) => {
        consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
        void consumer.run({
          autoCommit: false,
          eachBatch: async ({ batch }) => {
            for (const block of blocks.blocks(batch.messages, { partition: `${topic}/0`, from })) {
              if (block.kind === 'corrupt') {
                corrupt.push(block);
                continue;
              }
              const { clock, crc, baseOffset } = block;
              for (let index = 0; index < block.count; index++) {
                const value = Buffer.from(block.bytes.subarray(block.starts[index], block.ends[index])).toString();
                records.push({ offset: block.offsets[index] ?? -1, time: block.times[index] ?? -1, value, clock, crc, baseOffset });
              }
            }
            if (records.at(-1)?.value === END) resolve();
          },
        });
        if (from > 0) consumer.seek({ topic, partition: 0, offset: String(from) });
      });
    } finally {
      await consumer.disconnect();
    }
    return { records: records.filter(({ value }) => value !== END), corrupt };
  }

  async values(topic: string, from?: Offset): Promise<readonly string[]> {
    return (await this.read(topic, from)).records.map(({ value }) => value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin(async (admin) => {
      if (this.#topics.length > 0) await admin.deleteTopics({ topics: this.#topics });
      if (this.#groups.length > 0) await admin.deleteGroups(this.#groups);
    });
  }

  async #admin(run: (admin: ReturnType<Kafka['admin']>) => Promise<void>): Promise<void> {
    const admin = this.kafka.admin();
    await admin.connect();
    try {
      await run(admin);
    } finally {
      await admin.disconnect();
    }
  }
}
