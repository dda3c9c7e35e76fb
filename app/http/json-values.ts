const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const BLANK = 0x20;

/** Where a value lies: `[start, end)`. */
export type Span = { readonly start: number; readonly end: number };
export type Split = { readonly values: readonly Span[] } | { readonly errorAt: number; readonly reason: string };

export function isJsonBlank(byte: number | undefined): boolean {
  return byte === BLANK || byte === LINE_FEED || byte === RETURN || byte === 0x09;
}

export function skipBlank(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && isJsonBlank(bytes[at])) at++;
  return at;
}

/**
 * The end of the value that starts at `from`, or -1 when it does not end. Looks at strings and brackets only: what is
 * wrong inside a value is found when the record is parsed, and costs that record alone.
 */
export function valueEnd(bytes: Uint8Array, from: number): number {
  let depth = 0;
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = stringEnd(bytes, at);
      if (at < 0) return -1;
      if (depth === 0) return at + 1;
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++;
    else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      if (depth === 0) return at;
      if (--depth === 0) return at + 1;
    } else if (depth === 0 && (byte === COMMA || isJsonBlank(byte))) return at;
  }
  return depth === 0 ? bytes.length : -1;
}

/** The closing quote, or -1. */
function stringEnd(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(QUOTE, from + 1); at >= 0; at = bytes.indexOf(QUOTE, at + 1)) {
    let before = at - 1;
    while (bytes[before] === BACKSLASH) before--;
    if ((at - before) % 2 === 1) return at;
  }
  return -1;
}

/** The elements of the array that `bytes` are, at most `max` + 1 of them. */
export function splitArray(bytes: Uint8Array, max: number): Split {
  const values: Span[] = [];
  let at = skipBlank(bytes, skipBlank(bytes, 0) + 1);
  if (bytes[at] === CLOSE_ARRAY) return atEnd(bytes, at + 1, values);
  for (;;) {
    const end = valueEnd(bytes, at);
    if (end < 0) return { errorAt: at, reason: 'a value does not end: the body is cut' };
    if (end === at) return { errorAt: at, reason: 'a value is missing' };
    values.push({ start: at, end });
    if (values.length > max) return { values };
    at = skipBlank(bytes, end);
    if (bytes[at] === CLOSE_ARRAY) return atEnd(bytes, at + 1, values);
    if (bytes[at] !== COMMA)
      return { errorAt: at, reason: at < bytes.length ? 'expected a comma or the end of the array' : 'the array does not end: the body is cut' };
    at = skipBlank(bytes, at + 1);
  }
}

function atEnd(bytes: Uint8Array, from: number, values: readonly Span[]): Split {
  const at = skipBlank(bytes, from);
  return at === bytes.length ? { values } : { errorAt: at, reason: 'something follows the end of the array' };
}

/** Values one after the other, with nothing or blanks between them, at most `max` + 1 of them. */
export function splitSequence(bytes: Uint8Array, max: number): Split {
  const values: Span[] = [];
  for (let at = skipBlank(bytes, 0); at < bytes.length;) {
    const end = valueEnd(bytes, at);
    if (end < 0) return { errorAt: at, reason: 'a value does not end: the body is cut' };
    if (end === at) return { errorAt: at, reason: 'expected a value' };
    values.push({ start: at, end });
    if (values.length > max) break;
    at = skipBlank(bytes, end);
  }
  return { values };
}

/** One line each. Line breaks between tokens become blanks, which means the same; inside a string JSON allows none. */
export function linesOfValues(bytes: Uint8Array, values: readonly Span[]): Buffer {
  const lines = Buffer.allocUnsafe(values.reduce((sum, { start, end }) => sum + end - start + 1, 0));
  const breaks = [LINE_FEED, RETURN].filter((byte) => bytes.includes(byte));
  let to = 0;
  for (const { start, end } of values) {
    const line = lines.subarray(to, to + end - start);
    line.set(bytes.subarray(start, end));
    for (const byte of breaks) for (let at = line.indexOf(byte); at >= 0; at = line.indexOf(byte, at + 1)) line[at] = BLANK;
    to += line.length;
    lines[to++] = LINE_FEED;
  }
  return lines;
}
