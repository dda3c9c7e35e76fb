import { isIP } from 'node:net';
import { isLogWord, isSecretName, isTimeName } from './log-words.ts';

/** Longer renderings are cut: they stand on a screen. */
export const RENDERED_MAX = 512;
/** Bytes that are looked at; masks are short, so a little more is needed than is shown. */
const READ_BYTES_MAX = 8192;
const MASK = '***';
/** An unknown word up to here is shown: no key is that short, and it makes a line readable. */
const SHORT = 3;
/** A number below this is shown: a status, a size, a duration. */
const NUMBER_LENGTH_MAX = 7;

const decoder = new TextDecoder('utf-8');

/**
 * A record that could not be read, for people: its structure, names of fields, times, addresses and small numbers stay;
 * every other word is masked unless it is one that logs are made of. What is masked is decided by what is known to be
 * harmless, never by what looks like a key, as a record in an unknown format hides its keys in unknown places.
 * On one line, without control characters, of at most `RENDERED_MAX` characters.
 */
export function redactRecord(record: Uint8Array): string {
  const text = decoder.decode(record.subarray(0, READ_BYTES_MAX));
  const out: string[] = [];
  let length = 0;
  for (const piece of pieces(text)) {
    out.push(piece);
    length += piece.length;
    if (length > RENDERED_MAX) break;
  }
  const shown = out.join('');
  if (shown.length <= RENDERED_MAX && record.length <= READ_BYTES_MAX) return shown;
  return `${cutText(shown, RENDERED_MAX - 1)}…`;
}

/** A run of what is neither blank nor structure. Backslashes are inside: JSON writes the slash of a base64 key as `\/`. */
const RUN = /[^\s"{}[\](),:;=&?<>\p{Cc}]+/uy;
/** Nothing may follow directly, or digits of a key would be taken for a fraction or a zone. */
const TIME =
  /(?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?|\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d(?: [+-]\d{4})?|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)(?![\p{L}\p{N}])/uy;

function* pieces(text: string): Iterable<string> {
  let at = 0;
  /** The name whose value comes next. */
  let name = '';
  let isQuery = false;
  while (at < text.length) {
    const time = matchAt(TIME, text, at);
    if (time !== undefined) {
      yield time;
      at += time.length;
      continue;
    }
    const run = matchAt(RUN, text, at);
    if (run === undefined) {
      const char = String.fromCodePoint(text.codePointAt(at) as number);
      if (char === '?') isQuery = true;
      else if (/[\s"]/.test(char)) isQuery = false;
      yield printed(char);
      at += char.length;
      continue;
    }
    const separator = separatorAt(text, at + run.length);
    if (separator === undefined) {
      yield masked(run, name);
      at += run.length;
      continue;
    }
    // A name: what stands behind it is its value.
    name = run.replaceAll('\\', '');
    yield masked(run, '');
    yield separator;
    at += run.length + separator.length;
    const isParameter = separator === '=' && (isQuery || text[at - separator.length - run.length - 1] === '&');
    if (!isParameter && !isSecretName(name)) continue;
    const end = valueEnd(text, at, isParameter);
    if (end > at) yield MASK;
    at = end;
  }
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

/** `:` or `=` behind a name, with the quote that closes it and blanks around; undefined when a run is no name. */
function separatorAt(text: string, at: number): string | undefined {
  return matchAt(/["']?[ \t]*[:=]/y, text, at);
}

/** Where the value of a secret name ends: behind its closing quote; at the next parameter; without a quote at the end of the field. */
function valueEnd(text: string, from: number, isParameter: boolean): number {
  if (isParameter) return endOf(/[^&\s"#]*/y, text, from);
  const [open = ''] = [matchAt(/[ \t[]*(\\*)["']/y, text, from)];
  if (open === '') {
    // A header: `Authorization: Bearer …`, to the end of the line or of the string that it is in.
    return endOf(/[^"\r\n&]*/y, text, from);
  }
  const quote = open.at(-1) as string;
  const escapes = open.length - open.replace(/\\+(?=["']$)/, '').length;
  let at = from + open.length;
  for (;;) {
    const next = text.indexOf(quote, at);
    if (next < 0) return text.length;
    let slashes = 0;
    while (text[next - 1 - slashes] === '\\') slashes++;
    at = next + 1;
    // One escaped more deeply belongs to the value.
    if (slashes <= escapes) return at;
  }
}

function endOf(pattern: RegExp, text: string, from: number): number {
  return from + (matchAt(pattern, text, from) ?? '').length;
}

/** A run with every piece masked that is not known. */
function masked(run: string, name: string): string {
  if (/^[+-]?[\d.]+$/.test(run)) {
    if (run.length <= NUMBER_LENGTH_MAX || isIP(run) === 4 || (isTimeName(name) && isEpoch(run))) return run;
    return MASK;
  }
  if (run.length <= SHORT) return printed(run);
  return run
    .split(/([^\p{L}\p{N}]+)/u)
    .map((piece, index) => (index % 2 === 1 ? punctuation(piece) : piece === '' || isLogWord(piece) ? piece : MASK))
    .join('');
}

/** Longer ones are a ruler, or a key of punctuation. */
function punctuation(text: string): string {
  return text.length <= SHORT ? printed(text) : MASK;
}

/** From 2001 to 2100 in seconds, ms, µs or ns. */
function isEpoch(text: string): boolean {
  const [whole = ''] = text.split('.');
  const scale = new Map([
    [10, 1],
    [13, 1e3],
    [16, 1e6],
    [19, 1e9],
  ]).get(whole.length);
  const seconds = scale === undefined ? 0 : Number(whole) / scale;
  return seconds >= 1e9 && seconds < 4.2e9 && /^\d+(?:\.\d{1,6})?$/.test(text);
}

/** Control characters, line ends and what turns the direction of text as escapes. */
function printed(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu, (char) => {
    const code = char.codePointAt(0) as number;
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

function cutText(text: string, max: number): string {
  const cut = text.slice(0, max);
  // Half of a pair is no character.
  return /[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut;
}
