import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMPRESSION } from '../../../ingest/kafka/codecs.ts';
import { kafka, lacks } from '../../services/needs.ts';
import { encodeRecordBatch } from '../../support/record-batch.ts';
import { produceRaw } from '../../support/raw-produce.ts';
import { RecordReader } from './record-reader.ts';

const CODECS = Object.entries(COMPRESSION);
const lines = (count: number, name = 'r'): readonly string[] => Array.from({ length: count }, (_, index) => `{"name":"${name}","n":${index}}`);

describe.skipIf(lacks('kafka'))('on a real broker', () => {
  let broker: RecordReader;
  beforeAll(async () => {
    broker = new RecordReader(await kafka());
  });
  afterAll(() => broker[Symbol.asyncDispose]());

  test.each(CODECS)('what was sent with %s is read, and a broker can read what we packed', async (_name, type) => {
    // Another codec for the topic makes the broker unpack ours.
    const topic = await broker.topic({ 'compression.type': type === COMPRESSION.gzip ? 'zstd' : 'gzip' });
    const kept = await broker.topic();
    const want = lines(3_000);
    await broker.send(topic, want, type);
    await broker.send(kept, want, type);
    expect(await broker.values(topic)).toEqual(want);
    const { records } = await broker.read(kept);
    expect(records.map(({ value }) => value)).toEqual(want);
    expect(records.map(({ offset }) => offset)).toEqual(want.map((_, index) => index));
    expect(new Set(records.map(({ clock }) => clock))).toEqual(new Set(['create']));
  });

  test.each(['gzip', 'snappy', 'lz4', 'zstd', 'uncompressed'])('batches that the broker, which is Java, packed with %s are read', async (type) => {
    const topic = await broker.topic({ 'compression.type': type });
    const want = lines(3_000);
    await broker.send(topic, want, COMPRESSION.none);
    await broker.send(topic, want, COMPRESSION.lz4);
    expect(await broker.values(topic)).toEqual([...want, ...want]);
  });

  test('the time of a record is that of the broker where the topic says so', async () => {
    const topic = await broker.topic({ 'message.timestamp.type': 'LogAppendTime' });
    await produceRaw(
      broker.address,
      topic,
      encodeRecordBatch([{ value: Buffer.from('a') }, { value: Buffer.from('b'), timeDelta: 1 }], { firstTimestamp: 1_000_000 }),
    );
    const own = await broker.topic();
    await produceRaw(
      broker.address,
      own,
      encodeRecordBatch([{ value: Buffer.from('a') }, { value: Buffer.from('b'), timeDelta: 1 }], {
        firstTimestamp: Date.now() - 5_000,
        maxTimestamp: Date.now() - 4_999,
      }),
    );
    const { records } = await broker.read(topic);
    expect(records.map(({ value, clock }) => [value, clock])).toEqual([
      ['a', 'append'],
      ['b', 'append'],
    ]);
    expect(records[0]?.time).toBeGreaterThan(Date.now() - 600_000);
    expect(records[1]?.time).toBe(records[0]?.time);
    const { records: created } = await broker.read(own);
    expect(created.map(({ clock }) => clock)).toEqual(['create', 'create']);
    expect((created[1]?.time ?? 0) - (created[0]?.time ?? 0)).toBe(1);
  });

  test('records without a value are empty, and reading starts in the middle of a batch', async () => {
    const topic = await broker.topic();
    await broker.send(topic, ['a', null, 'c', 'd'], COMPRESSION.zstd);
    expect(await broker.values(topic)).toEqual(['a', '', 'c', 'd']);
    expect(await broker.values(topic, 1)).toEqual(['', 'c', 'd']);
    expect(await broker.values(topic, 3)).toEqual(['d']);
  });
});
