/**
 * Non-cryptographic 64-bit hashing of bytes, as two 32-bit lanes. Used for set membership and for the
 * hashes inside HyperLogLog, never for secrets (that is `fingerprint.ts`). Both lanes are MurmurHash3's
 * 32-bit body with different seeds (Appleby, public domain); stored sketches depend on it, so it must not change.
 */
export const hashLanes = { hi: 0, lo: 0 };

/** Hashes `bytes[start, end)` into `hashLanes`. `view` is a view of the same bytes: reading words through it is three times as fast. */
export function hashView(bytes: Uint8Array, view: DataView, start: number, end: number): void {
  let a = 0x2f0b4c1d | 0;
  let b = 0x6b43a9b5 | 0;
  let i = start;
  const whole = end - 3;
  for (; i < whole; i += 4) {
    let k = view.getInt32(i, true);
    k = Math.imul(k, 0xcc9e2d51);
    k = (k << 15) | (k >>> 17);
    k = Math.imul(k, 0x1b873593);
    a ^= k;
    a = (a << 13) | (a >>> 19);
    a = (Math.imul(a, 5) + 0xe6546b64) | 0;
    b ^= Math.imul(k, 0x85ebca6b);
    b = (b << 15) | (b >>> 17);
    b = (Math.imul(b, 9) + 0x38b34ae5) | 0;
  }
  let tail = 0;
  for (let shift = 0; i < end; i++, shift += 8) tail |= (bytes[i] as number) << shift;
  tail = Math.imul(tail, 0xcc9e2d51);
  tail = (tail << 15) | (tail >>> 17);
  tail = Math.imul(tail, 0x1b873593);
  const length = end - start;
  hashLanes.hi = mix(a ^ tail ^ length);
  hashLanes.lo = mix(b ^ Math.imul(tail, 0x85ebca6b) ^ Math.imul(length, 0x9e3779b1) ^ hashLanes.hi);
}

/** As `hashView`, for bytes that are hashed once. */
export function hashBytes(bytes: Uint8Array, start: number, end: number): void {
  hashView(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), start, end);
}

const encoder = new TextEncoder();
/** Nearly all texts are short and plain: they need no encoder. */
const SCRATCH_BYTES = 256;
const scratch = new Uint8Array(SCRATCH_BYTES);
const scratchView = new DataView(scratch.buffer);

/** Hashes the UTF-8 bytes of `text` into `hashLanes`. */
export function hashText(text: string): void {
  const { length } = text;
  if (length <= SCRATCH_BYTES) {
    let at = 0;
    for (; at < length; at++) {
      const code = text.charCodeAt(at);
      if (code > 127) break;
      scratch[at] = code;
    }
    if (at === length) {
      hashView(scratch, scratchView, 0, length);
      return;
    }
  }
  const bytes = encoder.encode(text);
  hashBytes(bytes, 0, bytes.length);
}

/** MurmurHash3's finaliser: every input bit reaches every output bit. */
function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) | 0;
}
