import { unsupportedPacking } from './compression.ts';

/** How much of the beginning of a stream is looked at: for the format, and to tell text from other files. */
export const SAMPLE_BYTES = 1 << 16;

/** Logs hold stray control bytes; above this share the file is something else. */
const CONTROL_SHARE_MAX = 0.05;

const ALLOWED_CONTROLS: ReadonlySet<number> = new Set([0x08, 0x09, 0x0a, 0x0c, 0x0d, 0x1b]);

/**
 * Why a stream that begins with `sample` cannot be a log, in words that complete "it is …", or undefined. A run of
 * NULs before text is let pass: a log that was truncated under a writer without O_APPEND begins with one.
 */
export function whyNotText(sample: Uint8Array): string | undefined {
  const packing = unsupportedPacking(sample);
  if (packing !== undefined) return `${packing.name}: unpack it first, for instance with ${packing.unpackWith}`;
  if ((sample[0] === 0xff && sample[1] === 0xfe) || (sample[0] === 0xfe && sample[1] === 0xff)) {
    return 'UTF-16 text: convert it first, for instance with iconv -t utf-8';
  }
  const text = sample.subarray(leadingNuls(sample));
  const controls = countControls(text);
  if (controls > text.length * CONTROL_SHARE_MAX) return 'not a text file';
  if (text.length >= SAMPLE_BYTES && controls > 0 && !text.includes(0x0a)) return 'not a text file: there is no line feed in its first 64 KiB';
  return undefined;
}

/** True when nothing but NULs was seen: a hole, or a disk image. */
export function isAllNul(sample: Uint8Array): boolean {
  return sample.length > 0 && leadingNuls(sample) === sample.length;
}

function leadingNuls(bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length && bytes[at] === 0) at++;
  return at;
}

function countControls(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) if ((byte < 0x20 && !ALLOWED_CONTROLS.has(byte)) || byte === 0x7f) count++;
  return count;
}
