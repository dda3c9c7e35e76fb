import { describe, expect, it } from 'vitest';
import { fresh, lacks } from '../../services/needs.ts';
import { kafkaPublisher, runsOf } from '../../../ingest/kafka/publisher.ts';
import { openKafka } from '../../../ingest/kafka/client.ts';
import { LogReader } from '../../../ingest/kafka/log-reader.ts';
import { Scratch } from './scratch.ts';

describe('what goes into one request', () => {
  it('is bounded by number and by bytes, keeps the order and loses nothing', () => {
    const messages = Array.from({ length: 12_345 }, (_, index) => ({ key: String(index), value: new Uint8Array(index % 400) }));
    const runs = [...runsOf(messages)];
    expect(runs.flat()).toEqual(messages);
    for (const run of runs) {
      expect(run.length).toBeLessThanOrEqual(5000);
      expect(run.reduce((sum, { value }) => sum + (value?.length ?? 0), 0)).toBeLessThanOrEqual(900_000);
    }
  });

  it('is one message alone when it is too large, so that only it is refused', () => {
    const small = { value: new Uint8Array(10) };
    const large = { value: new Uint8Array(2_000_000) };
    expect([...runsOf([small, large, small])].map((run) => run.map(({ value }) => value?.length ?? 0))).toEqual([[10], [2_000_000], [10]]);
    expect([...runsOf([])]).toEqual([]);
  });
});

describe.skipIf(lacks('kafka'))('publishing to a real broker', () => {
  it('acknowledges all of it, in every compression, to the partition that was asked for', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('publish', 2);
    let sent = 0;
    for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
      await using publisher = kafkaPublisher(scratch.client, { compression });
      const messages = Array.from({ length: 1200 }, (_, index) => ({
        value: new TextEncoder().encode(`line ${index}`),
        headers: { from: 'test' },
        partition: 1,
      }));
      expect(await publisher.publish(topic, messages)).toEqual({ ok: true });
      sent += messages.length;
    }
    await using reader = new LogReader(scratch.client.kafka);
    expect([...(await reader.ranges(topic))].toSorted(([a], [b]) => a - b)).toEqual([
      [0, { start: 0, end: 0 }],
      [1, { start: 0, end: sent }],
    ]);
  });

  it('says that a message is too large for the topic, and that trying again is in vain', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('large', 1, { 'max.message.bytes': '10000' });
    await using publisher = kafkaPublisher(scratch.client, { compression: 'none' });
    const outcome = await publisher.publish(topic, [{ value: new Uint8Array(20_000) }]);
    expect(outcome).toMatchObject({ ok: false, retryable: false });
    expect(outcome.ok ? '' : outcome.reason).toMatch(/20000 bytes.*max\.message\.bytes/);
    expect(await publisher.publish(topic, [{ value: new Uint8Array(2000) }])).toEqual({ ok: true });
  });

  it('calls a topic that is not there, and brokers that are away, worth another try', async () => {
    await using scratch = await Scratch.open();
    await using publisher = kafkaPublisher(scratch.client, { retries: 1 });
    expect(await publisher.publish(fresh('nowhere'), [{ value: new Uint8Array(1) }])).toMatchObject({ ok: false, retryable: true });
    const client = openKafka({ brokers: ['127.0.0.1:1'], clientId: 'test', log: () => undefined });
    await using away = kafkaPublisher(client, { retries: 1 });
    expect(await away.publish('any', [{ value: new Uint8Array(1) }])).toMatchObject({ ok: false, retryable: true });
  });
});
