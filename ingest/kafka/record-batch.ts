import type { EpochMs, Offset } from '../../core/types.ts';
import { type Damage } from './codecs.ts';
import { crc32c } from './crc32c.ts';

/** Bytes in front of what the length field counts: base offset and length. */
const PREFIX_BYTES = 12;
/** Where the records begin. */
export const BATCH_HEADER_BYTES = 61;
/** The checksum covers everything from here. */
const CHECKED_FROM = 21;
/** Length, attributes, two deltas, key, value and header count, a byte each. */
const RECORD_BYTES_MIN = 7;

/** The header of one record batch of Kafka (magic 2), as it stands in the log. */
export type BatchHeader = {
  readonly baseOffset: Offset;
  readonly lastOffset: Offset;
  /** The whole batch, with this header. */
  readonly sizeBytes: number;
  /** Falls only when the log was replaced by another. */
  readonly leaderEpoch: number;
  readonly crc: number;
  readonly compression: number;
  /** Who stamped the records: the broker (LogAppendTime: all have `maxTimestamp`) or the producer. */
  readonly clock: 'append' | 'create';
  readonly isTransactional: boolean;
  /** Holds a commit or abort marker, no records of a producer. */
  readonly isControl: boolean;
  readonly firstTimestamp: EpochMs;
  readonly maxTimestamp: EpochMs;
  /** Decimal text: an int64; `-1` where there is none. */
  readonly producerId: string;
  readonly producerEpoch: number;
  readonly firstSequence: number;
  readonly recordCount: number;
};

/** The header at `at`, or `partial` when the bytes end before the batch does (the tail of a fetch). */
export function parseBatchHeader(bytes: Uint8Array, at = 0): BatchHeader | 'partial' | Damage {
  if (bytes.length - at < PREFIX_BYTES + 5) return 'partial';
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, bytes.byteLength - at);
  const sizeBytes = PREFIX_BYTES + view.getInt32(8);
  const magic = view.getInt8(16);
  if (magic === 0 || magic === 1)
    return { damage: `message format ${magic} of Kafka before 0.11 cannot be read; let the topic be written anew by a broker of 0.11 or later` };
  if (magic !== 2) return { damage: `message format ${magic} is not known` };
  if (sizeBytes < BATCH_HEADER_BYTES) return { damage: `record batch states a length of ${sizeBytes - PREFIX_BYTES} bytes` };
  if (sizeBytes > view.byteLength) return 'partial';

  const attributes = view.getInt16(21);
  const baseOffset = int64(view, 0);
  const lastOffsetDelta = view.getInt32(23);
  const recordCount = view.getInt32(57);
  const compression = attributes & 0x07;
  if (baseOffset < 0 || !Number.isSafeInteger(baseOffset + lastOffsetDelta) || lastOffsetDelta < 0)
    return { damage: 'record batch states an impossible offset' };
  if (recordCount < 0 || (compression === 0 && recordCount * RECORD_BYTES_MIN > sizeBytes - BATCH_HEADER_BYTES))
    return { damage: `record batch states ${recordCount} records in ${sizeBytes} bytes` };
  return {
    baseOffset,
    lastOffset: baseOffset + lastOffsetDelta,
    sizeBytes,
    leaderEpoch: view.getInt32(12),
    crc: view.getUint32(17),
    compression,
    clock: (attributes & 0x08) === 0 ? 'create' : 'append',
    isTransactional: (attributes & 0x10) !== 0,
    isControl: (attributes & 0x20) !== 0,
    firstTimestamp: int64(view, 27),
    maxTimestamp: int64(view, 35),
    producerId: view.getBigInt64(43).toString(),
    producerEpoch: view.getInt16(51),
    firstSequence: view.getInt32(53),
    recordCount,
  };
}

/** Whether the checksum of the batch at `at` is right. */
export function hasValidCrc(header: BatchHeader, bytes: Uint8Array, at = 0): boolean {
  return crc32c(bytes.subarray(at + CHECKED_FROM, at + header.sizeBytes)) === header.crc;
}

function int64(view: DataView, at: number): number {
  return view.getInt32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
}
