import type { EpochMs } from '../../../core/types.ts';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

let cachedSecond = -1;
let cachedText = '';

/** `30/Dec/2025:09:34:00 +0000`, in UTC. Lines of one second share the text. */
export function clfTime(time: EpochMs): string {
  const second = Math.floor(time / 1000);
  if (second === cachedSecond) return cachedText;
  const date = new Date(second * 1000);
  cachedSecond = second;
  cachedText = `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()] ?? ''}/${date.getUTCFullYear()}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
  return cachedText;
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}

// Control characters are what these look for.
// oxlint-disable-next-line no-control-regex
const UNSAFE = /["\\\u0000-\u001f\u007f-\uffff]/;

/** NGINX `escape=default`: the quote, the backslash and every byte outside 0x20..0x7e as `\xHH`, upper case. */
export function nginxEscape(text: string): string {
  if (!UNSAFE.test(text)) return text;
  let escaped = '';
  for (const byte of Buffer.from(text)) {
    escaped +=
      byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x5c ? `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}` : String.fromCharCode(byte);
  }
  return escaped;
}

const C_ESCAPES: Readonly<Record<number, string>> = { 0x08: '\\b', 0x09: '\\t', 0x0a: '\\n', 0x0b: '\\v', 0x0d: '\\r', 0x22: '\\"', 0x5c: '\\\\' };

/** httpd: `\"` and `\\`, control bytes as in C, other bytes that do not print as `\xhh`, lower case. */
export function httpdEscape(text: string): string {
  if (!UNSAFE.test(text)) return text;
  let escaped = '';
  for (const byte of Buffer.from(text)) {
    escaped += C_ESCAPES[byte] ?? (byte < 0x20 || byte > 0x7e ? `\\x${byte.toString(16).padStart(2, '0')}` : String.fromCharCode(byte));
  }
  return escaped;
}

/** The request target with the key as a query parameter, for formats that can show a key nowhere else. */
export function uriWithKey(path: string, query: string, parameter: string | undefined, key: string): string {
  if (parameter === undefined) return query === '' ? path : `${path}?${query}`;
  return query === '' ? `${path}?${parameter}=${key}` : `${path}?${query}&${parameter}=${key}`;
}
