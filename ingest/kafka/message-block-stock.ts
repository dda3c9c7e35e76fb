import type { Offset } from '../../core/types.ts';
import type { BatchBlock } from './message-block.ts';
import { type ConsumedMessage, batchOf } from './message-block-consumed.ts';

const BYTES_MIN = 1 << 16;
const LANES_MIN = 1024;

/** The slow way, for when the hook is off: messages that kafkajs decoded, copied into one buffer with a spare byte after each value. */
export class StockCopy {
  #bytes = new Uint8Array(BYTES_MIN);
  #offsets = new Float64Array(LANES_MIN);
  #starts = new Int32Array(LANES_MIN);
  #ends = new Int32Array(LANES_MIN);
  #times = new Float64Array(LANES_MIN);

  /** `messages` are of one record batch. */
  block(messages: readonly ConsumedMessage[], place: { readonly partition: string; readonly from: Offset }): BatchBlock | undefined {
    let size = 0;
    for (const message of messages) size += (message.value?.length ?? 0) + 1;
    this.#reserve(messages.length, size);
    let count = 0;
    let at = 0;
    for (const message of messages) {
      const offset = Number(message.offset);
      if (offset < place.from) continue;
      this.#offsets[count] = offset;
      this.#starts[count] = at;
      if (message.value !== null) {
        this.#bytes.set(message.value, at);
        at += message.value.length;
      }
      this.#ends[count] = at++;
      this.#times[count] = Math.max(-1, Number(message.timestamp));
      count++;
    }
    if (count === 0) return undefined;
    const batch = batchOf(messages[0]);
    const baseOffset = batch === undefined ? Number(messages[0]?.offset) : Number(batch.firstOffset);
    return {
      kind: 'records',
      partition: place.partition,
      bytes: this.#bytes,
      count,
      offsets: this.#offsets,
      starts: this.#starts,
      ends: this.#ends,
      times: this.#times,
      clock: batch?.timestampType === 1 ? 'append' : 'create',
      crc: 0,
      baseOffset,
      lastOffset: batch === undefined ? Number(messages.at(-1)?.offset) : baseOffset + batch.lastOffsetDelta,
      leaderEpoch: batch?.partitionLeaderEpoch ?? -1,
    };
  }

  #reserve(count: number, size: number): void {
    if (size > this.#bytes.length) this.#bytes = new Uint8Array(Math.max(size, this.#bytes.length * 2));
    if (count <= this.#offsets.length) return;
    const lanes = Math.max(count, this.#offsets.length * 2);
    this.#offsets = new Float64Array(lanes);
    this.#starts = new Int32Array(lanes);
    this.#ends = new Int32Array(lanes);
    this.#times = new Float64Array(lanes);
  }
}
