import type { Format } from '../parse/format.ts';
import { FINE, type Verdict, fault } from '../parse/normaliser.ts';
import { Scratch, type Tokens, isBlank } from '../parse/tokens.ts';
import { JsonMessage } from './json-message.ts';
import { criHead, logstashHead, syslogHead } from './line-head.ts';

/** What shippers wrap around the line of a gateway; `json` is any object with the line in a field of the usual name. */
export const ENVELOPE_NAMES = ['filebeat', 'fluent-bit', 'vector', 'logstash', 'syslog', 'docker', 'cri', 'json'] as const;
export type EnvelopeName = (typeof ENVELOPE_NAMES)[number];

/** The start of the descriptor of a wrapped format: `envelope:filebeat+combined`. Of several wrappers the outer one is first. */
export const ENVELOPE_PREFIX = 'envelope:';

type Envelope = {
  /** Where the line is in a JSON object, best first. */
  readonly fields?: readonly string[];
  /** Where the line begins in a text. */
  readonly head?: (buf: Uint8Array, from: number, limit: number) => number;
};

const ENVELOPES: Readonly<Record<EnvelopeName, Envelope>> = {
  filebeat: { fields: ['message', 'event.original'] },
  'fluent-bit': { fields: ['log', 'message', 'msg'] },
  vector: { fields: ['message'] },
  logstash: { fields: ['message', 'event.original'], head: logstashHead },
  syslog: { fields: ['msg', 'message', 'MESSAGE', 'rawmsg'], head: syslogHead },
  docker: { fields: ['log'] },
  cri: { head: criHead },
  json: { fields: ['message', 'log', 'msg', 'MESSAGE', '_raw', 'line', 'event.original'] },
};

const NOT_THIS_FORMAT = fault('not_this_format');
const EMPTY = fault('empty_line');

/**
 * A format around a format: the same fields as `inner` gives for the line alone. What the shipper adds (its own time,
 * the host, the file) is passed over; the time of an event is the gateway's.
 */
export function envelopeFormat(name: EnvelopeName, inner: Format): Format {
  const { fields, head } = ENVELOPES[name];
  const message = fields === undefined ? undefined : new JsonMessage(fields);
  // Of its own: `inner` uses the scratch of the tokens.
  const line = new Scratch();

  const scan = (tokens: Tokens, buf: Uint8Array, from: number, limit: number): number => {
    if (message !== undefined && buf[from] === 123) {
      const end = message.scan(line, buf, from, limit);
      if (end < 0) return -1;
      return inner.scan(tokens, line.bytes, 0, line.length + 1) === line.length ? end : -1;
    }
    if (head === undefined) return -1;
    const start = head(buf, from, limit);
    return start < 0 ? -1 : inner.scan(tokens, buf, start, limit);
  };

  const parse = (tokens: Tokens, buf: Uint8Array, from: number, to: number): Verdict => {
    const code = unwrapInto(line, message, head, buf, from, to);
    if (code !== FINE) return code;
    // For some formats the fast way is the correct one, and `parse` only says why it failed.
    return inner.scan(tokens, line.bytes, 0, line.length + 1) === line.length ? FINE : inner.parse(tokens, line.bytes, 0, line.length);
  };

  return { ...inner, descriptor: `${ENVELOPE_PREFIX}${name}+${inner.descriptor}`, scan, parse };
}

/** The lines inside; what is not in this envelope is left out. */
export function unwrapLines(name: EnvelopeName, lines: readonly Uint8Array[]): Uint8Array[] {
  const { fields, head } = ENVELOPES[name];
  const message = fields === undefined ? undefined : new JsonMessage(fields);
  const line = new Scratch();
  return lines.flatMap((bytes) =>
    unwrapInto(line, message, head, bytes, 0, bytes.length) === FINE && line.length > 0 ? [line.bytes.slice(0, line.length)] : [],
  );
}

/** The line inside `buf[from, to)`, with a line feed behind it. */
function unwrapInto(line: Scratch, message: JsonMessage | undefined, head: Envelope['head'], buf: Uint8Array, from: number, to: number): Verdict {
  let start = from;
  while (start < to && isBlank(buf[start] as number)) start++;
  if (start === to) return EMPTY;
  if (message !== undefined && (head === undefined || buf[start] === 123)) return message.parse(line, buf, from, to);
  start = head === undefined ? -1 : head(buf, from, to);
  if (start < 0) return NOT_THIS_FORMAT;
  line.length = 0;
  line.reserve(to - start + 1);
  line.bytes.set(buf.subarray(start, to));
  line.length = to - start;
  line.bytes[line.length] = 10;
  return FINE;
}

/** The name and the inner descriptor of a wrapped format; undefined for another one. */
export function splitDescriptor(descriptor: string): { readonly name: EnvelopeName; readonly inner: string } | undefined {
  if (!descriptor.startsWith(ENVELOPE_PREFIX)) return undefined;
  const plus = descriptor.indexOf('+');
  const said = descriptor.slice(ENVELOPE_PREFIX.length, plus);
  const name = ENVELOPE_NAMES.find((known) => known === said);
  return name === undefined || plus < 0 ? undefined : { name, inner: descriptor.slice(plus + 1) };
}
