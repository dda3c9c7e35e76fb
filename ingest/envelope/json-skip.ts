/**
 * Moves over JSON values byte by byte and accepts only what JSON.parse accepts, so that a fast way that trusts it
 * never counts a record that the correct way refuses. -1 stands for everything else, and for what is deeper than
 * shippers nest.
 */
const DEPTH_MAX = 16;

/** Bytes that end the plain part of a string: quote, backslash, control characters. */
const STOP = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) STOP[byte] = byte < 32 || byte === 34 || byte === 92 ? 1 : 0;

/** What may follow a backslash, besides `u`. */
const SIMPLE_ESCAPE = new Uint8Array(256);
for (const char of '"\\/bfnrt') SIMPLE_ESCAPE[char.charCodeAt(0)] = 1;

const HEX = new Uint8Array(256);
for (const char of '0123456789abcdefABCDEF') HEX[char.charCodeAt(0)] = 1;

/** The position of the quote that closes the string whose text starts at `from`; -1 when it holds what JSON forbids. */
export function stringEnd(buf: Uint8Array, from: number): number {
  const stop = STOP;
  let at = from;
  for (;;) {
    while (stop[buf[at] as number] === 0) at++;
    if (buf[at] === 34) return at;
    if (buf[at] !== 92) return -1;
    const escape = buf[at + 1] as number;
    if (SIMPLE_ESCAPE[escape] === 1) at += 2;
    else if (escape === 117 && isHex(buf, at + 2)) at += 6;
    else return -1;
  }
}

/** The position of the first byte that is no space. */
export function spacesEnd(buf: Uint8Array, from: number): number {
  let at = from;
  while (buf[at] === 32) at++;
  return at;
}

/** The position behind the value that starts at `from`. */
export function valueEnd(buf: Uint8Array, from: number, depth = 0): number {
  const byte = buf[from] as number;
  if (byte === 34) {
    const quote = stringEnd(buf, from + 1);
    return quote < 0 ? -1 : quote + 1;
  }
  if (byte === 123 || byte === 91) return depth === DEPTH_MAX ? -1 : nestedEnd(buf, from, depth);
  if (byte === 116) return isWord(buf, from, TRUE) ? from + 4 : -1;
  if (byte === 102) return isWord(buf, from, FALSE) ? from + 5 : -1;
  if (byte === 110) return isWord(buf, from, NULL) ? from + 4 : -1;
  return numberEnd(buf, from);
}

function nestedEnd(buf: Uint8Array, from: number, depth: number): number {
  const isObject = buf[from] === 123;
  const close = isObject ? 125 : 93;
  let at = spacesEnd(buf, from + 1);
  if (buf[at] === close) return at + 1;
  for (;;) {
    if (isObject) {
      if (buf[at] !== 34) return -1;
      const quote = stringEnd(buf, at + 1);
      if (quote < 0) return -1;
      at = spacesEnd(buf, quote + 1);
      if (buf[at] !== 58) return -1;
      at = spacesEnd(buf, at + 1);
    }
    at = valueEnd(buf, at, depth + 1);
    if (at < 0) return -1;
    at = spacesEnd(buf, at);
    if (buf[at] === close) return at + 1;
    if (buf[at] !== 44) return -1;
    at = spacesEnd(buf, at + 1);
  }
}

function numberEnd(buf: Uint8Array, from: number): number {
  let at = buf[from] === 45 ? from + 1 : from;
  const first = at;
  at = digitsEnd(buf, at);
  if (at === first || (buf[first] === 48 && at > first + 1)) return -1;
  if (buf[at] === 46) {
    const fraction = at + 1;
    at = digitsEnd(buf, fraction);
    if (at === fraction) return -1;
  }
  if (buf[at] === 101 || buf[at] === 69) {
    const sign = buf[at + 1];
    const exponent = sign === 43 || sign === 45 ? at + 2 : at + 1;
    at = digitsEnd(buf, exponent);
    if (at === exponent) return -1;
  }
  return at;
}

function digitsEnd(buf: Uint8Array, from: number): number {
  let at = from;
  while ((buf[at] as number) >= 48 && (buf[at] as number) <= 57) at++;
  return at;
}

function isHex(buf: Uint8Array, at: number): boolean {
  for (let i = at; i < at + 4; i++) if (HEX[buf[i] as number] !== 1) return false;
  return true;
}

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');

function isWord(buf: Uint8Array, at: number, word: Uint8Array): boolean {
  for (let i = 0; i < word.length; i++) if (buf[at + i] !== word[i]) return false;
  return true;
}
