import { compress } from '../../ingest/kafka/codecs.ts';
import { crc32c } from '../../ingest/kafka/crc32c.ts';

export type TestRecord = {
  readonly value: Uint8Array | null;
  readonly key?: Uint8Array | null;
  readonly headers?: readonly (readonly [string, Uint8Array | null])[];
  /** From the first one's offset and time. Default: the index, and 0. */
  readonly offsetDelta?: number;
  readonly timeDelta?: number;
};
export type TestBatch = {
  readonly baseOffset?: number;
  readonly compression?: number;
  readonly isAppendTime?: boolean;
  readonly isTransactional?: boolean;
  readonly isControl?: boolean;
  readonly producerId?: number;
  readonly leaderEpoch?: number;
  readonly firstTimestamp?: number;
  readonly maxTimestamp?: number;
  readonly lastOffsetDelta?: number;
  readonly recordCount?: number;
};

/** Written from the protocol's description, not from our reader: one record batch of magic 2. */
export function encodeRecordBatch(records: readonly TestRecord[], batch: TestBatch = {}): Buffer {
  const compression = batch.compression ?? 0;
  const first = batch.firstTimestamp ?? 1_700_000_000_000;
  const last = Math.max(0, ...records.slice(-1).map((record) => record.offsetDelta ?? records.length - 1));
  const body = compress(compression, encodeRecords(records));
  const header = Buffer.alloc(61);
  header.writeBigInt64BE(BigInt(batch.baseOffset ?? 0), 0);
  header.writeInt32BE(49 + body.length, 8);
  header.writeInt32BE(batch.leaderEpoch ?? 0, 12);
  header.writeInt8(2, 16);
  const flags = (batch.isAppendTime === true ? 8 : 0) | (batch.isTransactional === true ? 16 : 0) | (batch.isControl === true ? 32 : 0);
  header.writeInt16BE(compression | flags, 21);
  header.writeInt32BE(batch.lastOffsetDelta ?? last, 23);
  header.writeBigInt64BE(BigInt(first), 27);
  header.writeBigInt64BE(BigInt(batch.maxTimestamp ?? first), 35);
  header.writeBigInt64BE(BigInt(batch.producerId ?? -1), 43);
  header.writeInt16BE(batch.producerId === undefined ? -1 : 0, 51);
  header.writeInt32BE(batch.producerId === undefined ? -1 : 0, 53);
  header.writeInt32BE(batch.recordCount ?? records.length, 57);
  return seal(Buffer.concat([header, body]));
}

/** A commit or abort marker as brokers write it. */
export function encodeMarker(kind: 'abort' | 'commit', batch: { readonly baseOffset: number; readonly producerId: number }): Buffer {
  const key = Buffer.from([0, 0, 0, kind === 'abort' ? 0 : 1]);
  return encodeRecordBatch([{ key, value: Buffer.alloc(6) }], { ...batch, isTransactional: true, isControl: true });
}

/** Writes the checksum that fits the bytes. */
export function seal(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  return batch;
}

function encodeRecords(records: readonly TestRecord[]): Buffer {
  return Buffer.concat(
    records.flatMap((record, index) => {
      const body = Buffer.concat([
        Buffer.from([0]),
        varint(record.timeDelta ?? 0),
        varint(record.offsetDelta ?? index),
        sized(record.key ?? null),
        sized(record.value),
        varint(record.headers?.length ?? 0),
        ...(record.headers ?? []).flatMap(([name, value]) => [sized(Buffer.from(name)), sized(value)]),
      ]);
      return [varint(body.length), body];
    }),
  );
}

function sized(bytes: Uint8Array | null): Buffer {
  return bytes === null ? varint(-1) : Buffer.concat([varint(bytes.length), bytes]);
}

/** Zigzag, seven bits a byte, low bits first. */
export function varint(value: number): Buffer {
  let rest = value < 0 ? -2n * BigInt(value) - 1n : 2n * BigInt(value);
  const bytes: number[] = [];
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}
