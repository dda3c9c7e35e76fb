import fc from 'fast-check';
import { createRequire } from 'node:module';
import { afterEach, describe, expect, test } from 'vitest';
import { type ConsumedMessage } from '../../../ingest/kafka/message-block-consumed.ts';
import { type BatchBlock, type CorruptBatch, MessageBlocks } from '../../../ingest/kafka/message-block.ts';
import { type FetchAnswer } from '../../../ingest/kafka/patch-fetch.ts';
import { selfTest } from '../../../ingest/kafka/patch-self-test.ts';
import { chooseDecoder, kafkajs, patchKafkajs } from '../../../ingest/kafka/patch.ts';
import { encodeMarker, encodeRecordBatch, seal } from '../../support/record-batch.ts';

const load = createRequire(import.meta.url);
type Delivered = { readonly messages: readonly ConsumedMessage[]; lastOffset(): string };
type Fetch = {
  readonly protocol: (at: { readonly version: number }) => (options: object) => { readonly response: { decode(payload: Buffer): Promise<FetchAnswer> } };
};
type Aborted = { readonly producerId: number; readonly firstOffset: number };

/** What a consumer is handed of these bytes: through kafkajs' own path, from the answer of the broker to the batch. */
async function deliver(
  records: Buffer,
  options: { readonly version?: number; readonly from?: number; readonly highWatermark?: number; readonly aborted?: readonly Aborted[] } = {},
): Promise<Delivered> {
  patchKafkajs();
  const { version = 11, from = 0, highWatermark = 1_000_000 } = options;
  const fetch = load('kafkajs/src/protocol/requests/fetch') as Fetch;
  const { response } = fetch.protocol({ version })({ maxWaitTime: 1, minBytes: 1, maxBytes: 1, topics: [] });
  const answer = await response.decode(payload(version, highWatermark, options.aborted ?? [], records));
  const Batch = load('kafkajs/src/consumer/batch') as new (topic: string, fetchedOffset: string, partition: unknown) => Delivered;
  return new Batch('t', String(from), answer.responses[0]?.partitions[0]);
}

function payload(version: number, highWatermark: number, aborted: readonly Aborted[], records: Buffer): Buffer {
  const int = (size: 1 | 2 | 4 | 8, value: number): Buffer => {
    const bytes = Buffer.alloc(size);
    if (size === 8) bytes.writeBigInt64BE(BigInt(value));
    else bytes.writeIntBE(value, 0, size);
    return bytes;
  };
  return Buffer.concat([
    int(4, 0),
    ...(version >= 7 ? [int(2, 0), int(4, 0)] : []),
    int(4, 1),
    int(2, 1),
    Buffer.from('t'),
    int(4, 1),
    int(4, 0),
    int(2, 0),
    int(8, highWatermark),
    int(8, highWatermark),
    ...(version >= 5 ? [int(8, 0)] : []),
    int(4, aborted.length),
    ...aborted.flatMap(({ producerId, firstOffset }) => [int(8, producerId), int(8, firstOffset)]),
    ...(version >= 11 ? [int(4, -1)] : []),
    int(4, records.length),
    records,
  ]);
}

function blocksOf({ messages }: Delivered, from = 0): readonly (CorruptBatch | (Omit<BatchBlock, 'bytes'> & { readonly values: readonly string[] }))[] {
  const copies: (CorruptBatch | (Omit<BatchBlock, 'bytes'> & { readonly values: readonly string[] }))[] = [];
  for (const block of new MessageBlocks().blocks(messages, { partition: 't/0', from })) {
    if (block.kind === 'corrupt') copies.push(block);
    else
      copies.push({
        ...block,
        times: block.times.slice(0, block.count),
        values: Array.from({ length: block.count }, (_, index) => Buffer.from(block.bytes.subarray(block.starts[index], block.ends[index])).toString()),
      });
  }
  return copies;
}

const values = (delivered: Delivered): readonly string[] => blocksOf(delivered).flatMap((block) => (block.kind === 'corrupt' ? [block.why] : block.values));
const texts = (...list: readonly string[]) => list.map((value) => ({ value: Buffer.from(value) }));

afterEach(() => {
  chooseDecoder('raw');
});

test('the hook passes its self-test with the kafkajs that is installed', () => {
  expect(patchKafkajs()).toEqual({ hook: 'raw' });
});

test('the self-test notices an encoder that is not the one we know', () => {
  const broken = Object.assign((id: string): unknown => (id.endsWith('crc32C') ? () => 1 : load(id)), load) as NodeJS.Require;
  expect(selfTest(broken)).toBe('checksum of the record batch is wrong');
  const absent = Object.assign((id: string): unknown => load(`${id}-gone`), load) as NodeJS.Require;
  expect(selfTest(absent)).toMatch(/Cannot find module/);
});

describe.each(['raw', 'stock'] as const)('%s decoder', (hook) => {
  test.each([4, 5, 6, 7, 8, 9, 10, 11])('an answer to a fetch of version %d is read', async (version) => {
    chooseDecoder(hook);
    const records = Buffer.concat([
      encodeRecordBatch(texts('a', 'b')),
      encodeRecordBatch(texts('c'), { baseOffset: 2, compression: 4, isAppendTime: true, maxTimestamp: 77 }),
    ]);
    const delivered = await deliver(records, { version });
    expect(values(delivered)).toEqual(['a', 'b', 'c']);
    expect(
      blocksOf(delivered).map((block) => block.kind === 'records' && [block.clock, block.times[0], block.baseOffset, block.lastOffset, block.leaderEpoch]),
    ).toEqual([
      ['create', 1_700_000_000_000, 0, 1, 0],
      ['append', 77, 2, 2, 0],
    ]);
    expect(delivered.lastOffset()).toBe('2');
  });

  test('the batch that the end of a fetch cuts off is left for the next fetch', async () => {
    chooseDecoder(hook);
    const [whole, next] = [encodeRecordBatch(texts('a')), encodeRecordBatch(texts('b'), { baseOffset: 1 })];
    for (let length = 0; length < next.length; length++) {
      const delivered = await deliver(Buffer.concat([whole, next.subarray(0, length)]));
      expect(values(delivered)).toEqual(['a']);
      expect(delivered.lastOffset()).toBe('0');
    }
  });

  test('aborted and control batches are left out, and reading goes on behind them', async () => {
    chooseDecoder(hook);
    const transactional = (producerId: number, baseOffset: number, ...list: readonly string[]): Buffer =>
      encodeRecordBatch(texts(...list), { baseOffset, producerId, isTransactional: true });
    const log = [
      transactional(7, 0, 'aborted', 'aborted'),
      transactional(8, 2, 'aborted'),
      transactional(9, 3, 'kept'),
      transactional(8, 4, 'aborted', 'aborted'),
      transactional(7, 6, 'aborted'),
      encodeMarker('abort', { baseOffset: 7, producerId: 7 }),
      transactional(7, 8, 'kept after the abort'),
      encodeMarker('abort', { baseOffset: 9, producerId: 8 }),
      encodeMarker('commit', { baseOffset: 10, producerId: 9 }),
      encodeMarker('commit', { baseOffset: 11, producerId: 7 }),
    ];
    const aborted = [
      { producerId: 7, firstOffset: 0 },
      { producerId: 8, firstOffset: 2 },
    ];
    const whole = await deliver(Buffer.concat(log), { aborted });
    expect(values(whole)).toEqual(['kept', 'kept after the abort']);
    expect(whole.lastOffset()).toBe('11');
    const inside = await deliver(Buffer.concat(log.slice(3)), { from: 5, aborted });
    expect(values(inside)).toEqual(['kept after the abort']);
    const last = await deliver(Buffer.concat(log.slice(9)), { from: 11 });
    expect(values(last)).toEqual([]);
    expect(last.lastOffset()).toBe('11');
  });
});

describe('raw decoder', () => {
  test('a batch whose checksum is wrong is handed over as corrupt, the others are read', async () => {
    const damaged = encodeRecordBatch(texts('b', 'c'), { baseOffset: 1 });
    damaged[70] = (damaged[70] ?? 0) ^ 1;
    const delivered = await deliver(Buffer.concat([encodeRecordBatch(texts('a')), damaged, encodeRecordBatch(texts('d'), { baseOffset: 3 })]));
    expect(values(delivered)).toEqual(['a', 'checksum of the record batch is wrong', 'd']);
    const corrupt = blocksOf(delivered)[1];
    expect(corrupt).toMatchObject({ kind: 'corrupt', partition: 't/0', baseOffset: 1, lastOffset: 2 });
    expect(corrupt?.kind === 'corrupt' && Buffer.from(corrupt.bytes).equals(damaged)).toBe(true);
  });

  test('a batch that cannot be unpacked is handed over as corrupt', async () => {
    for (const compression of [1, 2, 3, 4, 5]) {
      const batch = encodeRecordBatch(texts('abcdefgh'.repeat(10)), { compression: compression === 5 ? 0 : compression });
      batch.writeInt16BE(compression, 21);
      batch.fill(0xee, 63);
      const delivered = await deliver(seal(batch));
      expect(blocksOf(delivered)).toEqual([
        expect.objectContaining({ kind: 'corrupt', baseOffset: 0, lastOffset: 0, why: expect.stringMatching(/damaged|not known|not an lz4 frame|larger/) }),
      ]);
    }
  });

  test('the last offset of a damaged batch never leads reading out of the log or over the next batch', async () => {
    const damaged = encodeRecordBatch(texts('b'), { baseOffset: 1 });
    damaged.writeInt32BE(2_000_000_000, 23);
    const atEnd = await deliver(damaged, { highWatermark: 5 });
    expect(atEnd.lastOffset()).toBe('4');
    expect(blocksOf(atEnd)).toMatchObject([{ kind: 'corrupt', baseOffset: 1, lastOffset: 4 }]);
    const between = await deliver(Buffer.concat([damaged, encodeRecordBatch(texts('c'), { baseOffset: 3 })]), { highWatermark: 5 });
    expect(blocksOf(between)).toMatchObject([{ kind: 'corrupt', baseOffset: 1, lastOffset: 2 }, { values: ['c'] }]);
  });

  test('message sets of old brokers stop the reading with a clear error that no retry mends', async () => {
    const batch = encodeRecordBatch(texts('a'));
    batch.writeInt8(1, 16);
    await expect(deliver(batch)).rejects.toMatchObject({ message: expect.stringMatching(/message format 1 of Kafka before 0\.11/), retriable: false });
  });

  test('garbage where record batches should be is an error of kafkajs or corrupt blocks, never something else', async () => {
    const batch = encodeRecordBatch(texts('a', 'b'), { compression: 4 });
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.tuple(fc.nat(batch.length - 1), fc.nat(255)).map(([at, byte]) => Buffer.from(batch).fill(byte, at, at + 1)),
        ),
        async (garbage) => {
          const delivered = await deliver(Buffer.from(garbage)).catch((error: unknown) => error);
          if (delivered instanceof Error) expect(delivered.name).toBe('KafkaJSNonRetriableError');
          else for (const block of blocksOf(delivered as Delivered)) expect(['records', 'corrupt']).toContain(block.kind);
        },
      ),
      { numRuns: 500 },
    );
  });
});

test('an idle connection sets no timer', () => {
  const { KafkaJSError } = kafkajs();
  expect(KafkaJSError.name).toBe('KafkaJSError');
  const RequestQueue = load('kafkajs/src/network/requestQueue') as new (options: object) => {
    readonly throttleCheckTimeoutId: unknown;
    readonly pending: unknown[];
    checkPendingRequests(): void;
    scheduleCheckPendingRequests(): void;
    destroy(): void;
  };
  const queue = new RequestQueue({
    maxInFlightRequests: 1,
    requestTimeout: 1,
    enforceRequestTimeout: false,
    clientId: 'c',
    broker: 'b',
    logger: { debug: () => undefined },
  });
  queue.checkPendingRequests();
  expect(queue.throttleCheckTimeoutId).toBeNull();
  queue.pending.push({});
  queue.scheduleCheckPendingRequests();
  expect(queue.throttleCheckTimeoutId).not.toBeNull();
  queue.destroy();
});
