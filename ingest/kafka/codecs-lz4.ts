import { lz4Compress, lz4Decompress } from '@platformatic/wasm-utils';
import type { Damage } from './codecs.ts';
import { asBuffer, guardWasm } from './codecs-wasm.ts';

const MAGIC = 0x184d2204;
/** A literal or match run of LZ4 is 255 bytes of output per byte of input at most. */
const RATIO_MAX = 255;
const WORD_BYTES = 4;

export function encodeLz4(bytes: Uint8Array): Uint8Array {
  return lz4Compress(asBuffer(bytes));
}

/** One LZ4 frame. The decoder itself knows no limit, so the size of its output is settled before it runs. */
export function decodeLz4(bytes: Uint8Array, cap: number): Uint8Array | Damage {
  const size = outputSize(bytes, cap);
  if (typeof size !== 'number') return size;
  if (size > cap) return { damage: `lz4 output is larger than ${cap} bytes` };
  return guardWasm('lz4', () => lz4Decompress(asBuffer(bytes)));
}

/** An upper bound where that is within `cap` (a hop per block), else the exact number of bytes (a hop per sequence). */
function outputSize(bytes: Uint8Array, cap: number): number | Damage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 7 || view.getUint32(0, true) !== MAGIC) return { damage: 'not an lz4 frame' };
  const flags = view.getUint8(4);
  const blockMax = 1 << (8 + 2 * ((view.getUint8(5) >>> 4) & 7));
  const hasSize = (flags & 0x08) !== 0;
  const start = 7 + (hasSize ? 8 : 0) + ((flags & 0x01) === 0 ? 0 : WORD_BYTES);
  if (start > bytes.length) return { damage: 'lz4 frame ends in its header' };
  if (hasSize && view.getBigUint64(6, true) > BigInt(cap)) return { damage: `lz4 output is larger than ${cap} bytes` };

  const checksumBytes = (flags & 0x10) === 0 ? 0 : WORD_BYTES;
  const bound = sumBlocks(view, start, checksumBytes, (size) => Math.min(blockMax, size * RATIO_MAX));
  if (bound <= cap) return bound;
  return sumBlocks(view, start, checksumBytes, (size, at) => Math.min(blockMax, blockOutput(bytes, at, at + size)));
}

function sumBlocks(view: DataView, start: number, checksumBytes: number, outputOf: (size: number, at: number) => number): number {
  let at = start;
  let sum = 0;
  while (at + WORD_BYTES <= view.byteLength) {
    const word = view.getUint32(at, true);
    if (word === 0) break;
    const size = word & 0x7fffffff;
    at += WORD_BYTES;
    if (size > view.byteLength - at) break; // cut short: the decoder finds that
    sum += word > 0x7fffffff ? size : outputOf(size, at);
    at += size + checksumBytes;
  }
  return sum;
}

/** What the sequences of one compressed block expand to. */
function blockOutput(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  let sum = 0;
  const run = (nibble: number): number => {
    let length = nibble;
    if (nibble !== 15) return length;
    for (let byte = 255; byte === 255 && at < end;) {
      byte = bytes[at++] ?? 0;
      length += byte;
    }
    return length;
  };
  while (at < end) {
    const token = bytes[at++] ?? 0;
    const literals = run(token >>> 4);
    at += literals;
    sum += literals;
    if (at >= end) break;
    at += 2;
    sum += run(token & 15) + 4;
  }
  return sum;
}
