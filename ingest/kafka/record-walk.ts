import type { Offset } from '../../core/types.ts';
import { type Damage, UNPACKED_MAX, decompress } from './codecs.ts';
import { BATCH_HEADER_BYTES, type BatchHeader, RECORD_BYTES_MIN } from './record-batch.ts';

const LANES_MIN = 1024;

/**
 * Walks the records of one batch into arrays that are used again for the next: nothing is made per record
 * (under 50 ns each, test/bench/record-walk.ts). What it gives is valid until the next `walk`.
 */
export class RecordWalk {
  /** Where the values are: the batch itself, or its unpacked records. The byte after each value is the (walked) header count, which nobody needs any more. */
  bytes: Uint8Array = new Uint8Array(0);
  /** Records at or after `from`. */
  count = 0;
  offsets = new Float64Array(LANES_MIN);
  starts = new Int32Array(LANES_MIN);
  ends = new Int32Array(LANES_MIN);
  times = new Float64Array(LANES_MIN);
  #at = 0;
  #isBad = false;

  /** Leaves out records below `from`. On damage nothing is delivered: the batch counts as a whole. */
  walk(header: BatchHeader, batch: Uint8Array, from: Offset, cap = UNPACKED_MAX): Damage | undefined {
    this.count = 0;
    // Compaction leaves empty batches behind, which hold no compressed stream either.
    if (header.recordCount === 0) return undefined;
    const isPacked = header.compression !== 0;
    if (isPacked) {
      const records = decompress(header.compression, batch.subarray(BATCH_HEADER_BYTES, header.sizeBytes), cap);
      if (!(records instanceof Uint8Array)) return records;
      this.bytes = records;
    } else this.bytes = batch;
    const end = isPacked ? this.bytes.length : header.sizeBytes;
    this.#at = isPacked ? 0 : BATCH_HEADER_BYTES;
    if (header.recordCount * RECORD_BYTES_MIN > end - this.#at)
      return { damage: `record batch states ${header.recordCount} records in ${end - this.#at} bytes` };
    this.#reserve(header.recordCount);
    return this.#records(header, end, from);
  }

  #records(header: BatchHeader, end: number, from: Offset): Damage | undefined {
    const { bytes, offsets, starts, ends, times } = this;
    const { baseOffset, firstTimestamp, recordCount } = header;
    const lastDelta = header.lastOffset - baseOffset;
    const isAppend = header.clock === 'append';
    const appendTime = header.maxTimestamp < 0 ? -1 : header.maxTimestamp;
    this.#isBad = false;
    let count = 0;
    let previous = -1;
    for (let index = 0; index < recordCount; index++) {
      const size = this.#varint(bytes, end);
      const recordEnd = this.#at + size;
      if (size < RECORD_BYTES_MIN - 1 || recordEnd > end) return damaged(index);
      this.#at++; // attributes: none are in use
      const time = firstTimestamp + this.#varlong(bytes, recordEnd);
      const delta = this.#varint(bytes, recordEnd);
      const keySize = this.#varint(bytes, recordEnd);
      if (keySize > 0) this.#at += keySize;
      const valueSize = this.#varint(bytes, recordEnd);
      const start = this.#at;
      const valueEnd = valueSize > 0 ? start + valueSize : start;
      this.#at = valueEnd;
      const headers = this.#varint(bytes, recordEnd);
      if (headers > 0) this.#skipHeaders(bytes, recordEnd, headers);
      if (this.#isBad || this.#at !== recordEnd || keySize < -1 || valueSize < -1 || headers < 0 || delta <= previous || delta > lastDelta)
        return damaged(index);
      previous = delta;
      const offset = baseOffset + delta;
      if (offset < from) continue;
      offsets[count] = offset;
      starts[count] = start;
      ends[count] = valueEnd;
      times[count] = isAppend ? appendTime : time < 0 ? -1 : time;
      count++;
    }
    if (this.#at !== end) return { damage: `record batch holds ${end - this.#at} bytes after its last record` };
    this.count = count;
    return undefined;
  }

  #skipHeaders(bytes: Uint8Array, end: number, count: number): void {
    for (let index = 0; index < count && !this.#isBad; index++) {
      const keySize = this.#varint(bytes, end);
      if (keySize > 0) this.#at += keySize;
      const valueSize = this.#varint(bytes, end);
      if (valueSize > 0) this.#at += valueSize;
      if (keySize < 0 || valueSize < -1) this.#isBad = true;
    }
  }

  /** A zigzag int32. Never reads at or behind `end`: then, and when it is longer than five bytes, the record is bad. */
  #varint(bytes: Uint8Array, end: number): number {
    let at = this.#at;
    let raw = 0;
    for (let shift = 0; shift < 35 && at < end; shift += 7) {
      const byte = bytes[at++] ?? 0;
      raw |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.#at = at;
        return (raw >>> 1) ^ -(raw & 1);
      }
    }
    this.#isBad = true;
    return 0;
  }

  /** A zigzag int64, as a double: a time beyond 2^53 is no time. */
  #varlong(bytes: Uint8Array, end: number): number {
    let at = this.#at;
    let raw = 0;
    for (let shift = 0; shift < 28 && at < end; shift += 7) {
      const byte = bytes[at++] ?? 0;
      raw |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.#at = at;
        return (raw >>> 1) ^ -(raw & 1);
      }
    }
    return this.#longVarlong(bytes, end);
  }

  #longVarlong(bytes: Uint8Array, end: number): number {
    let at = this.#at;
    let raw = 0;
    for (let power = 1; power <= 2 ** 63 && at < end; power *= 128) {
      const byte = bytes[at++] ?? 0;
      raw += (byte & 0x7f) * power;
      if (byte >= 0x80) continue;
      // The lowest bit is the sign; a double has lost it when the value is beyond 2^53.
      const isNegative = ((bytes[this.#at] ?? 0) & 1) === 1;
      this.#at = at;
      return isNegative ? -(raw + 1) / 2 : raw / 2;
    }
    this.#isBad = true;
    return 0;
  }

  #reserve(count: number): void {
    if (count <= this.offsets.length) return;
    const length = Math.max(count, this.offsets.length * 2);
    this.offsets = new Float64Array(length);
    this.starts = new Int32Array(length);
    this.ends = new Int32Array(length);
    this.times = new Float64Array(length);
  }
}

function damaged(index: number): Damage {
  return { damage: `record ${index} of the batch is damaged` };
}
