import { snappyCompress, snappyDecompress } from '@platformatic/wasm-utils';
import type { Damage } from './codecs.ts';
import { asBuffer, guardWasm } from './codecs-wasm.ts';

/** Java's snappy stream ("xerial"): these 8 bytes, two version words, then blocks of a big-endian length and a raw snappy block. */
const XERIAL_MAGIC = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00];
const XERIAL_HEADER_BYTES = 16;
const XERIAL_VERSION = 1;
/** As Java cuts them. */
const XERIAL_BLOCK_BYTES = 32 * 1024;
const WORD_BYTES = 4;

/** Framed, because Java readers take raw blocks for granted only since recently, and every client reads the frame. */
export function encodeSnappy(bytes: Uint8Array): Uint8Array {
  const header = Buffer.alloc(XERIAL_HEADER_BYTES);
  header.set(XERIAL_MAGIC);
  header.writeInt32BE(XERIAL_VERSION, 8);
  header.writeInt32BE(XERIAL_VERSION, 12);
  const pieces: Uint8Array[] = [header];
  for (let at = 0; at < bytes.length; at += XERIAL_BLOCK_BYTES) {
    const block = snappyCompress(asBuffer(bytes.subarray(at, at + XERIAL_BLOCK_BYTES)));
    const size = Buffer.alloc(WORD_BYTES);
    size.writeInt32BE(block.length);
    pieces.push(size, block);
  }
  return Buffer.concat(pieces);
}

/** Java's framed stream, or one raw block as other clients send it. */
export function decodeSnappy(bytes: Uint8Array, cap: number): Uint8Array | Damage {
  if (isXerialHeader(bytes, 0)) return decodeXerial(bytes, cap);
  const size = rawSize(bytes);
  if (size === undefined) return { damage: 'snappy data is damaged' };
  if (size > cap) return { damage: `snappy output is larger than ${cap} bytes` };
  return guardWasm('snappy', () => snappyDecompress(asBuffer(bytes)));
}

function decodeXerial(bytes: Uint8Array, cap: number): Uint8Array | Damage {
  const blocks = xerialBlocks(bytes);
  if ('damage' in blocks) return blocks;
  let total = 0;
  for (const block of blocks) {
    const size = rawSize(block);
    if (size === undefined) return { damage: 'snappy data is damaged' };
    total += size;
    if (total > cap) return { damage: `snappy output is larger than ${cap} bytes` };
  }
  const output = Buffer.allocUnsafe(total);
  let at = 0;
  for (const block of blocks) {
    const piece = guardWasm('snappy', () => snappyDecompress(asBuffer(block)));
    if (!(piece instanceof Uint8Array)) return piece;
    if (piece.length > total - at) return { damage: 'snappy data is damaged' };
    output.set(piece, at);
    at += piece.length;
  }
  return output.subarray(0, at);
}

function xerialBlocks(bytes: Uint8Array): readonly Uint8Array[] | Damage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const blocks: Uint8Array[] = [];
  let at = XERIAL_HEADER_BYTES;
  while (at < bytes.length) {
    // Streams that were put together carry the header again.
    if (isXerialHeader(bytes, at)) {
      at += XERIAL_HEADER_BYTES;
      continue;
    }
    if (at + WORD_BYTES > bytes.length) return { damage: 'snappy stream is cut short' };
    const size = view.getInt32(at);
    at += WORD_BYTES;
    if (size < 0 || size > bytes.length - at) return { damage: 'snappy stream is cut short' };
    blocks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return blocks;
}

function isXerialHeader(bytes: Uint8Array, at: number): boolean {
  return at + XERIAL_HEADER_BYTES <= bytes.length && XERIAL_MAGIC.every((byte, index) => bytes[at + index] === byte);
}

/** A raw block begins with the size of its output, as an unsigned varint of 32 bits. */
function rawSize(bytes: Uint8Array): number | undefined {
  let size = 0;
  for (let index = 0; index < 5; index++) {
    const byte = bytes[index];
    if (byte === undefined) return undefined;
    size += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return size <= 0xffffffff ? size : undefined;
  }
  return undefined;
}
