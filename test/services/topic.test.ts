import { describe, expect, test } from 'vitest';
import { openKafka } from '../../ingest/kafka/client.ts';
import { kafkaPublisher } from '../../ingest/kafka/publisher.ts';
import { fresh, kafka, lacks } from './needs.ts';
import { quietClient, readTopic, withTopic } from './topic.ts';

describe.skipIf(lacks('kafka'))('an independent look at a topic', () => {
  test('sees every record of a batch, although Keywatch has put its own decoder into the client of this process', async () => {
    const [brokers, topic] = [await kafka(), fresh('look')];
    const product = openKafka({ brokers: [brokers], clientId: topic, log: () => undefined });
    await using publisher = kafkaPublisher(product, { compression: 'lz4' });
    await withTopic({ brokers, topic, partitions: 1 }, async () => {
      const producer = quietClient(brokers).producer();
      await producer.connect();
      await producer.send({ topic, messages: ['one', 'two', 'three'].map((value) => ({ value })) });
      await producer.disconnect();
      await publisher.publish(topic, [{ value: Buffer.from('packed') }]);
      expect(await readTopic(brokers, topic)).toEqual(['one', 'two', 'three', 'packed'].map((value, offset) => ({ partition: 0, offset, value })));
    });
  });
});
