import type { ConsumedMessage } from './message-block-consumed.ts';
import { MessageBlocks } from './message-block.ts';
import { decodeBatches } from './patch-raw.ts';
import { BATCH_HEADER_BYTES } from './record-batch.ts';

/** What we use of kafkajs' encoder. */
type Encoder = {
  readonly buffer: Buffer;
  writeInt8(value: number): Encoder;
  writeInt16(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeUInt32(value: number): Encoder;
  writeInt64(value: number): Encoder;
  writeEncoder(value: Encoder): Encoder;
};
type EncodeRecord = (record: {
  readonly offsetDelta: number;
  readonly timestampDelta: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}) => Encoder;

const BASE_OFFSET = 1_000;
const TIME = 1_700_000_000_000;
const RECORDS = [
  { key: null, value: Buffer.from('{"status":200}'), headers: {} },
  { key: Buffer.from('key'), value: Buffer.from('[1,2]'), headers: { name: 'value' } },
  { key: null, value: null, headers: {} },
  { key: null, value: Buffer.alloc(300, 'x'), headers: {} },
];

/**
 * Encodes a batch with kafkajs' own encoder and checksum and reads it the way a consumer of ours does: undefined when it comes back as it was,
 * else what is wrong. Run once, before the hook is trusted.
 */
export function selfTest(load: NodeJS.Require): string | undefined {
  try {
    const batch = encode(load);
    const messages = decodeBatches(Buffer.concat([batch, batch.subarray(0, BATCH_HEADER_BYTES)]), (why) => new Error(why));
    return compare(messages);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function encode(load: NodeJS.Require): Buffer {
  const EncoderClass = load('kafkajs/src/protocol/encoder') as new () => Encoder;
  const encodeRecord = load('kafkajs/src/protocol/recordBatch/record/v0') as EncodeRecord;
  const crc32C = load('kafkajs/src/protocol/recordBatch/crc32C') as (bytes: Buffer) => number;
  const body = new EncoderClass()
    .writeInt16(0)
    .writeInt32(RECORDS.length - 1)
    .writeInt64(TIME)
    .writeInt64(TIME + RECORDS.length)
    .writeInt64(-1)
    .writeInt16(-1)
    .writeInt32(-1)
    .writeInt32(RECORDS.length);
  for (const [index, record] of RECORDS.entries()) body.writeEncoder(encodeRecord({ ...record, offsetDelta: index, timestampDelta: index }));
  const checked = new EncoderClass().writeInt32(3).writeInt8(2).writeUInt32(crc32C(body.buffer)).writeEncoder(body);
  return new EncoderClass().writeInt64(BASE_OFFSET).writeInt32(checked.buffer.length).writeEncoder(checked).buffer;
}

function compare(messages: readonly ConsumedMessage[]): string | undefined {
  if (messages.length !== 1) return `one batch became ${messages.length}`;
  const [block, ...more] = new MessageBlocks().blocks(messages, { partition: 'self-test', from: 0 });
  if (block === undefined || more.length > 0) return 'one batch became no block or several';
  if (block.kind === 'corrupt') return block.why;
  if (block.count !== RECORDS.length) return `${RECORDS.length} records became ${block.count}`;
  const isRight = RECORDS.every(({ value }, index) => {
    const read = block.bytes.subarray(block.starts[index], block.ends[index]);
    return block.offsets[index] === BASE_OFFSET + index && block.times[index] === TIME + index && Buffer.from(read).equals(value ?? Buffer.alloc(0));
  });
  return isRight ? undefined : 'records came back changed';
}
