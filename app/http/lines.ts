import { SAMPLE_BYTES, whyNotText } from '../../ingest/source/sample.ts';
import { type Refusal, refusal } from './answer.ts';
import { type Split, isJsonBlank, linesOfValues, skipBlank, splitArray, splitSequence, valueEnd } from './json-values.ts';

/** The events of a body as the lines that are written: one each, ending in a line feed, none empty. */
export type Lines = { readonly lines: Uint8Array; readonly count: number };

const LINE_FEED = 10;
const OPEN_ARRAY = 0x5b;
const OPEN_OBJECT = 0x7b;

/**
 * A JSON array, one JSON object, JSON values one after the other, NDJSON or log lines: the body itself says which. The
 * content type only decides how a body that is neither is refused, since senders often set none or a wrong one.
 */
export function readLines(
  body: Uint8Array,
  options: { readonly contentType: string | undefined; readonly eventsMax: number },
): Lines | { readonly refusal: Refusal } {
  const bytes = body.subarray(body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0);
  const start = skipBlank(bytes, 0);
  if (start === bytes.length) return { refusal: refusal(400, 'the request holds no event', 'send a JSON array, JSON lines or log lines as the body') };
  const whyNot = whyNotText(bytes.subarray(0, SAMPLE_BYTES));
  if (whyNot !== undefined) return { refusal: refusal(400, `the body is ${whyNot}`, 'send text; a packed body needs Content-Encoding: gzip, deflate or zstd') };
  const isJson = isJsonType(options.contentType);
  if (bytes[start] === OPEN_ARRAY) {
    const split = splitArray(bytes, options.eventsMax);
    // Some log lines begin with a bracket.
    if ('values' in split || isJson) return fromValues(bytes, split, options.eventsMax);
  }
  if (bytes[start] === OPEN_OBJECT && isSequence(bytes, start)) {
    const split = splitSequence(bytes, options.eventsMax);
    if ('values' in split || isJson) return fromValues(bytes, split, options.eventsMax);
  }
  return fromText(bytes, options.eventsMax);
}

/** `application/json` and its like, which NDJSON is not. */
function isJsonType(contentType: string | undefined): boolean {
  return /^\s*[a-z0-9.-]+\/(?:[a-z0-9.-]+\+)?json\s*(?:;|$)/i.test(contentType ?? '');
}

/**
 * Whether the objects are not one a line: the first one goes on in the next line, or has another one behind it in its own.
 * Where the second line begins with an object too and the first one does not ask for a value, a first one that is broken
 * must not take that one with it.
 */
function isSequence(bytes: Uint8Array, start: number): boolean {
  const end = valueEnd(bytes, start);
  const feed = bytes.indexOf(LINE_FEED, start);
  const isOwnLine = end >= 0 && (feed < 0 || end <= feed);
  if (isOwnLine) return skipBlank(bytes, end) < (feed < 0 ? bytes.length : feed);
  return feed < 0 || bytes[skipBlank(bytes, feed)] !== OPEN_OBJECT || VALUE_FOLLOWS.has(bytes[lastMark(bytes, feed)]);
}

/** `:`, `,` and `[`. */
const VALUE_FOLLOWS: ReadonlySet<number | undefined> = new Set([0x3a, 0x2c, OPEN_ARRAY]);

function lastMark(bytes: Uint8Array, before: number): number {
  let at = before - 1;
  while (at > 0 && isJsonBlank(bytes[at])) at--;
  return at;
}

function fromValues(bytes: Uint8Array, split: Split, eventsMax: number): Lines | { readonly refusal: Refusal } {
  if (!('values' in split))
    return {
      refusal: refusal(400, `the body is not valid JSON: ${split.reason}, at byte ${split.errorAt}`, 'send valid JSON, or JSON lines as application/x-ndjson'),
    };
  const { values } = split;
  if (values.length > eventsMax) return { refusal: tooMany(eventsMax) };
  if (values.length === 0) return { refusal: refusal(400, 'the array holds no event', 'send at least one event') };
  return { lines: linesOfValues(bytes, values), count: values.length };
}

function fromText(bytes: Uint8Array, eventsMax: number): Lines | { readonly refusal: Refusal } {
  const blank: { readonly from: number; readonly to: number }[] = [];
  let count = 0;
  for (let at = 0; at < bytes.length;) {
    const feed = bytes.indexOf(LINE_FEED, at);
    const end = feed < 0 ? bytes.length : feed + 1;
    if (isBlankLine(bytes, at, end)) blank.push({ from: at, to: end });
    else if (++count > eventsMax) return { refusal: tooMany(eventsMax) };
    at = end;
  }
  const isEnded = bytes[bytes.length - 1] === LINE_FEED;
  if (blank.length === 0 && isEnded) return { lines: bytes, count };
  return { lines: withoutBlank(bytes, blank, isEnded), count };
}

function isBlankLine(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (!isJsonBlank(bytes[at])) return false;
  return true;
}

function withoutBlank(bytes: Uint8Array, blank: readonly { readonly from: number; readonly to: number }[], isEnded: boolean): Uint8Array {
  const lines = new Uint8Array(bytes.length + 1);
  let length = 0;
  let at = 0;
  for (const { from, to } of [...blank, { from: bytes.length, to: bytes.length }]) {
    lines.set(bytes.subarray(at, from), length);
    length += from - at;
    at = to;
  }
  if (!isEnded && lines[length - 1] !== LINE_FEED) lines[length++] = LINE_FEED;
  return lines.subarray(0, length);
}

function tooMany(eventsMax: number): Refusal {
  return refusal(413, `more than ${eventsMax} events in one request`, 'send fewer events at once, or raise http.maxEvents');
}
