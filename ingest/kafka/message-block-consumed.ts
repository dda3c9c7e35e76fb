/** What we read of a message that kafkajs hands to a consumer. */
export type ConsumedMessage = {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Decimal text. */
  readonly offset: string;
  readonly timestamp: string;
};

/** The pseudo-message that the hook makes of a record batch: `value` is the whole batch, `offset` that of its last record. */
export type RawBatchMessage = ConsumedMessage & { readonly value: Uint8Array; readonly isRawBatch: true };

export function isRawBatch(message: ConsumedMessage): message is RawBatchMessage {
  return 'isRawBatch' in message && message.isRawBatch === true && message.value !== null;
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
