import type { RecordBlock } from '../../core/ports.ts';
import type { Offset } from '../../core/types.ts';
import { UNPACKED_MAX } from './codecs.ts';
import { RecordWalk } from './record-walk.ts';
import { type ConsumedMessage, type RawBatchMessage, batchOf, isRawBatch, readRawBatch } from './message-block-consumed.ts';
import { StockCopy } from './message-block-stock.ts';

/** A block of one record batch, with the place of the batch in the log. */
export type BatchBlock = RecordBlock & {
  readonly baseOffset: Offset;
  readonly lastOffset: Offset;
  /** Falls only when the log was replaced by another; -1 where the client does not show it. */
  readonly leaderEpoch: number;
};

/** A batch whose checksum is wrong or that cannot be decoded: all of its records are lost to us. */
export type CorruptBatch = {
  readonly kind: 'corrupt';
  readonly partition: string;
  readonly baseOffset: Offset;
  readonly lastOffset: Offset;
  readonly why: string;
  /** The batch as it came. Valid as long as the messages are. */
  readonly bytes: Uint8Array;
};

/**
 * Turns what one consumer hands over into blocks, one per record batch, in order. One object per consumer: its
 * arrays are used again, so a block is valid until the next is asked for. Call it once per delivery: a reader of a block may
 * overwrite the byte after each value, after which the checksum of the batch is wrong.
 */
export class MessageBlocks {
  readonly #walk = new RecordWalk();
  readonly #copy = new StockCopy();
  readonly #unpackedMax: number;

  constructor(options: { readonly unpackedMax?: number } = {}) {
    this.#unpackedMax = options.unpackedMax ?? UNPACKED_MAX;
  }

  /** `messages` of an `eachBatch` payload (kafkajs took control and aborted batches out). Records below `from` are left out, and blocks that are empty then. */
  *blocks(messages: readonly ConsumedMessage[], place: { readonly partition: string; readonly from: Offset }): Iterable<BatchBlock | CorruptBatch> {
    let index = 0;
    while (index < messages.length) {
      const first = messages[index];
      if (first === undefined) return;
      if (isRawBatch(first)) {
        const block = this.#raw(first, place.partition, place.from);
        if (block !== undefined) yield block;
        index++;
        continue;
      }
      const end = this.#runEnd(messages, index);
      const block = this.#copy.block(messages.slice(index, end), place);
      if (block !== undefined) yield block;
      index = end;
    }
  }

  #raw(message: RawBatchMessage, partition: string, from: Offset): BatchBlock | CorruptBatch | undefined {
    const walk = this.#walk;
    const header = readRawBatch(message, walk, { from, unpackedMax: this.#unpackedMax });
    if (header === undefined) return undefined;
    const { baseOffset, lastOffset } = header;
    if ('damage' in header) return { kind: 'corrupt', partition, baseOffset, lastOffset, why: header.damage, bytes: message.value };
    return {
      kind: 'records',
      partition,
      bytes: walk.bytes,
      count: walk.count,
      offsets: walk.offsets,
      starts: walk.starts,
      ends: walk.ends,
      times: walk.times,
      clock: header.clock,
      crc: header.crc,
      baseOffset,
      lastOffset,
      leaderEpoch: header.leaderEpoch,
    };
  }

  /** Messages of one record batch share their context object. */
  #runEnd(messages: readonly ConsumedMessage[], start: number): number {
    const batch = batchOf(messages[start]);
    if (batch === undefined) return start + 1;
    for (let end = start + 1; end < messages.length; end++) if (batchOf(messages[end]) !== batch) return end;
    return messages.length;
  }
}
