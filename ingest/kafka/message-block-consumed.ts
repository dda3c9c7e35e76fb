import type { Offset } from '../../core/types.ts';
import type { BatchHeader, DamagedBatch } from './record-batch.ts';
import type { RecordWalk } from './record-walk.ts';

/** What we read of a message that kafkajs hands to a consumer. */
export type ConsumedMessage = {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Decimal text. */
  readonly offset: string;
  readonly timestamp: string;
};

/**
 * The pseudo-message that the hook makes of a record batch: `value` is the whole batch, `offset` that of its last record. Its checksum was
 * compared when it was fetched: readers of the values may overwrite bytes of it afterwards.
 */
export type RawBatchMessage = ConsumedMessage & { readonly value: Uint8Array; readonly rawBatch: BatchHeader | DamagedBatch };

export function isRawBatch(message: ConsumedMessage): message is RawBatchMessage {
  return 'rawBatch' in message && message.rawBatch !== undefined;
}

/** Walks the records of the batch at or after `from`: its header, what is wrong with it, or undefined when it has no such records. */
export function readRawBatch(
  message: RawBatchMessage,
  walk: RecordWalk,
  limits: { readonly from: Offset; readonly unpackedMax?: number },
): BatchHeader | DamagedBatch | undefined {
  const { rawBatch: header, value } = message;
  if ('damage' in header) return header;
  if (header.isControl || header.lastOffset < limits.from) return undefined;
  const damage = walk.walk(header, value, limits.from, limits.unpackedMax);
  if (damage !== undefined) return { ...damage, baseOffset: header.baseOffset, lastOffset: header.lastOffset };
  return walk.count === 0 ? undefined : header;
}

/** What kafkajs knows of the record batch of a message; it does not declare the property. One object per batch. */
export type BatchContext = {
  readonly firstOffset: string;
  readonly lastOffsetDelta: number;
  readonly partitionLeaderEpoch: number;
  readonly maxTimestamp: string;
  /** 0 the producer's, 1 the broker's. */
  readonly timestampType: number;
  readonly isControlBatch: boolean;
  readonly inTransaction: boolean;
  readonly producerId: string;
};

export function batchOf(message: ConsumedMessage | undefined): BatchContext | undefined {
  if (message === undefined || !('batchContext' in message)) return undefined;
  const context = message.batchContext;
  return typeof context === 'object' && context !== null && 'firstOffset' in context ? (context as BatchContext) : undefined;
}
