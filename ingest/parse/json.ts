import type { Format } from './format.ts';
import { type PathMap, JsonParser } from './json-parse.ts';
import { JsonScanner, rolesOf } from './json-scan.ts';
import { plain } from './json-names.ts';
import { ROLES, type Role, type Tokens } from './tokens.ts';

/** Multipliers to microseconds. */
const UNITS: Readonly<Record<string, number>> = { ns: 0.001, us: 1, ms: 1000, s: 1_000_000 };

export type JsonMap = { readonly fields: Partial<Record<Role, string>>; readonly latencyUnit?: 'ns' | 'us' | 'ms' | 's' };

/** Flat JSON lines (NGINX `escape=json` and any other); names with dots reach into nested objects on the correct path. */
export function jsonFormat(map: JsonMap): Format {
  const paths: PathMap = {};
  const flat = new Map<string, Role>();
  let isFlat = true;
  for (const role of ROLES) {
    const name = map.fields[role];
    if (name === undefined) continue;
    paths[role] = name.includes('.') ? [[name], name.split('.')] : [[name]];
    if (name.includes('.') || flat.has(name)) isFlat = false;
    flat.set(name, role);
  }
  const scanner = new JsonScanner(flat);
  const parser = new JsonParser(paths);
  const bytesName = plain(map.fields.bytesOut ?? '');
  const visible = new Set(rolesOf(flat));
  if (visible.delete('request')) visible.add('method').add('target');
  return {
    name: 'json',
    visible,
    bytesKind: /body|content/.test(bytesName) ? 'body' : 'wire',
    timeIs: /start/.test(plain(map.fields.time ?? '')) ? 'start' : 'end',
    latencyToUs: UNITS[map.latencyUnit ?? 'ms'] as number,
    descriptor: `json:${JSON.stringify(map)}`,
    scan: isFlat ? (tokens: Tokens, buf: Uint8Array, from: number, limit: number) => scanner.scan(tokens, buf, from, limit) : () => -1,
    parse: (tokens: Tokens, buf: Uint8Array, from: number, to: number) => parser.parse(tokens, buf, from, to),
  };
}
