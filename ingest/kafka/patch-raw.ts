import { type BatchContext, type ConsumedMessage, type RawBatchMessage, isRawBatch } from './message-block-consumed.ts';
import { type BatchHeader, type DamagedBatch, batchSize, controlKey, parseBatch } from './record-batch.ts';

/** A pseudo-message as kafkajs takes it for a message: it looks at the offset, the batch, the key and the control flag. */
export type FetchedBatch = RawBatchMessage & {
  isControlRecord: boolean;
  readonly magicByte: 2;
  readonly attributes: 0;
  readonly headers: Readonly<Record<string, never>>;
  readonly batchContext: BatchContext;
};

/** Makes the error for bytes that are no record batches: nobody can say where the next batch begins, so kafkajs has to give up. */
export type Refuse = (why: string) => Error;

/**
 * One pseudo-message per record batch of a fetched partition. The end of a fetch cuts the last batch off: that one comes again, whole. A batch
 * with a wrong checksum is passed on as damaged; a control batch keeps the key of its record, by which aborted transactions are found to end.
 */
export function decodeBatches(bytes: Buffer, refuse: Refuse): FetchedBatch[] {
  const messages: FetchedBatch[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = batchSize(bytes, at);
    if (size === 'partial') break;
    if (typeof size !== 'number') throw refuse(size.damage);
    messages.push(messageOf(parseBatch(bytes, at, size), bytes.subarray(at, at + size)));
    at += size;
  }
  return messages;
}

/**
 * What a damaged batch states as its last offset may be anything, and kafkajs goes on behind it: out of range it would silently start over.
 * So it reaches to the next batch, and not beyond `end`, the end of the log.
 */
export function limitDamaged<T extends ConsumedMessage>(messages: readonly T[], end: number): readonly T[] {
  return messages.map((message, index) => {
    if (!isRawBatch(message) || !('damage' in message.rawBatch)) return message;
    const { baseOffset } = message.rawBatch;
    const following = messages[index + 1];
    const next = following !== undefined && isRawBatch(following) ? following.rawBatch.baseOffset : Math.min(end, message.rawBatch.lastOffset + 1);
    const lastOffset = Math.max(baseOffset, next - 1);
    return { ...message, rawBatch: { ...message.rawBatch, lastOffset }, offset: String(lastOffset) };
  });
}

function messageOf(batch: BatchHeader | DamagedBatch, value: Buffer): FetchedBatch {
  const key = 'damage' in batch || !batch.isControl ? null : (controlKey(value) ?? null);
  // A marker without its key would leave its producer aborted for ever.
  const isUnreadableMarker = !('damage' in batch) && batch.isControl && key === null;
  const { baseOffset, lastOffset } = batch;
  const rawBatch = isUnreadableMarker ? { damage: 'control record is damaged', baseOffset, lastOffset } : batch;
  const isControl = !('damage' in rawBatch) && rawBatch.isControl;
  const maxTimestamp = 'damage' in rawBatch ? '-1' : String(rawBatch.maxTimestamp);
  return {
    magicByte: 2,
    attributes: 0,
    timestamp: maxTimestamp,
    offset: String(lastOffset),
    key,
    value,
    headers: {},
    isControlRecord: isControl,
    rawBatch,
    batchContext: {
      firstOffset: String(baseOffset),
      lastOffsetDelta: lastOffset - baseOffset,
      partitionLeaderEpoch: 'damage' in rawBatch ? -1 : rawBatch.leaderEpoch,
      maxTimestamp,
      timestampType: !('damage' in rawBatch) && rawBatch.clock === 'append' ? 1 : 0,
      isControlBatch: isControl,
      // A damaged batch is always delivered: what it says of a transaction cannot be trusted.
      inTransaction: !('damage' in rawBatch) && rawBatch.isTransactional,
      producerId: 'damage' in rawBatch ? '-1' : rawBatch.producerId,
    },
  };
}
