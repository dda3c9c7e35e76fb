import { DROP, FINE, type Verdict, fault } from './normaliser.ts';
import { ROLES, type Role, type Tokens, isBlank } from './tokens.ts';

/** Where a role's value is: candidate paths, first hit wins. Names below the top (headers) are looked up whatever their case. */
export type PathMap = Partial<Record<Role, readonly (readonly string[])[]>>;

const BAD_JSON = fault('bad_json');
const NOT_THIS_FORMAT = fault('not_this_format');
const EMPTY = fault('empty_line');
const BINARY = fault('binary');
const TRUNCATED = fault('truncated');

// Not fatal: NGINX's escape=json leaves bytes that are no UTF-8; such a line is counted, not lost.
const decoder = new TextDecoder('utf-8');

/** Plain ASCII needs no decoder, and most lines are that. */
function textIn(buf: Uint8Array, from: number, to: number): string {
  for (let i = from; i < to; i++) if ((buf[i] as number) > 127) return decoder.decode(buf.subarray(from, to));
  return Buffer.from(buf.buffer, buf.byteOffset + from, to - from).toString('latin1');
}

type JsonObject = { readonly [name: string]: unknown };

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Roles whose value is taken as the number that it is. */
const NUMERIC: ReadonlySet<Role> = new Set(['time', 'status', 'bytesIn', 'bytesOut', 'latency']);

/** The correct way for JSON records: parse, look up, write the values as text behind one another. */
export class JsonParser {
  readonly #lookUps: readonly { readonly role: number; readonly isNumeric: boolean; readonly path: readonly string[] }[];
  readonly #isWanted: (record: JsonObject) => boolean;

  constructor(paths: PathMap, isWanted: (record: JsonObject) => boolean = () => true) {
    this.#lookUps = ROLES.flatMap((name, role) => (paths[name] ?? []).map((path) => ({ role, isNumeric: NUMERIC.has(name), path })));
    this.#isWanted = isWanted;
  }

  parse(tokens: Tokens, buf: Uint8Array, from: number, to: number): Verdict {
    const { start, end, scratch } = tokens;
    tokens.clear();
    scratch.length = 0;
    let lineEnd = to;
    while (lineEnd > from && isBlank(buf[lineEnd - 1] as number)) lineEnd--;
    if (lineEnd === from) return EMPTY;
    let record: unknown;
    try {
      record = JSON.parse(textIn(buf, from, lineEnd));
    } catch {
      return explain(buf, from, lineEnd);
    }
    if (!isObject(record)) return NOT_THIS_FORMAT;
    if (!this.#isWanted(record)) return DROP;
    for (const { role, isNumeric, path } of this.#lookUps) {
      // The first path that leads anywhere counts.
      if ((end[role] as number) > 0) continue;
      const value = path.length === 1 ? record[path[0] as string] : lookUp(record, path);
      if (isNumeric && typeof value === 'number') {
        tokens.number[role] = value;
        tokens.numeric |= 1 << role;
        start[role] = 0;
        end[role] = 1;
        continue;
      }
      const text = textOf(value);
      if (text === '') continue;
      start[role] = scratch.length;
      scratch.push(text);
      end[role] = scratch.length;
    }
    tokens.point(scratch.bytes);
    return FINE;
  }
}

/** Why a line is no JSON object. */
export function explain(buf: Uint8Array, from: number, to: number): Verdict {
  for (let i = from; i < Math.min(to, from + 512); i++) if (buf[i] === 0) return BINARY;
  if (buf[from] !== 123) return NOT_THIS_FORMAT;
  return buf[to - 1] === 125 ? BAD_JSON : TRUNCATED;
}

function lookUp(record: JsonObject, path: readonly string[]): unknown {
  let value: unknown = record;
  for (const [depth, name] of path.entries()) {
    if (!isObject(value)) return undefined;
    const direct: unknown = Object.hasOwn(value, name) ? value[name] : undefined;
    if (direct !== undefined) {
      value = direct;
      continue;
    }
    if (depth === 0) return undefined;
    const lower = name.toLowerCase();
    const other = Object.keys(value).find((key) => key.toLowerCase() === lower);
    if (other === undefined) return undefined;
    value = value[other];
  }
  return value;
}

/** Text of a scalar; the first element of an array; '' for what has none. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return textOf(value[0]);
  return '';
}
