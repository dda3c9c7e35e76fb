import type { Format } from './format.ts';
import { JsonParser } from './json-parse.ts';
import { KEY_NAMES } from './key-names.ts';
import type { Tokens } from './tokens.ts';

/** Caddy's JSON access log. Lines of its other loggers are dropped. Sizes are bodies, `ts` is the end of the request. */
export function caddyFormat(keyNames: readonly string[] = KEY_NAMES): Format {
  const parser = new JsonParser(
    {
      time: [['ts']],
      address: [
        ['request', 'client_ip'],
        ['request', 'remote_ip'],
      ],
      forwarded: [['request', 'headers', 'X-Forwarded-For']],
      user: [['user_id']],
      method: [['request', 'method']],
      target: [['request', 'uri']],
      status: [['status']],
      bytesIn: [['bytes_read']],
      bytesOut: [['size']],
      latency: [['duration']],
      agent: [['request', 'headers', 'User-Agent']],
      secret: keyNames.map((name) => ['request', 'headers', name]),
      authorization: [['request', 'headers', 'Authorization']],
    },
    (record) => typeof record['logger'] !== 'string' || record['logger'].startsWith('http.log.access'),
  );
  return {
    name: 'caddy',
    visible: new Set(['time', 'address', 'forwarded', 'user', 'method', 'target', 'status', 'bytesIn', 'bytesOut', 'latency', 'agent', 'secret']),
    bytesKind: 'body',
    timeIs: 'end',
    latencyToUs: 1_000_000,
    descriptor: 'caddy',
    scan: () => -1,
    parse: (tokens: Tokens, buf: Uint8Array, from: number, to: number) => parser.parse(tokens, buf, from, to),
  };
}
