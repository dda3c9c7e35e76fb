/**
 * The text that shippers and system loggers put in front of a line. Each function returns where the line begins in
 * `buf[from, limit)`, or -1 when there is no such head. None looks beyond the first line feed.
 */
const NONE = -1;

const SPACE = 32;
const COLON = 58;
const LEFT_BRACKET = 91;
const RIGHT_BRACKET = 93;

/** Kubernetes' container runtimes: `2024-05-01T10:00:00.123456789Z stdout F line`. A part of a long line (`P`) is read for what it shows. */
export function criHead(buf: Uint8Array, from: number, limit: number): number {
  const at = isoEnd(buf, from, limit);
  if (at < 0 || buf[at] !== SPACE) return NONE;
  const stream = at + 1;
  if (!startsWith(buf, stream, STDOUT) && !startsWith(buf, stream, STDERR)) return NONE;
  const tag = stream + STDOUT.length;
  if (buf[tag] !== 70 && buf[tag] !== 80) return NONE;
  // Tags are separated by colons; the first says whether the line is whole.
  const end = wordEnd(buf, tag, limit);
  if (end > tag + 1 && buf[tag + 1] !== COLON) return NONE;
  return end < limit && buf[end] === SPACE ? end + 1 : NONE;
}

/** Logstash's plain codec: `2025-12-30T09:34:01.002Z host line`. A host that is an object is printed as `{name=gw-1}`. */
export function logstashHead(buf: Uint8Array, from: number, limit: number): number {
  const at = isoEnd(buf, from, limit);
  if (at < 0 || buf[at] !== SPACE) return NONE;
  const host = at + 1;
  const end = buf[host] === 123 ? bracesEnd(buf, host, limit) : wordEnd(buf, host, limit);
  return end > host && end < limit && buf[end] === SPACE ? bareTagEnd(buf, blanksEnd(buf, end, limit), limit) : NONE;
}

/**
 * RFC 5424, RFC 3164 and what rsyslog and syslog-ng write to files and topics:
 * `<190>1 time host app procid msgid sd line`, `<190>Dec 30 09:34:00 host tag: line`, the same without a priority,
 * with an ISO time, without a host (NGINX's `nohostname`) or without a tag.
 */
export function syslogHead(buf: Uint8Array, from: number, limit: number): number {
  const start = priorityEnd(buf, from, limit);
  if (start > from && buf[start] === 49 && buf[start + 1] === SPACE) return rfc5424Head(buf, start + 2, limit);
  const timeEnd = anyTimeEnd(buf, start, limit);
  if (timeEnd < 0 || buf[timeEnd] !== SPACE) return NONE;
  const first = timeEnd + 1;
  let at = tagEnd(buf, first, limit);
  if (at < 0) {
    const host = wordEnd(buf, first, limit);
    if (host === first || host >= limit || buf[host] !== SPACE) return NONE;
    at = tagEnd(buf, host + 1, limit);
    if (at < 0) return bareTagEnd(buf, blanksEnd(buf, host, limit), limit);
  }
  return blanksEnd(buf, at, limit);
}

/** Whether a head is surely a system logger's: it has a priority, a time as RFC 3164 writes it, or a tag. */
export function isSurelySyslog(buf: Uint8Array, from: number, limit: number): boolean {
  if (syslogHead(buf, from, limit) < 0) return false;
  if (priorityEnd(buf, from, limit) > from || bsdTimeEnd(buf, from, limit) >= 0) return true;
  const host = isoEnd(buf, from, limit) + 1;
  return tagEnd(buf, host, limit) >= 0 || tagEnd(buf, wordEnd(buf, host, limit) + 1, limit) >= 0;
}

/** Behind `time host app procid msgid sd`, each a word or `-`. */
function rfc5424Head(buf: Uint8Array, from: number, limit: number): number {
  let at = from;
  for (let field = 0; field < 5; field++) {
    const end = wordEnd(buf, at, limit);
    if (end === at || end >= limit || buf[end] !== SPACE) return NONE;
    if (field === 0 && buf[at] !== 45 && isoEnd(buf, at, limit) !== end) return NONE;
    at = end + 1;
  }
  if (buf[at] === 45) at++;
  else {
    if (buf[at] !== LEFT_BRACKET) return NONE;
    while (at < limit && buf[at] === LEFT_BRACKET) {
      at = elementEnd(buf, at, limit);
      if (at < 0) return NONE;
    }
  }
  if (at >= limit || buf[at] !== SPACE) return NONE;
  at = blanksEnd(buf, at, limit);
  return buf[at] === 0xef && buf[at + 1] === 0xbb && buf[at + 2] === 0xbf ? at + 3 : at;
}

/** Behind a structured-data element `[id name="value"]`; quotes, backslashes and brackets in values are escaped by a backslash. */
function elementEnd(buf: Uint8Array, from: number, limit: number): number {
  let isQuoted = false;
  for (let at = from + 1; at < limit; at++) {
    const byte = buf[at];
    if (byte === 10) return NONE;
    if (byte === 92 && isQuoted && buf[at + 1] !== 10) at++;
    else if (byte === 34) isQuoted = !isQuoted;
    else if (byte === RIGHT_BRACKET && !isQuoted) return at + 1;
  }
  return NONE;
}

/** Behind `<0>` to `<191>`; `from` when there is none. */
function priorityEnd(buf: Uint8Array, from: number, limit: number): number {
  if (buf[from] !== 60) return from;
  let at = from + 1;
  let priority = 0;
  while (at < limit && at < from + 4 && isDigit(buf[at] as number)) priority = priority * 10 + (buf[at++] as number) - 48;
  return at > from + 1 && priority <= 191 && buf[at] === 62 ? at + 1 : from;
}

/** Behind `nginx:` or `haproxy[1439]:`. An address never looks like one, as a tag holds no other colon. */
function tagEnd(buf: Uint8Array, from: number, limit: number): number {
  let at = from;
  while (at < limit && IN_TAG[buf[at] as number] === 1) at++;
  if (at === from || at - from > TAG_LENGTH_MAX) return NONE;
  if (buf[at] === LEFT_BRACKET) {
    at++;
    while (at < limit && isDigit(buf[at] as number)) at++;
    if (buf[at] !== RIGHT_BRACKET) return NONE;
    at++;
  }
  // A tag is followed by a blank: `12:30` and `a:b` are none.
  return at + 1 < limit && buf[at] === COLON && (buf[at + 1] === SPACE || buf[at + 1] === 123) ? at + 1 : NONE;
}

/** Behind a tag without a colon (rsyslog's imfile writes it as it is configured) that stands before an object; before other lines it is taken for a virtual host. */
function bareTagEnd(buf: Uint8Array, from: number, limit: number): number {
  let at = from;
  while (at < limit && IN_TAG[buf[at] as number] === 1) at++;
  return at > from && at - from <= TAG_LENGTH_MAX && at + 1 < limit && buf[at] === SPACE && buf[at + 1] === 123 ? at + 1 : from;
}

const TAG_LENGTH_MAX = 48;
const IN_TAG = new Uint8Array(256);
for (const char of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-') IN_TAG[char.charCodeAt(0)] = 1;

function anyTimeEnd(buf: Uint8Array, from: number, limit: number): number {
  const end = bsdTimeEnd(buf, from, limit);
  return end < 0 ? isoEnd(buf, from, limit) : end;
}

const MONTHS = new Set(['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'].map((name) => wordOf(Buffer.from(name), 0)));

/** Behind `Dec 30 09:34:00` or `Dec  3 09:34:00`. */
function bsdTimeEnd(buf: Uint8Array, from: number, limit: number): number {
  if (from + 15 >= limit || !MONTHS.has(wordOf(buf, from))) return NONE;
  return hasShape(buf, from + 3, ' #0 00:00:00') ? from + 15 : NONE;
}

function wordOf(buf: Uint8Array, at: number): number {
  return ((buf[at] as number) << 16) | ((buf[at + 1] as number) << 8) | (buf[at + 2] as number);
}

/** Behind `2025-12-30T09:34:01`, with any fraction and zone. */
function isoEnd(buf: Uint8Array, from: number, limit: number): number {
  if (from + 19 >= limit || !hasShape(buf, from, '0000-00-00T00:00:00')) return NONE;
  const end = wordEnd(buf, from + 19, limit);
  for (let i = from + 19; i < end; i++) {
    const byte = buf[i] as number;
    if (!isDigit(byte) && byte !== 46 && byte !== 43 && byte !== 45 && byte !== COLON && byte !== 90) return NONE;
  }
  return end;
}

/** `0` stands for a digit, `#` for a digit or a blank. */
function hasShape(buf: Uint8Array, from: number, shape: string): boolean {
  for (let i = 0; i < shape.length; i++) {
    const byte = buf[from + i] as number;
    const wanted = shape.charCodeAt(i);
    if (wanted === 48 ? !isDigit(byte) : wanted === 35 ? byte !== SPACE && !isDigit(byte) : byte !== wanted) return false;
  }
  return true;
}

/** Behind an object as a JVM or a JSON writer prints it. */
function bracesEnd(buf: Uint8Array, from: number, limit: number): number {
  let depth = 0;
  for (let at = from; at < limit && buf[at] !== 10; at++) {
    if (buf[at] === 123) depth++;
    else if (buf[at] === 125 && --depth === 0) return at + 1;
  }
  return NONE;
}

function wordEnd(buf: Uint8Array, from: number, limit: number): number {
  let at = from;
  while (at < limit && (buf[at] as number) > SPACE) at++;
  return at;
}

function blanksEnd(buf: Uint8Array, from: number, limit: number): number {
  let at = from;
  while (at < limit && buf[at] === SPACE) at++;
  return at;
}

function isDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57;
}

const STDOUT = Buffer.from('stdout ');
const STDERR = Buffer.from('stderr ');

function startsWith(buf: Uint8Array, at: number, word: Uint8Array): boolean {
  for (let i = 0; i < word.length; i++) if (buf[at + i] !== word[i]) return false;
  return true;
}
