import { crc32 } from 'node:zlib';
import type { EpochMs, Offset } from '../../core/types.ts';

/**
 * One frame is one group of requests that were made durable together. All numbers are little endian:
 *
 *   0  u32  the letters KWS1
 *   4  u32  CRC-32 of everything after this field, seeded with the name of the spool and the frame's own offset
 *   8  f64  receive time
 *  16  u32  number of requests
 *  20  u32  bytes of all lines
 *  24  per request 24 bytes: 16 of the hash of its idempotency key (zeros: none), u32 CRC-32 of its lines, u32 events
 *      then the lines of all requests; each line ends in a line feed
 *
 * The seed keeps text that a client sent from ever passing for a frame.
 */
export const FRAME_HEAD_BYTES = 24;
const ENTRY_BYTES = 24;
const KEY_BYTES = 16;
const MAGIC = 0x3153574b;
/** Nothing longer is written, so nothing longer is believed. */
export const FRAME_BYTES_MAX = 2 ** 28;

/** One request inside a frame. */
export type FrameEntry = {
  /** 32 hex digits, or empty for a request without an idempotency key. */
  readonly key: string;
  readonly checksum: number;
  readonly count: number;
};

export type Frame = {
  readonly offset: Offset;
  readonly receivedAt: EpochMs;
  readonly entries: readonly FrameEntry[];
  /** Position of the first line. */
  readonly linesAt: Offset;
  /** Whole lines of all requests, one after the other. */
  readonly lines: Uint8Array;
  /** Position of the next frame. */
  readonly end: Offset;
};

export type FrameInput = {
  readonly receivedAt: EpochMs;
  readonly requests: readonly (FrameEntry & { readonly lines: Uint8Array })[];
};

/** What `frameLength` says of bytes that cannot begin a frame. */
export const NO_FRAME = -1;

export function encodeFrame(spool: string, offset: Offset, input: FrameInput): Buffer {
  const { requests, receivedAt } = input;
  const linesAt = FRAME_HEAD_BYTES + requests.length * ENTRY_BYTES;
  const lineBytes = requests.reduce((sum, { lines }) => sum + lines.length, 0);
  if (linesAt + lineBytes > FRAME_BYTES_MAX) throw new RangeError(`BUG: a frame of ${lineBytes} bytes is too long`);
  const frame = Buffer.allocUnsafe(linesAt + lineBytes);
  frame.writeUInt32LE(MAGIC, 0);
  frame.writeDoubleLE(receivedAt, 8);
  frame.writeUInt32LE(requests.length, 16);
  frame.writeUInt32LE(lineBytes, 20);
  let at = FRAME_HEAD_BYTES;
  for (const { key, checksum, count } of requests) {
    frame.fill(0, at, at + KEY_BYTES);
    frame.write(key, at, 'hex');
    frame.writeUInt32LE(checksum, at + KEY_BYTES);
    frame.writeUInt32LE(count, at + KEY_BYTES + 4);
    at += ENTRY_BYTES;
  }
  for (const { lines } of requests) {
    frame.set(lines, at);
    at += lines.length;
  }
  frame.writeUInt32LE(crc32(frame.subarray(8), seedOf(spool, offset)), 4);
  return frame;
}

/** The bytes of a request's frame beside its lines, when it is alone in it. */
export function frameOverhead(requests: number): number {
  return FRAME_HEAD_BYTES + requests * ENTRY_BYTES;
}

/** The length of the frame that begins with `head`, of which at least `FRAME_HEAD_BYTES` must be there. */
export function frameLength(head: Buffer): number {
  if (head.length < FRAME_HEAD_BYTES || head.readUInt32LE(0) !== MAGIC) return NO_FRAME;
  const length = FRAME_HEAD_BYTES + head.readUInt32LE(16) * ENTRY_BYTES + head.readUInt32LE(20);
  return length > FRAME_BYTES_MAX ? NO_FRAME : length;
}

/** The frame in `bytes`, which are exactly its own; undefined when it is damaged. Its lines are a part of `bytes`. */
export function decodeFrame(spool: string, offset: Offset, bytes: Buffer): Frame | undefined {
  if (frameLength(bytes) !== bytes.length) return undefined;
  if (bytes.readUInt32LE(4) !== crc32(bytes.subarray(8), seedOf(spool, offset))) return undefined;
  const requests = bytes.readUInt32LE(16);
  const entries: FrameEntry[] = [];
  for (let i = 0; i < requests; i++) {
    const at = FRAME_HEAD_BYTES + i * ENTRY_BYTES;
    const key = bytes.toString('hex', at, at + KEY_BYTES);
    entries.push({
      key: key === NO_KEY ? '' : key,
      checksum: bytes.readUInt32LE(at + KEY_BYTES),
      count: bytes.readUInt32LE(at + KEY_BYTES + 4),
    });
  }
  const linesAt = FRAME_HEAD_BYTES + requests * ENTRY_BYTES;
  return { offset, receivedAt: bytes.readDoubleLE(8), entries, linesAt: offset + linesAt, lines: bytes.subarray(linesAt), end: offset + bytes.length };
}

/** Where the next frame may begin at or after `from`, or -1. */
export function findMagic(bytes: Buffer, from: number): number {
  return bytes.indexOf(MAGIC_LETTERS, from, 'latin1');
}

const NO_KEY = '0'.repeat(KEY_BYTES * 2);
const MAGIC_LETTERS = 'KWS1';

function seedOf(spool: string, offset: Offset): number {
  return crc32(`${spool}:${offset}`);
}
