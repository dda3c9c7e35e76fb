import type { EpochMs, Offset } from '../../core/types.ts';
import type { Damage } from './codecs.ts';
import { crc32c } from './crc32c.ts';

/** Bytes in front of what the length field counts: base offset and length. */
const PREFIX_BYTES = 12;
/** Where the records begin. */
export const BATCH_HEADER_BYTES = 61;
const MAGIC_AT = 16;
/** The checksum covers everything from here. */
const CHECKED_FROM = 21;
/** Length, attributes, two deltas, key, value and header count, a byte each. */
export const RECORD_BYTES_MIN = 7;

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

/** A batch that cannot be read, with the offsets that it states. */
export type DamagedBatch = Damage & { readonly baseOffset: Offset; readonly lastOffset: Offset };

/**
 * How many bytes the batch at `at` has, or `partial` when the bytes end before it does (the tail of a fetch). Damage means that
 * nobody can say where the next batch begins.
 */
export function batchSize(bytes: Uint8Array, at = 0): number | 'partial' | Damage {
  if (bytes.length - at < MAGIC_AT + 1) return 'partial';
  const view = viewOf(bytes, at);
  const magic = view.getInt8(MAGIC_AT);
  if (magic === 0 || magic === 1)
    return { damage: `message format ${magic} of Kafka before 0.11 cannot be read; let the topic be written anew by a broker of 0.11 or later` };
  if (magic !== 2) return { damage: `message format ${magic} is not known` };
  const sizeBytes = PREFIX_BYTES + view.getInt32(8);
  if (sizeBytes < BATCH_HEADER_BYTES) return { damage: `record batch states a length of ${sizeBytes - PREFIX_BYTES} bytes` };
  return sizeBytes > view.byteLength ? 'partial' : sizeBytes;
}

function hasValidCrc(header: BatchHeader, bytes: Uint8Array, at = 0): boolean {
  return crc32c(bytes.subarray(at + CHECKED_FROM, at + header.sizeBytes)) === header.crc;
}

/** Header and checksum of the whole batch at `at`, whose `sizeBytes` came from `batchSize`. */
export function parseBatch(bytes: Uint8Array, at: number, sizeBytes: number): BatchHeader | DamagedBatch {
  const header = parseHeader(viewOf(bytes, at), sizeBytes);
  const damage = hasValidCrc(header, bytes, at) ? headerFault(header) : 'checksum of the record batch is wrong';
  if (damage === undefined) return header;
  return { damage, baseOffset: header.baseOffset, lastOffset: Math.max(header.baseOffset, header.lastOffset) };
}

function headerFault(header: BatchHeader): string | undefined {
  const { baseOffset, lastOffset, recordCount, sizeBytes } = header;
  if (baseOffset < 0 || lastOffset < baseOffset || !Number.isSafeInteger(lastOffset)) return 'record batch states an impossible offset';
  const isImpossible = recordCount < 0 || (header.compression === 0 && recordCount * RECORD_BYTES_MIN > sizeBytes - BATCH_HEADER_BYTES);
  return isImpossible ? `record batch states ${recordCount} records in ${sizeBytes} bytes` : undefined;
}

function parseHeader(view: DataView, sizeBytes: number): BatchHeader {
  const attributes = view.getInt16(21);
  const baseOffset = int64(view, 0);
  return {
    baseOffset,
    lastOffset: baseOffset + view.getInt32(23),
    sizeBytes,
    leaderEpoch: view.getInt32(12),
    crc: view.getUint32(17),
    compression: attributes & 0x07,
    clock: (attributes & 0x08) === 0 ? 'create' : 'append',
    isTransactional: (attributes & 0x10) !== 0,
    isControl: (attributes & 0x20) !== 0,
    firstTimestamp: int64(view, 27),
    maxTimestamp: int64(view, 35),
    producerId: view.getBigInt64(43).toString(),
    producerEpoch: view.getInt16(51),
    firstSequence: view.getInt32(53),
    recordCount: view.getInt32(57),
  };
}

/**
 * The key of the one record of a control batch: a version and a type, 0 abort, 1 commit, two bytes each. Undefined when it cannot be read.
 */
export function controlKey(bytes: Uint8Array, at = 0): Uint8Array | undefined {
  let position = at + BATCH_HEADER_BYTES;
  const skipVarint = (): void => {
    while ((bytes[position++] ?? 0) >= 0x80);
  };
  skipVarint(); // length
  position++; // attributes
  skipVarint(); // time
  skipVarint(); // offset
  const keyBytes = (bytes[position++] ?? 0) >> 1; // a zigzag varint of one byte
  return keyBytes === 4 && position + 4 <= bytes.length ? bytes.subarray(position, position + 4) : undefined;
}

function viewOf(bytes: Uint8Array, at: number): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset + at, bytes.byteLength - at);
}

function int64(view: DataView, at: number): number {
  return view.getInt32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
}
