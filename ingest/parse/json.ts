import type { Format } from './format.ts';
import { type PathMap, JsonParser } from './json-parse.ts';
import { JsonScanner, rolesOf } from './json-scan.ts';
import type { KeyNames } from './key-names.ts';
import { ROLES, type Role, type Tokens } from './tokens.ts';

/** The usual names of flat JSON logs, best first. Compared without case, dashes, underscores, dots and `@`. */
const GUESSES: Readonly<Record<Role, readonly string[]>> = {
  time: [
    'msec',
    'timestamp',
    'ts',
    'time_iso8601',
    'time',
    'datetime',
    'start_time',
    'started_at',
    'start_utc',
    'request_time_epoch',
    'time_local',
    'date',
    'edge_start_timestamp',
    'at',
    'when',
  ],
  address: [
    'client_ip',
    'remote_addr',
    'remote_ip',
    'ip',
    'source_ip',
    'src_ip',
    'client_addr',
    'client_address',
    'client_host',
    'remote_address',
    'ip_address',
    'downstream_remote_address',
    'remote',
    'client',
    'clientip',
    'host_ip',
  ],
  forwarded: ['x_forwarded_for', 'http_x_forwarded_for', 'xff', 'forwarded_for', 'forwarded', 'http_forwarded'],
  user: ['remote_user', 'user', 'user_name', 'username', 'user_id', 'client_username', 'consumer', 'consumer_name'],
  request: ['request', 'request_line'],
  method: ['method', 'request_method', 'http_method', 'verb', 'client_request_method'],
  target: ['request_uri', 'uri', 'path', 'url', 'request_path', 'target', 'raw_path', 'client_request_uri', 'http_path'],
  query: ['args', 'query', 'query_string', 'querystring'],
  route: ['route', 'http_route', 'route_name', 'resource_path', 'endpoint', 'route_id', 'operation_id', 'matched_route'],
  status: ['status', 'status_code', 'response_code', 'response_status', 'http_status', 'http_status_code', 'code', 'downstream_status', 'edge_response_status'],
  bytesIn: ['request_length', 'bytes_in', 'request_size', 'request_bytes', 'req_bytes', 'bytes_received', 'request_content_size', 'client_request_bytes'],
  bytesOut: [
    'bytes_sent',
    'bytes_out',
    'response_size',
    'response_bytes',
    'resp_bytes',
    'response_length',
    'body_bytes_sent',
    'bytes',
    'size',
    'downstream_content_size',
    'edge_response_bytes',
    'response_content_length',
  ],
  latency: [
    'duration_ms',
    'latency_ms',
    'request_time_ms',
    'response_time_ms',
    'elapsed_ms',
    'total_ms',
    'time_ms',
    'ms',
    'duration_us',
    'latency_us',
    'duration_ns',
    'request_time',
    'rt',
    'response_time',
    'duration',
    'latency',
    'elapsed',
    'took',
    'latency_total',
    'response_latency',
  ],
  agent: ['user_agent', 'http_user_agent', 'ua', 'agent', 'client_request_user_agent'],
  secret: [
    'api_key',
    'apikey',
    'x_api_key',
    'http_x_api_key',
    'http_apikey',
    'arg_apikey',
    'arg_api_key',
    'key',
    'token',
    'access_token',
    'subscription_key',
    'bearer_token',
  ],
  credentialId: ['key_id', 'api_key_id', 'apikey_id', 'credential_id', 'access_key_id', 'key_fp', 'apim_subscription_id', 'subscription_id'],
  authorization: ['authorization', 'http_authorization', 'auth_header'],
};

const plain = (name: string): string => name.toLowerCase().replace(/[-_.@\s]/g, '');

/** Multipliers to microseconds. */
const UNITS: Readonly<Record<string, number>> = { ns: 0.001, us: 1, ms: 1000, s: 1_000_000 };

export type JsonMap = { readonly fields: Partial<Record<Role, string>>; readonly latencyUnit?: 'ns' | 'us' | 'ms' | 's' };

/** Guesses which field plays which role, from the first records of a log; `overrides` win. */
export function guessJsonMap(records: readonly Readonly<Record<string, unknown>>[], keyNames: KeyNames, overrides: JsonMap = { fields: {} }): JsonMap {
  const names = new Set<string>();
  for (const record of records) for (const name of Object.keys(record)) names.add(name);
  const byPlain = new Map([...names].reverse().map((name) => [plain(name), name]));
  const taken = new Set(Object.values(overrides.fields));
  const fields: Partial<Record<Role, string>> = { ...overrides.fields };
  for (const role of ROLES) {
    if (fields[role] !== undefined) continue;
    const guesses = role === 'secret' ? [...GUESSES.secret, ...keyNames.names] : GUESSES[role];
    const found = guesses
      .map((guess) => byPlain.get(plain(guess)))
      .find((name) => name !== undefined && !taken.has(name) && records.some((record) => isUsable(record[name])));
    if (found === undefined) continue;
    fields[role] = found;
    taken.add(found);
  }
  const latency = fields.latency;
  const unit = overrides.latencyUnit ?? (latency === undefined ? undefined : guessUnit(latency, records));
  return unit === undefined ? { fields } : { fields, latencyUnit: unit };
}

function isUsable(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number';
}

/** By the name's ending; else NGINX's request_time and its like are seconds; else by size: fractions below 60 are seconds. */
function guessUnit(name: string, records: readonly Readonly<Record<string, unknown>>[]): 'ns' | 'us' | 'ms' | 's' {
  const bare = plain(name);
  if (/ms$|millis/.test(bare)) return 'ms';
  if (/us$|micros/.test(bare)) return 'us';
  if (/ns$|nanos/.test(bare)) return 'ns';
  if (bare === 'requesttime' || bare === 'rt' || /sec(onds)?$/.test(bare)) return 's';
  const values = records.map((record) => Number(record[name])).filter((value) => Number.isFinite(value) && value > 0);
  const areFractions = values.some((value) => !Number.isInteger(value));
  return values.length > 0 && areFractions && values.every((value) => value < 60) ? 's' : 'ms';
}

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
