import { expect, test } from 'vitest';
import { type ConsumedMessage } from '../../../ingest/kafka/message-block-consumed.ts';
import { MessageBlocks } from '../../../ingest/kafka/message-block.ts';
import { decodeBatches } from '../../../ingest/kafka/patch-raw.ts';
import { encodeRecordBatch } from '../../support/record-batch.ts';

const place = { partition: 't/0', from: 0 };
const refuse = (why: string): Error => new Error(why);

/** What kafkajs makes of one record batch. */
function stock(baseOffset: number, values: readonly (string | null)[], time = '5', type = 0): readonly ConsumedMessage[] {
  const batchContext = {
    firstOffset: String(baseOffset),
    lastOffsetDelta: values.length,
    partitionLeaderEpoch: 4,
    timestampType: type,
    inTransaction: false,
    producerId: '-1',
  };
  return values.map((value, index) => ({
    key: null,
    value: value === null ? null : Buffer.from(value),
    offset: String(baseOffset + index),
    timestamp: time,
    batchContext,
  }));
}

test.each([
  ['raw', () => decodeBatches(encodeRecordBatch(['{"a":1}', '', '[2]'].map((value) => ({ value: Buffer.from(value) }))), refuse)],
  ['stock', () => stock(0, ['{"a":1}', null, '[2]'])],
] as const)('a reader may end every value of a %s block in a line feed', (_name, messages) => {
  for (const block of new MessageBlocks().blocks(messages(), place)) {
    if (block.kind === 'corrupt') throw new Error(block.why);
    for (let index = 0; index < block.count; index++) block.bytes[block.ends[index] ?? -1] = 10;
    const lines = Array.from({ length: block.count }, (_, index) =>
      Buffer.from(block.bytes.subarray(block.starts[index], (block.ends[index] ?? 0) + 1)).toString(),
    );
    expect(lines).toEqual(['{"a":1}\n', '\n', '[2]\n']);
  }
});

test('stock messages of one record batch become one block, with what kafkajs knows of the batch', () => {
  const messages = [...stock(10, ['a', 'b']), ...stock(13, ['c'], '-1'), ...stock(20, ['d'], '7', 1)];
  const seen = Array.from(new MessageBlocks().blocks(messages, { partition: 't/0', from: 11 }), (block) => {
    if (block.kind === 'corrupt') throw new Error(block.why);
    const { partition, count, offsets, times, clock, crc, baseOffset, lastOffset, leaderEpoch } = block;
    return { partition, count, offset: offsets[0], time: times[0], clock, crc, baseOffset, lastOffset, leaderEpoch };
  });
  const same = { partition: 't/0', count: 1, crc: 0, leaderEpoch: 4 };
  expect(seen).toEqual([
    { ...same, offset: 11, time: 5, clock: 'create', baseOffset: 10, lastOffset: 12 },
    { ...same, offset: 13, time: -1, clock: 'create', baseOffset: 13, lastOffset: 14 },
    { ...same, offset: 20, time: 7, clock: 'append', baseOffset: 20, lastOffset: 21 },
  ]);
});

test('batches that have no record to give make no block', () => {
  const records = Buffer.concat([
    encodeRecordBatch([{ value: Buffer.from('old') }]),
    encodeRecordBatch([], { baseOffset: 1, lastOffsetDelta: 3 }),
    encodeRecordBatch([{ key: Buffer.from([0, 0, 0, 1]), value: Buffer.alloc(6) }], { baseOffset: 5, isTransactional: true, isControl: true }),
  ]);
  expect([...new MessageBlocks().blocks(decodeBatches(records, refuse), { partition: 't/0', from: 1 })]).toEqual([]);
});

test('a batch that unpacks to more than the limit is corrupt, and the next is read', () => {
  const records = Buffer.concat([
    encodeRecordBatch([{ value: Buffer.alloc(100_000) }], { compression: 4 }),
    encodeRecordBatch([{ value: Buffer.from('a') }], { baseOffset: 1 }),
  ]);
  const [bomb, next] = new MessageBlocks({ unpackedMax: 50_000 }).blocks(decodeBatches(records, refuse), place);
  expect(bomb).toMatchObject({ kind: 'corrupt', baseOffset: 0, lastOffset: 0, why: 'zstd output is larger than 50000 bytes' });
  expect(next).toMatchObject({ kind: 'records', count: 1, baseOffset: 1 });
});
