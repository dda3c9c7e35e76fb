import type { Format } from './format.ts';
import { JsonParser } from './json-parse.ts';
import { KEY_NAMES } from './key-names.ts';
import type { Tokens } from './tokens.ts';

/** Kong's log serializer object, one per line (file-log, http-log, tcp-log, kafka-log). Sizes are on the wire. */
export function kongFormat(keyNames: readonly string[] = KEY_NAMES): Format {
  const parser = new JsonParser({
    time: [['started_at']],
    address: [['client_ip']],
    forwarded: [['request', 'headers', 'x-forwarded-for']],
    user: [
      ['consumer', 'username'],
      ['consumer', 'custom_id'],
    ],
    method: [['request', 'method']],
    target: [['request', 'uri']],
    route: [['route', 'name']],
    status: [['response', 'status']],
    bytesIn: [['request', 'size']],
    bytesOut: [['response', 'size']],
    latency: [['latencies', 'request']],
    agent: [['request', 'headers', 'user-agent']],
    credentialId: [['authenticated_entity', 'id']],
    secret: keyNames.flatMap((name) => [
      ['request', 'headers', name],
      ['request', 'querystring', name],
    ]),
    authorization: [['request', 'headers', 'authorization']],
  });
  return {
    name: 'kong',
    visible: new Set([
      'time',
      'address',
      'forwarded',
      'user',
      'method',
      'target',
      'route',
      'status',
      'bytesIn',
      'bytesOut',
      'latency',
      'agent',
      'credentialId',
      'secret',
      'authorization',
    ]),
    bytesKind: 'wire',
    timeIs: 'start',
    latencyToUs: 1000,
    descriptor: 'kong',
    scan: () => -1,
    parse: (tokens: Tokens, buf: Uint8Array, from: number, to: number) => parser.parse(tokens, buf, from, to),
  };
}
