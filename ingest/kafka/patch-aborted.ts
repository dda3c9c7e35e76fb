import { type ConsumedMessage, batchOf } from './message-block-consumed.ts';

export type AbortedTransaction = { readonly producerId: string; readonly firstOffset: string };
/** kafkajs leaves out what it takes for a control record. */
export type FetchedMessage = ConsumedMessage & { isControlRecord?: boolean };

/** Second half of the key of a control record. */
const ABORT_TYPE = 0;

/**
 * Hides the records of aborted transactions, as Java's consumer finds them: a transaction begins at the first offset that the broker
 * states and ends at the abort marker of its producer. kafkajs' own filter steps into one transaction per message at most, so that
 * records leak when a fetch starts inside several, and takes a record with the key 00000000 for a marker.
 *
 * Hidden records are marked as control records rather than removed: kafkajs needs their offsets to move on.
 */
export function hideAborted(messages: readonly FetchedMessage[], aborted: readonly AbortedTransaction[]): void {
  if (aborted.length === 0) return;
  const begins = aborted.map(({ producerId, firstOffset }) => ({ producerId, at: Number(firstOffset) })).toSorted((a, b) => a.at - b.at);
  const open = new Set<string>();
  let next = 0;
  for (const message of messages) {
    const offset = Number(message.offset);
    for (let begin = begins[next]; begin !== undefined && begin.at <= offset; begin = begins[++next]) open.add(begin.producerId);
    const batch = batchOf(message);
    if (batch === undefined) continue;
    if (message.isControlRecord === true) {
      if (isAbortMarker(message.key)) open.delete(batch.producerId);
    } else if (batch.inTransaction && open.has(batch.producerId)) message.isControlRecord = true;
  }
}

function isAbortMarker(key: Uint8Array | null): boolean {
  return key !== null && key.length >= 4 && ((key[2] ?? 0) << 8) + (key[3] ?? 0) === ABORT_TYPE;
}
