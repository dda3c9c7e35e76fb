import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMPRESSION } from '../../../ingest/kafka/codecs.ts';
import { chooseDecoder } from '../../../ingest/kafka/patch.ts';
import { kafka, lacks } from '../../services/needs.ts';
import { encodeRecordBatch } from '../../support/record-batch.ts';
import { produceRaw } from '../../support/raw-produce.ts';
import { RecordReader } from './record-reader.ts';

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
const lines = (count: number, name = 'r'): readonly string[] => Array.from({ length: count }, (_, index) => `{"name":"${name}","n":${index}}`);

describe.skipIf(lacks('kafka')).each(['raw', 'stock'] as const)('on a real broker, %s decoder', (hook) => {
  let broker: RecordReader;
  let before: 'raw' | 'stock';
  beforeAll(async () => {
    broker = new RecordReader(await kafka());
    before = chooseDecoder(hook);
  });
  afterAll(async () => {
    chooseDecoder(before);
    await broker[Symbol.asyncDispose]();
  });

  test.each(CODECS)('what was sent with %s is read, and a broker can read what we packed', async (codec) => {
    // Another codec for the topic makes the broker unpack ours.
    const topic = await broker.topic({ 'compression.type': codec === 'gzip' ? 'zstd' : 'gzip' });
    const kept = await broker.topic();
    const want = lines(3_000);
    await broker.send(topic, want, codec);
    await broker.send(kept, want, codec);
    expect(await broker.values(topic)).toEqual(want);
    const { records } = await broker.read(kept);
    expect(records.map(({ value }) => value)).toEqual(want);
    expect(records.map(({ offset }) => offset)).toEqual(want.map((_, index) => index));
    expect(new Set(records.map(({ clock }) => clock))).toEqual(new Set(['create']));
  });

  test.each(['gzip', 'snappy', 'lz4', 'zstd', 'uncompressed'])('batches that the broker, which is Java, packed with %s are read', async (type) => {
    const topic = await broker.topic({ 'compression.type': type });
    const want = lines(3_000);
    await broker.send(topic, want, 'none');
    await broker.send(topic, want, 'lz4');
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
    await broker.send(topic, ['a', null, 'c', 'd'], 'zstd');
    expect(await broker.values(topic)).toEqual(['a', '', 'c', 'd']);
    expect(await broker.values(topic, 1)).toEqual(['', 'c', 'd']);
    expect(await broker.values(topic, 3)).toEqual(['d']);
  });

  test('a block is one record batch, with its checksum where the hook shows it', async () => {
    const topic = await broker.topic();
    const batches = [0, 1].map((index) =>
      encodeRecordBatch([{ value: Buffer.from(`a${index}`) }, { value: Buffer.from(`b${index}`) }], { firstTimestamp: Date.now() }),
    );
    for (const batch of batches) await produceRaw(broker.address, topic, batch);
    const { records } = await broker.read(topic);
    // The broker assigns the offset, which the checksum does not cover.
    const [first, second] = batches.map((batch) => (hook === 'raw' ? batch.readUInt32BE(17) : 0));
    expect(records.map(({ value, baseOffset, crc }) => [value, baseOffset, crc])).toEqual([
      ['a0', 0, first],
      ['b0', 0, first],
      ['a1', 2, second],
      ['b1', 2, second],
    ]);
  });
});

describe.skipIf(lacks('kafka'))('with the hook, on a real broker', () => {
  test.each([125_001, 200_000])('a batch of %d records, which kills the stock decoder, is read', async (count) => {
    await using broker = new RecordReader(await kafka());
    const topic = await broker.topic({ 'max.message.bytes': '20000000' });
    const records = Array.from({ length: count }, (_, index) => ({ value: Buffer.from(String(index)) }));
    await produceRaw(broker.address, topic, encodeRecordBatch(records, { compression: COMPRESSION.lz4, firstTimestamp: Date.now() }));
    await produceRaw(broker.address, topic, encodeRecordBatch(records, { firstTimestamp: Date.now() }));
    const read = (await broker.read(topic)).records;
    expect(read).toHaveLength(2 * count);
    expect(read.every(({ offset, value }, index) => offset === index && value === String(index % count))).toBe(true);
  });
});
