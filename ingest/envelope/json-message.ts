import { explain } from '../parse/json-parse.ts';
import { FINE, type Verdict, fault } from '../parse/normaliser.ts';
import { type Scratch, isBlank } from '../parse/tokens.ts';
import { spacesEnd, valueEnd } from './json-skip.ts';

const NOT_THIS_FORMAT = fault('not_this_format');
const EMPTY = fault('empty_line');
const NONE = -1;

/** Not fatal: a shipper's template can leave bytes that are no UTF-8, and such a line is counted, not lost. */
const decoder = new TextDecoder('utf-8');

/**
 * Takes the access line out of one JSON object per line: the first of `fields` that holds a string. A name with a
 * dot reaches into a nested object, on the correct way only. The line is put into `out`, without its escapes and
 * outer blanks.
 */
export class JsonMessage {
  readonly #fields: readonly string[];
  readonly #keys: readonly Uint8Array[];

  constructor(fields: readonly string[]) {
    this.#fields = fields;
    this.#keys = fields.map((field) => Buffer.from(field));
  }

  /**
   * The fast way; returns the end of the line, or -1 to give up: on everything but plain ASCII in the line, and on what
   * is no JSON at all. Every byte of the object is looked at, as a record that is cut behind its line must not be
   * counted by one way and refused by the other.
   */
  scan(out: Scratch, buf: Uint8Array, from: number, limit: number): number {
    if (buf[from] !== 123) return NONE;
    let best = this.#keys.length;
    let at = spacesEnd(buf, from + 1);
    for (;;) {
      if (buf[at] !== 34) return NONE;
      const keyStart = at + 1;
      at = keyStart;
      // Keys with escapes or beyond ASCII might be a spelling of one that is wanted.
      while (PLAIN_KEY[buf[at] as number] === 1) at++;
      if (buf[at] !== 34) return NONE;
      const field = this.#find(buf, keyStart, at);
      at = spacesEnd(buf, at + 1);
      if (buf[at] !== 58) return NONE;
      at = spacesEnd(buf, at + 1);
      if (field >= 0 && field <= best && buf[at] === 34) {
        best = field;
        at = unescapeString(out, buf, at + 1);
        if (at < 0) return NONE;
        at++;
      } else {
        // Of a field that comes twice the last one counts, and what it took the place of is lost here.
        if (field === best) return NONE;
        at = valueEnd(buf, at);
        if (at < 0) return NONE;
      }
      at = spacesEnd(buf, at);
      if (buf[at] === 44) {
        at = spacesEnd(buf, at + 1);
        continue;
      }
      if (buf[at] !== 125) return NONE;
      at++;
      break;
    }
    at = spacesEnd(buf, at);
    if (buf[at] === 13) at++;
    if (at < limit && buf[at] !== 10) return NONE;
    return best < this.#keys.length && trimLine(out) ? Math.min(at, limit) : NONE;
  }

  /** The correct way. FINE with the line in `out`, or why there is none. */
  parse(out: Scratch, buf: Uint8Array, from: number, to: number): Verdict {
    let end = to;
    while (end > from && isBlank(buf[end - 1] as number)) end--;
    if (end === from) return EMPTY;
    let record: unknown;
    try {
      record = JSON.parse(decoder.decode(buf.subarray(from, end)));
    } catch {
      return explain(buf, from, end);
    }
    for (const field of this.#fields) {
      const text = lookUp(record, field);
      if (typeof text === 'string') return putLine(out, text);
    }
    return NOT_THIS_FORMAT;
  }

  #find(buf: Uint8Array, from: number, to: number): number {
    const keys = this.#keys;
    for (let field = 0; field < keys.length; field++) {
      const key = keys[field] as Uint8Array;
      if (key.length !== to - from) continue;
      let i = 0;
      while (i < key.length && buf[from + i] === key[i]) i++;
      if (i === key.length) return field;
    }
    return NONE;
  }
}

function lookUp(record: unknown, field: string): unknown {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return undefined;
  if (Object.hasOwn(record, field)) return (record as Readonly<Record<string, unknown>>)[field];
  const dot = field.indexOf('.');
  const outer = field.slice(0, dot);
  return dot < 0 || !Object.hasOwn(record, outer) ? undefined : lookUp((record as Readonly<Record<string, unknown>>)[outer], field.slice(dot + 1));
}

const PLAIN_KEY = new Uint8Array(256);
for (let byte = 32; byte < 127; byte++) PLAIN_KEY[byte] = byte === 34 || byte === 92 ? 0 : 1;

/** What the byte behind a backslash stands for; 0 for `u` and everything else. */
const ESCAPED = new Uint8Array(256);
for (const [name, byte] of [
  ['"', 34],
  ['\\', 92],
  ['/', 47],
  ['b', 8],
  ['f', 12],
  ['n', 10],
  ['r', 13],
  ['t', 9],
] as const) {
  ESCAPED[name.charCodeAt(0)] = byte;
}

/** Bytes that are no plain part of a string: quote, backslash, control characters, and what is beyond ASCII. */
const STOP = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) STOP[byte] = byte < 32 || byte === 34 || byte === 92 || byte >= 128 ? 1 : 0;

/** Puts the string whose text starts at `from` into `out`, without its escapes; returns where its closing quote is, or -1 when it holds more than ASCII or what JSON forbids. */
function unescapeString(out: Scratch, buf: Uint8Array, from: number): number {
  out.length = 0;
  const stop = STOP;
  let { bytes } = out;
  let length = 0;
  let at = from;
  for (;;) {
    let byte = buf[at] as number;
    while (stop[byte] === 0) {
      if (length + 8 > bytes.length) bytes = roomFor(out, length);
      bytes[length++] = byte;
      byte = buf[++at] as number;
    }
    if (byte === 34) break;
    if (byte !== 92) return NONE;
    let plain = ESCAPED[buf[at + 1] as number] as number;
    at += 2;
    if (plain === 0) {
      // `\u0026` and its like, which writers of HTML-safe JSON use.
      if (buf[at - 1] !== 117 || buf[at] !== 48 || buf[at + 1] !== 48) return NONE;
      const high = HEX_DIGIT[buf[at + 2] as number] as number;
      const low = HEX_DIGIT[buf[at + 3] as number] as number;
      if (high > 7 || low > 15) return NONE;
      plain = high * 16 + low;
      at += 4;
    }
    if (length + 8 > bytes.length) bytes = roomFor(out, length);
    bytes[length++] = plain;
  }
  out.length = length;
  return at;
}

function roomFor(out: Scratch, length: number): Uint8Array<ArrayBuffer> {
  out.length = length;
  out.reserve(length + 64);
  return out.bytes;
}

/** Cuts blanks off both ends and puts a line feed behind; false for an empty line. With a line feed inside, the format inside ends too early and its caller gives up. */
function trimLine(out: Scratch): boolean {
  const { bytes } = out;
  let { length } = out;
  while (length > 0 && isBlank(bytes[length - 1] as number)) length--;
  let skipped = 0;
  while (skipped < length && isBlank(bytes[skipped] as number)) skipped++;
  if (skipped > 0) bytes.copyWithin(0, skipped, length);
  length -= skipped;
  bytes[length] = 10;
  out.length = length;
  return length > 0;
}

const HEX_DIGIT = new Uint8Array(256).fill(255);
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16);
  HEX_DIGIT[digit.charCodeAt(0)] = value;
  HEX_DIGIT[digit.toUpperCase().charCodeAt(0)] = value;
}

/** Several lines in one string are one record: they are joined by blanks, as a gateway's agent can hold a line feed. */
function putLine(out: Scratch, text: string): Verdict {
  let from = 0;
  let to = text.length;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  if (from === to) return EMPTY;
  out.length = 0;
  out.push(text.slice(from, to).replaceAll('\n', ' '));
  out.reserve(1);
  out.bytes[out.length] = 10;
  return FINE;
}
