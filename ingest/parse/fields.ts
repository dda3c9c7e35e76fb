import { readDecimal } from './time.ts';
import { R, type Tokens } from './tokens.ts';

/** Cuts `METHOD target PROTOCOL` into method and target; what is no request line gives neither. */
export function splitRequest(tokens: Tokens): void {
  const { buf, start, end } = tokens;
  const from = start[R.request] as number;
  let to = end[R.request] as number;
  let at = from;
  while (at < to && buf[at] !== 32) at++;
  if (at === to || at === from) return;
  const methodEnd = at;
  while (at < to && buf[at] === 32) at++;
  // The protocol is the last word when it starts with "HTTP"; targets may hold spaces.
  for (let i = to - 1; i > at; i--) {
    if (buf[i] !== 32) continue;
    if (buf[i + 1] === 72 && buf[i + 2] === 84 && buf[i + 3] === 84 && buf[i + 4] === 80) to = i;
    break;
  }
  while (to > at && buf[to - 1] === 32) to--;
  start[R.method] = from;
  end[R.method] = methodEnd;
  start[R.target] = at;
  end[R.target] = to;
}

/** "", "-", "null" and what gateways write for a value that they hid. */
export function isNone(buf: Uint8Array, start: number, end: number): boolean {
  const first = buf[start];
  if (end - start === 1) return first === 45;
  if (first === 42) {
    for (let i = start; i < end; i++) if (buf[i] !== 42) return false;
    return true;
  }
  if (end - start > 12 || (first !== 82 && first !== 114 && first !== 60 && first !== 91 && first !== 110 && first !== 40)) return false;
  return /^(?:<redacted>|\[redacted\]|redacted|null|\(null\)|none|nil)$/i.test(Buffer.from(buf.subarray(start, end)).toString('latin1'));
}

/** The position behind "Bearer ", "ApiKey ", "Key " or "Token "; `start` when there is no such scheme. */
export function skipScheme(buf: Uint8Array, start: number, end: number): number {
  const limit = Math.min(end, start + 8);
  for (let i = start; i < limit; i++) {
    if (buf[i] !== 32) continue;
    if (!/^(?:bearer|apikey|api-key|key|token)$/i.test(Buffer.from(buf.subarray(start, i)).toString('latin1'))) return start;
    let at = i;
    while (at < end && buf[at] === 32) at++;
    return at;
  }
  return start;
}

/** 100-599, 0 for "the client went away", -1 missing, -2 no status. */
export function readStatus(buf: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length === 3) {
    const a = (buf[start] as number) - 48;
    const b = (buf[start + 1] as number) - 48;
    const c = (buf[start + 2] as number) - 48;
    if (a >= 1 && a <= 5 && b >= 0 && b <= 9 && c >= 0 && c <= 9) {
      const status = a * 100 + b * 10 + c;
      return status === 499 ? 0 : status;
    }
  }
  if (length <= 0) return -1;
  if (length === 1 && buf[start] === 45) return 0;
  return statusOf(readDecimal(buf, start, end));
}

export function statusOf(value: number): number {
  if (value === 0 || value === -1) return 0;
  return value >= 100 && value <= 599 && Number.isInteger(value) ? (value === 499 ? 0 : value) : -2;
}

/** A size in bytes; "-" is 0 where a server writes it for nothing sent; -1 when missing, negative or no number. */
export function readCount(buf: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length <= 0) return -1;
  if (length <= 9) {
    let value = 0;
    let at = start;
    for (; at < end; at++) {
      const digit = (buf[at] as number) - 48;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    if (at === end) return value;
  }
  if (length === 1 && buf[start] === 45) return 0;
  return countOf(readDecimal(buf, start, end));
}

export function countOf(value: number): number {
  return value >= 0 && value <= Number.MAX_SAFE_INTEGER ? Math.floor(value) : -1;
}

/** GET, HEAD and OPTIONS read; POST, PUT, PATCH and DELETE write. */
export function accessOf(buf: Uint8Array, start: number, end: number): number {
  const length = end - start;
  const a = buf[start] as number;
  const b = buf[start + 1] as number;
  switch (length) {
    case 3:
      return a === 71 && b === 69 ? 1 : a === 80 && b === 85 ? 2 : 0;
    case 4:
      return a === 72 && b === 69 ? 1 : a === 80 && b === 79 ? 2 : 0;
    case 5:
      return a === 80 && b === 65 ? 2 : 0;
    case 6:
      return a === 68 && b === 69 ? 2 : 0;
    case 7:
      return a === 79 && b === 80 ? 1 : 0;
    default:
      return 0;
  }
}
