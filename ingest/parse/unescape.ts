import type { Scratch } from './tokens.ts';

const SIMPLE: ReadonlyMap<number, number> = new Map([
  [110, 10],
  [114, 13],
  [116, 9],
  [98, 8],
  [102, 12],
  [118, 11],
]);

/**
 * Appends `buf[from, to)` with the escapes that gateways write undone: `\xHH` (NGINX upper case, httpd lower
 * case), `\"` and `\\`, `\n` and its like, `\uHHHH` (JSON writers). An unknown escape keeps its backslash.
 */
export function unescapeInto(scratch: Scratch, buf: Uint8Array, from: number, to: number): void {
  scratch.reserve(to - from);
  const out = scratch.bytes;
  let length = scratch.length;
  for (let at = from; at < to; at++) {
    const byte = buf[at] as number;
    if (byte !== 92 || at + 1 >= to) {
      out[length++] = byte;
      continue;
    }
    const next = buf[at + 1] as number;
    if (next === 120 && at + 3 < to) {
      const value = hex(buf, at + 2, 2);
      if (value >= 0) {
        out[length++] = value;
        at += 3;
        continue;
      }
    }
    if (next === 117 && at + 5 < to) {
      const value = hex(buf, at + 2, 4);
      if (value >= 0) {
        length = putCodePoint(out, length, value);
        at += 5;
        continue;
      }
    }
    const simple = SIMPLE.get(next);
    if (simple !== undefined) {
      out[length++] = simple;
      at++;
    } else if (next === 34 || next === 92 || next === 47 || next === 39) {
      out[length++] = next;
      at++;
    } else out[length++] = byte;
  }
  scratch.length = length;
}

function hex(buf: Uint8Array, from: number, digits: number): number {
  let value = 0;
  for (let i = from; i < from + digits; i++) {
    const byte = buf[i] as number;
    const digit = byte >= 48 && byte <= 57 ? byte - 48 : byte >= 97 && byte <= 102 ? byte - 87 : byte >= 65 && byte <= 70 ? byte - 55 : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/** UTF-8 of a code unit; `\uHHHH` takes six bytes in the log, so three always fit. */
function putCodePoint(out: Uint8Array, at: number, value: number): number {
  if (value < 0x80) {
    out[at] = value;
    return at + 1;
  }
  if (value < 0x800) {
    out[at] = 0xc0 | (value >> 6);
    out[at + 1] = 0x80 | (value & 63);
    return at + 2;
  }
  out[at] = 0xe0 | (value >> 12);
  out[at + 1] = 0x80 | ((value >> 6) & 63);
  out[at + 2] = 0x80 | (value & 63);
  return at + 3;
}
