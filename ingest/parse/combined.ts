import type { Format } from './format.ts';
import { type Verdict, fault } from './normaliser.ts';
import { R, type Role, type Tokens, isBlank } from './tokens.ts';
import { unescapeInto } from './unescape.ts';

const NOT_THIS_FORMAT = fault('not_this_format');
const TRUNCATED = fault('truncated');
const EMPTY = fault('empty_line');
const BINARY = fault('binary');

/**
 * NGINX and Apache `common` and `combined`, with a virtual-host prefix, with any escape style, and with
 * extra fields behind. A third quoted field is X-Forwarded-For, as in NGINX's shipped `main` format.
 */
export function combinedFormat(name: 'combined' | 'common'): Format {
  const visible = new Set<Role>(['time', 'address', 'user', 'method', 'target', 'status', 'bytesOut']);
  if (name === 'combined') visible.add('agent').add('forwarded');
  return { name, visible, bytesKind: 'body', timeIs: 'end', latencyToUs: 1, descriptor: name, scan: scanCombined, parse: explainCombined };
}

/** Bytes at which a quoted field is looked at: its quote, a backslash, the line's end. */
const MARKS = new Uint8Array(256);
MARKS[34] = 1;
MARKS[92] = 1;
MARKS[10] = 1;

/** One pass over the line; -1 when a field is missing. It is the correct way too: there is no second reading of this format. */
function scanCombined(tokens: Tokens, buf: Uint8Array, from: number, limit: number): number {
  const { start, end } = tokens;
  const marks = MARKS;
  tokens.numeric = 0;
  end[R.user] = 0;
  end[R.forwarded] = 0;
  end[R.method] = 0;
  end[R.target] = 0;
  end[R.bytesOut] = 0;
  end[R.agent] = 0;
  tokens.point(buf);
  let at = from;
  // Address: up to the first space.
  while (at < limit) {
    const byte = buf[at] as number;
    if (byte === 32) break;
    if (byte === 10) return -1;
    at++;
  }
  const firstEnd = at;
  // The usual "addr - - [": everything else goes the long way.
  let open: number;
  if (buf[at + 1] === 45 && buf[at + 2] === 32 && buf[at + 3] === 45 && buf[at + 4] === 32 && buf[at + 5] === 91 && buf[at - 1] !== 44) {
    start[R.address] = from;
    end[R.address] = firstEnd;
    open = at + 5;
  } else {
    open = findTime(buf, at, limit);
    if (open < 0) return -1;
    splitHead(tokens, buf, from, open - 1);
  }
  const close = open + 27;
  if (close >= limit || buf[close] !== 93) return -1;
  start[R.time] = open + 1;
  end[R.time] = close;
  at = close + 1;
  if (buf[at] !== 32 || buf[at + 1] !== 34) return -1;
  at += 2;
  // Request line, up to the quote that a status follows.
  const requestStart = at;
  let hasEscape = false;
  for (;;) {
    while (marks[buf[at] as number] === 0) at++;
    if (at >= limit) return -1;
    const byte = buf[at] as number;
    if (byte === 34) {
      const after = buf[at + 2] as number;
      if (buf[at + 1] === 32 && ((after >= 48 && after <= 57) || after === 45)) break;
    } else if (byte === 92) {
      hasEscape = true;
      // A line that was cut behind a backslash must not take the next one with it.
      if (buf[at + 1] !== 10) at++;
    } else if (byte === 10) return -1;
    at++;
  }
  start[R.request] = requestStart;
  end[R.request] = at;
  at += 2;
  start[R.status] = at;
  while (at < limit && (buf[at] as number) > 32) at++;
  end[R.status] = at;
  if (buf[at] === 32) {
    at++;
    start[R.bytesOut] = at;
    while (at < limit && (buf[at] as number) > 32) at++;
    end[R.bytesOut] = at;
  }
  let agentEscape = false;
  if (buf[at] === 32 && buf[at + 1] === 34) {
    // Referer: never kept. Its closing quote is the one before the next opening quote.
    at += 2;
    while (at < limit) {
      const byte = buf[at] as number;
      if (byte === 34 && buf[at + 1] === 32 && buf[at + 2] === 34) break;
      if (byte === 92) {
        if (buf[at + 1] !== 10) at++;
      } else if (byte === 10) return at;
      at++;
    }
    at += 3;
    const agentStart = at;
    while (at < limit) {
      while (marks[buf[at] as number] === 0) at++;
      const byte = buf[at] as number;
      if (byte === 34) {
        const after = buf[at + 1];
        if (after === 10 || after === 32 || after === 13 || at + 1 >= limit) break;
      } else if (byte === 92) {
        agentEscape = true;
        if (buf[at + 1] !== 10) at++;
      } else if (byte === 10) break;
      at++;
    }
    if (at > limit) at = limit;
    if (agentStart < at) {
      start[R.agent] = agentStart;
      end[R.agent] = at;
    }
    if (buf[at] === 34 && at < limit) at++;
    if (buf[at] === 32 && buf[at + 1] === 34) {
      const extra = at + 2;
      at = extra;
      while (at < limit && buf[at] !== 34 && buf[at] !== 10) at++;
      if (isAddressList(buf, extra, at)) {
        start[R.forwarded] = extra;
        end[R.forwarded] = at;
      }
    }
  }
  while (at < limit && buf[at] !== 10) at++;
  if (hasEscape || agentEscape) unescape(tokens, buf);
  return at;
}

/** Says why a line that `scanCombined` refused is no event. */
function explainCombined(_tokens: Tokens, buf: Uint8Array, from: number, to: number): Verdict {
  let end = to;
  while (end > from && isBlank(buf[end - 1] as number)) end--;
  if (end === from) return EMPTY;
  for (let i = from; i < Math.min(end, from + 512); i++) if (buf[i] === 0) return BINARY;
  return findTime(buf, from, end) >= 0 ? TRUNCATED : NOT_THIS_FORMAT;
}

/** The position of the `[` of ` [23/Nov/2026:`; user names can hold brackets and spaces. */
function findTime(buf: Uint8Array, from: number, limit: number): number {
  for (let i = from; i + 28 < limit; i++) {
    const byte = buf[i];
    if (byte === 10) return -1;
    if (byte === 91 && buf[i - 1] === 32 && buf[i + 3] === 47 && buf[i + 7] === 47 && buf[i + 27] === 93) return i;
  }
  return -1;
}

/** `[vhost ]addr ident user`, where the address may be a list and the user may hold spaces. */
function splitHead(tokens: Tokens, buf: Uint8Array, from: number, to: number): void {
  const { start, end } = tokens;
  let at = from;
  let wordEnd = endOfWord(buf, at, to);
  // A virtual host in front: the second word is an address and the first is none.
  const second = wordEnd + 1;
  const secondEnd = endOfWord(buf, second, to);
  if (buf[wordEnd - 1] !== 44 && !looksLikeAddress(buf, at, wordEnd) && looksLikeAddress(buf, second, secondEnd)) {
    at = second;
    wordEnd = secondEnd;
  }
  start[R.address] = at;
  while (wordEnd < to && buf[wordEnd - 1] === 44) wordEnd = endOfWord(buf, wordEnd + 1, to);
  end[R.address] = wordEnd;
  const ident = wordEnd + 1;
  const user = endOfWord(buf, ident, to) + 1;
  if (user < to) {
    start[R.user] = user;
    end[R.user] = to;
  }
}

function endOfWord(buf: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && buf[at] !== 32) at++;
  return at;
}

/** Digits and dots, or hex digits and colons. */
function looksLikeAddress(buf: Uint8Array, from: number, to: number): boolean {
  let marks = 0;
  let onlyDigits = true;
  for (let i = from; i < to; i++) {
    const byte = buf[i] as number;
    const isDigit = byte >= 48 && byte <= 57;
    if (byte === 46 || byte === 58) marks++;
    else if (isDigit) continue;
    else if ((byte >= 97 && byte <= 102) || (byte >= 65 && byte <= 70)) onlyDigits = false;
    else return false;
  }
  return marks >= 2 && (onlyDigits || marks >= 2);
}

function isAddressList(buf: Uint8Array, from: number, to: number): boolean {
  if (to - from < 2) return false;
  for (let i = from; i < to; i++) {
    const byte = buf[i] as number;
    const isHex = (byte >= 48 && byte <= 57) || (byte >= 97 && byte <= 102) || (byte >= 65 && byte <= 70);
    if (!isHex && byte !== 46 && byte !== 58 && byte !== 44 && byte !== 32 && byte !== 91 && byte !== 93) return false;
  }
  return true;
}

const UNESCAPED = [R.request, R.agent, R.user];

function unescape(tokens: Tokens, buf: Uint8Array): void {
  const { start, end, scratch } = tokens;
  scratch.length = 0;
  // All ranges must lie in one buffer: the other fields are copied beside the unescaped ones.
  for (let role = 0; role < start.length; role++) {
    const from = start[role] as number;
    const to = end[role] as number;
    if (to <= from) continue;
    const at = scratch.length;
    if (UNESCAPED.includes(role)) unescapeInto(scratch, buf, from, to);
    else {
      scratch.reserve(to - from);
      scratch.bytes.set(buf.subarray(from, to), at);
      scratch.length += to - from;
    }
    start[role] = at;
    end[role] = scratch.length;
  }
  tokens.point(scratch.bytes);
}
