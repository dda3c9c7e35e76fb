import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readCells } from '../../core/cells.ts';
import { C, type CounterName, at } from '../../core/counters.ts';
import type { PartialBatch } from '../../core/partial.ts';
import { type RejectReason, entityId } from '../../core/types.ts';
import { formatFor, ingestAll, perOwner, testFingerprinter, testIngest } from '../support/ingest.ts';

const KEY = 'demo-key-0001-not-real';
const key = (secret: string): string => entityId('key', testFingerprinter.fingerprint(secret));

/** What stands around every line below, so that a bad line which took its neighbours with it would show. */
const COMBINED = '192.0.2.1 - - [23/Nov/2026:21:20:05 +0000] "GET /v1/status HTTP/1.1" 204 7 "-" "neighbour/1"';
const JSON_LINE =
  '{"ts":1795468805000,"ip":"192.0.2.1","method":"GET","path":"/v1/status","status":204,"bytes":7,"ms":1,"ua":"neighbour/1","key":"","user":""}';
const KONG =
  '{"request":{"method":"GET","uri":"/v1/status","headers":{"user-agent":"neighbour/1"},"size":90,"querystring":{}},"response":{"status":204,"size":7},"latencies":{"request":1},"client_ip":"192.0.2.1","started_at":1795468805000}';
const CADDY =
  '{"level":"info","ts":1795468805.1,"logger":"http.log.access.log0","msg":"handled request","request":{"remote_ip":"192.0.2.1","method":"GET","uri":"/v1/status","headers":{"User-Agent":["neighbour/1"]}},"bytes_read":0,"duration":0.001,"size":7,"status":204}';
const NEIGHBOUR = { combined: COMBINED, common: COMBINED.split(' "-"')[0] ?? '', json: JSON_LINE, kong: KONG, caddy: CADDY } as const;
type Name = keyof typeof NEIGHBOUR;

type Counted = { readonly owner: string; readonly counters?: Partial<Record<CounterName, number>>; readonly texts?: Readonly<Record<string, string>> };
/** A name, the line (text is UTF-8), and what is made of it: an event, or a reason. */
type Row = readonly [name: string, line: string | Buffer, want: RejectReason | Counted];

/** The line between two good ones; only the line itself may change what is counted. */
function read(format: Name, line: string | Buffer): PartialBatch {
  const before = Buffer.from(`${NEIGHBOUR[format]}\n`);
  const bytes = Buffer.concat([before, Buffer.from(line), Buffer.from('\n'), before]);
  return ingestAll(new Uint8Array(bytes), { format: formatFor(before, format) });
}

function check(format: Name): (name: string, line: string | Buffer, want: RejectReason | Counted) => void {
  return (_name, line, want) => {
    const batch = read(format, line);
    const owners = perOwner(batch);
    expect(batch.records).toBe(3);
    const neighbour = entityId('client', format === 'common' ? '192.0.2.1' : '192.0.2.1 neighbour/1');
    expect(at(owners.get(neighbour) ?? new Float64Array(30), C.s2xx)).toBe(2);
    owners.delete(neighbour);
    if (typeof want === 'string') {
      expect({ rejects: batch.rejects, owners: [...owners.keys()] }).toEqual({
        rejects: { [want]: { count: 1, first: NEIGHBOUR[format].length + 1 } },
        owners: [],
      });
      return;
    }
    expect(batch.rejects).toEqual({});
    expect([...owners.keys()]).toEqual([want.owner]);
    const counters = owners.get(entityId('key', '')) ?? [...owners.values()][0];
    const names = Object.keys({ requests: 1, ...want.counters }) as CounterName[];
    expect(Object.fromEntries(names.map((name) => [name, at(counters ?? new Float64Array(30), C[name])]))).toEqual({ requests: 1, ...want.counters });
    const row = [...batch.rows, ...batch.held].find(({ entity }) => entity === want.owner);
    for (const [dimension, text] of Object.entries(want.texts ?? {})) {
      const tally = row === undefined ? undefined : readCells(row.cells).sketch.tally(dimension as 'route' | 'address' | 'agent');
      expect({ dimension, texts: tally?.items.map((item) => item.text) }).toEqual({ dimension, texts: [text] });
    }
  };
}

/** A combined line with some of its parts replaced. */
function line(parts: { head?: string; time?: string; request?: string; status?: string; size?: string; rest?: string } = {}): string {
  const {
    head = '203.0.113.9 - -',
    time = '23/Nov/2026:21:20:06 +0000',
    request = 'GET /v1/orders/8 HTTP/1.1',
    status = '200',
    size = '512',
    rest = ' "-" "curl/8.5.0"',
  } = parts;
  return `${head} [${time}] "${request}" ${status} ${size}${rest}`;
}
const CLIENT = 'client:203.0.113.9 curl/8.5.0';

const LINES: readonly Row[] = [
  ['no log line at all', 'Traceback (most recent call last):', 'not_this_format'],
  ['an empty line', '', 'empty_line'],
  ['blanks and a carriage return', '   \r', 'empty_line'],
  ['the second half of a user agent', ' "curl/7.54.0"', 'not_this_format'],
  ['cut in the time', line().slice(0, 30), 'not_this_format'],
  ['cut behind the bracket of the time', '203.0.113.9 - - [', 'not_this_format'],
  ['cut in the request', line().slice(0, 60), 'truncated'],
  [
    'cut behind the status',
    '203.0.113.9 - - [23/Nov/2026:21:20:06 +0000] "GET / HTTP/1.1" 200',
    { owner: 'client:203.0.113.9', counters: { s2xx: 1, bytesOutKnown: 0 } },
  ],
  ['cut in the agent', line().slice(0, -4), { owner: 'client:203.0.113.9 curl/8.', counters: { bytesOut: 512 } }],
  ['cut behind a backslash in the request', line().slice(0, 60) + '\\', 'truncated'],
  ['cut behind a backslash in the Referer', `${line({ rest: '' })} "https://x.test/\\`, { owner: 'client:203.0.113.9', counters: { bytesOut: 512 } }],
  ['cut behind a backslash in the agent', line({ rest: ' "-" "curl\\' }), { owner: 'client:203.0.113.9 curl\\', counters: { bytesOut: 512 } }],
  ['with a carriage return', `${line()}\r`, { owner: CLIENT, counters: { bytesOut: 512 } }],
  ['NUL bytes', '\u0000\u0000\u0000\u0000', 'binary'],
  ['a NUL in the path', line({ request: 'GET /v1/or\u0000ders/8 HTTP/1.1' }), { owner: CLIENT, texts: { route: '/v1/or?ders/{id}' } }],
  [
    'bytes that are no UTF-8',
    Buffer.concat([
      Buffer.from('203.0.113.9 - - [23/Nov/2026:21:20:06 +0000] "GET /\xff\xfe HTTP/1.1" 200 512 "-" "', 'latin1'),
      Buffer.from([0xc3, 0x28, 0xff, 0x22]),
    ]),
    { owner: 'client:203.0.113.9 (', texts: { route: '/??' } },
  ],
  ['1 MiB of garbage', 'x'.repeat(2 ** 20), 'not_this_format'],
  ['1 MiB of path', line({ request: `GET /v1/${'p'.repeat(2 ** 20 - 200)} HTTP/1.1` }), { owner: CLIENT, counters: { bytesOut: 512 } }],
  ['1 MiB of agent', line({ rest: ` "-" "${'a b '.repeat(2 ** 18 - 100)}"` }), { owner: `client:203.0.113.9 ${'a b '.repeat(24)}` }],
  ['1970', line({ time: '01/Jan/1970:00:00:00 +0000' }), 'time_out_of_range'],
  ['next year', line({ time: '23/Nov/2027:21:20:06 +0000' }), { owner: CLIENT, counters: { last: Date.UTC(2027, 10, 23, 21, 20, 6) } }],
  ['the next century', line({ time: '01/Jan/2100:00:00:00 +0000' }), 'time_out_of_range'],
  ['31 February', line({ time: '31/Feb/2026:00:00:00 +0000' }), 'bad_time'],
  ['no month', line({ time: '01/Foo/2026:00:00:00 +0000' }), 'bad_time'],
  ['minute 61', line({ time: '01/Jan/2026:00:61:00 +0000' }), 'bad_time'],
  ['a leap second', line({ time: '31/Dec/2016:23:59:60 +0000' }), { owner: CLIENT, counters: { first: Date.UTC(2017, 0, 1) } }],
  ['another time zone', line({ time: '24/Nov/2026:02:50:06 +0530' }), { owner: CLIENT, counters: { first: Date.UTC(2026, 10, 23, 21, 20, 6) } }],
  ['status 0', line({ status: '0' }), { owner: CLIENT, counters: { aborted: 1, s4xx: 0 } }],
  ['status 000', line({ status: '000' }), { owner: CLIENT, counters: { aborted: 1 } }],
  ['status -1', line({ status: '-1' }), { owner: CLIENT, counters: { aborted: 1 } }],
  ['status -', line({ status: '-' }), { owner: CLIENT, counters: { aborted: 1 } }],
  ['status 499', line({ status: '499' }), { owner: CLIENT, counters: { aborted: 1, s4xx: 0 } }],
  ['status 999', line({ status: '999' }), 'bad_status'],
  ['status 99', line({ status: '99' }), 'bad_status'],
  ['status 2000', line({ status: '2000' }), 'bad_status'],
  ['size -', line({ size: '-' }), { owner: CLIENT, counters: { bytesOut: 0, bytesOutKnown: 1 } }],
  ['a negative size', line({ size: '-12' }), { owner: CLIENT, counters: { bytesOut: 0, bytesOutKnown: 0 } }],
  ['a size with a fraction', line({ size: '12.7' }), { owner: CLIENT, counters: { bytesOut: 12 } }],
  ['a size that no number holds', line({ size: '9'.repeat(30) }), { owner: CLIENT, counters: { bytesOut: 0, bytesOutKnown: 0 } }],
  ['an address with a port', line({ head: '203.0.113.9:4711 - -' }), { owner: CLIENT, texts: { address: '203.0.113.9' } }],
  ['IPv6', line({ head: '2001:DB8:0:0::9 - -' }), { owner: 'client:2001:db8::9 curl/8.5.0' }],
  ['IPv6 with a port', line({ head: '[2001:db8::9]:4711 - -' }), { owner: 'client:2001:db8::9 curl/8.5.0' }],
  ['IPv4 in IPv6', line({ head: '::ffff:203.0.113.9 - -' }), { owner: CLIENT }],
  ['a whole X-Forwarded-For list as the address', line({ head: '203.0.113.9, 10.0.0.1 - -' }), { owner: CLIENT }],
  ['a forged hop in front of the list', line({ head: '198.51.100.1, 203.0.113.9, 10.0.0.1 - -' }), { owner: CLIENT }],
  ['no address', line({ head: '- - -' }), { owner: 'client:unknown curl/8.5.0' }],
  ['a host name', line({ head: 'Client.Example.TEST - -' }), { owner: 'client:client.example.test curl/8.5.0' }],
  ['quotes in the path, as httpd escapes them', line({ request: 'GET /v1/\\"x\\"/\\\\y HTTP/1.1' }), { owner: CLIENT, texts: { route: '/v1/"x"/\\y' } }],
  ['quotes in the path, as NGINX escapes them', line({ request: 'GET /v1/\\x22x\\x22/\\x5Cy HTTP/1.1' }), { owner: CLIENT, texts: { route: '/v1/"x"/\\y' } }],
  ['raw quotes in the path, escape=none', line({ request: 'GET /v1/"x"/"y HTTP/1.1' }), { owner: CLIENT, counters: { s2xx: 1, bytesOut: 512 } }],
  ['a raw quote and half a status in the path, escape=none', line({ request: 'GET /v1/" 200/y HTTP/1.1' }), 'bad_status'],
  ['raw quotes in the agent, escape=none', line({ rest: ' "-" "acme "sdk" v2"' }), { owner: 'client:203.0.113.9 acme "sdk', counters: { bytesOut: 512 } }],
  [
    'a status forged in the agent',
    line({ rest: ' "-" "x\\" 500 0 \\"-\\" \\"evil"' }),
    { owner: 'client:203.0.113.9 x" 500 0 "-" "evil', counters: { s2xx: 1, s5xx: 0 } },
  ],
  ['a status forged in the path', line({ request: 'GET /v1/\\x22 500 9 HTTP/1.1' }), { owner: CLIENT, counters: { s2xx: 1, s5xx: 0, bytesOut: 512 } }],
  ['nothing but quotes and backslashes', line({ request: '\\"\\\\'.repeat(200) }), { owner: CLIENT, counters: { bytesOut: 512 } }],
  [
    'an absolute URL',
    line({ request: `GET https://api.example.test/v1/orders/8?api_key=${KEY} HTTP/2.0` }),
    { owner: key(KEY), texts: { route: '/v1/orders/{id}' } },
  ],
  ['percent signs without digits', line({ request: 'GET /v1/%zz/%/%%% HTTP/1.1' }), { owner: CLIENT, texts: { route: '/v1/%zz/%/%%%' } }],
  ['no request', line({ request: '-', status: '408', size: '0' }), { owner: CLIENT, counters: { s4xx: 1 } }],
  ['an empty request', line({ request: '', status: '400' }), { owner: CLIENT, counters: { s4xx: 1 } }],
  ['a TLS handshake on the plain port', line({ request: '\\x16\\x03\\x01\\x02', status: '400' }), { owner: CLIENT, counters: { s4xx: 1 } }],
  ['a method without a path', line({ request: 'QUIT', status: '400' }), { owner: CLIENT, counters: { s4xx: 1, reads: 0, writes: 0 } }],
  ['a path with spaces', line({ request: 'GET /v1/a b c HTTP/1.1' }), { owner: CLIENT, counters: { reads: 1 } }],
  ['HTTP/0.9', line({ request: 'GET /v1/orders/8' }), { owner: CLIENT, texts: { route: '/v1/orders/{id}' } }],
  ['a key', line({ request: `GET /v1/orders/8?api_key=${KEY} HTTP/1.1` }), { owner: key(KEY) }],
  ['a key twice', line({ request: `GET /v1/orders/8?api_key=${KEY}&api_key=another HTTP/1.1` }), { owner: key(KEY) }],
  ['an empty key before the real one', line({ request: `GET /v1/orders/8?api_key=&key=${KEY} HTTP/1.1` }), { owner: key(KEY) }],
  ['a key with escapes', line({ request: `GET /v1/orders/8?api_key=${KEY.replaceAll('-', '%2D')} HTTP/1.1` }), { owner: key(KEY) }],
  ['a key with escapes in lower case', line({ request: `GET /v1/orders/8?api_key=${KEY.replaceAll('-', '%2d')} HTTP/1.1` }), { owner: key(KEY) }],
  ['a key with a broken escape is what the gateway saw', line({ request: 'GET /v1/orders/8?api_key=abc%zzdef HTTP/1.1' }), { owner: key('abc%zzdef') }],
  ['a key before a fragment', line({ request: `GET /v1/orders/8?api_key=${KEY}#top HTTP/1.1` }), { owner: key(KEY) }],
  ['a key in upper case of the name', line({ request: `GET /v1/orders/8?API_KEY=${KEY} HTTP/1.1` }), { owner: key(KEY) }],
  ['a key in the Referer is nobody of this request', line({ rest: ` "https://x.test/?api_key=${KEY}" "curl/8.5.0"` }), { owner: CLIENT }],
  ['upper-case hex of NGINX', line({ rest: ' "-" "\\xC3\\x9Cber/1"' }), { owner: 'client:203.0.113.9 Über/1' }],
  ['lower-case hex of httpd', line({ rest: ' "-" "\\xc3\\x9cber/1"' }), { owner: 'client:203.0.113.9 Über/1' }],
  ['hex that is none', line({ rest: ' "-" "\\xzz/1"' }), { owner: 'client:203.0.113.9 \\xzz/1' }],
  ['an empty agent', line({ rest: ' "-" ""' }), { owner: 'client:203.0.113.9' }],
  ['no agent', line({ rest: ' "-" "-"' }), { owner: 'client:203.0.113.9' }],
  ['control and direction marks in the agent', line({ rest: ' "-" "a\u202eb\u0007c"' }), { owner: 'client:203.0.113.9 a b c' }],
  ['a secret in the agent', line({ rest: ` "-" "sdk/1 token=${KEY}"` }), { owner: 'client:203.0.113.9 sdk/1 token=<redacted>' }],
  ['a user', line({ head: '203.0.113.9 - alice' }), { owner: 'user:alice' }],
  ['a user with spaces and brackets', line({ head: '203.0.113.9 - al [the] ice' }), { owner: 'user:al [the] ice' }],
  ['an empty user in quotes', line({ head: '203.0.113.9 - ""' }), { owner: 'user:""' }],
  ['a virtual host in front', line({ head: 'api.example.test 203.0.113.9 - -' }), { owner: CLIENT }],
  ['a virtual host with a port in front', line({ head: 'api.example.test:443 203.0.113.9 - -' }), { owner: CLIENT }],
  ['a virtual host and a user', line({ head: 'api.example.test 203.0.113.9 - alice' }), { owner: 'user:alice' }],
  ['the main format behind a proxy', line({ head: '10.0.0.7 - -', rest: ' "-" "curl/8.5.0" "198.51.100.1, 203.0.113.9"' }), { owner: CLIENT }],
  ['the main format without a proxy: the header is a claim', line({ rest: ' "-" "curl/8.5.0" "198.51.100.1"' }), { owner: CLIENT }],
  ['more fields behind', line({ rest: ' "-" "curl/8.5.0" 0.012 0.011 "upstream" 1795468806.1' }), { owner: CLIENT, counters: { bytesOut: 512 } }],
];
describe('a combined line', () => {
  test.each(LINES)('%s', check('combined'));
});

const json = (fields: object): string =>
  JSON.stringify({
    ts: 1_795_468_806_000,
    ip: '203.0.113.9',
    method: 'GET',
    path: '/v1/orders/8',
    status: 200,
    bytes: 512,
    ms: 5,
    ua: 'curl/8.5.0',
    ...fields,
  });
const OBJECTS: readonly Row[] = [
  ['no JSON', 'Traceback (most recent call last):', 'not_this_format'],
  ['an empty line', '', 'empty_line'],
  ['broken in the middle', '{"ts":1795468806000,"status":200,,"bytes":1}', 'bad_json'],
  ['two objects', `${json({})}${json({})}`, 'bad_json'],
  ['cut', json({}).slice(0, 40), 'truncated'],
  ['an array', '[1,2]', 'not_this_format'],
  ['null', 'null', 'not_this_format'],
  ['a number', '12', 'not_this_format'],
  ['deep nesting', '['.repeat(100_000), 'not_this_format'],
  ['deep nesting in an object', `{"a":${'['.repeat(100_000)}`, 'truncated'],
  ['NUL bytes', '\u0000'.repeat(300), 'binary'],
  ['1 MiB of text', `{"x":"${'y'.repeat(2 ** 20 - 50)}"}`, 'no_time'],
  ['an empty object', '{}', 'no_time'],
  ['a time of another kind', json({ ts: { at: 1 } }), 'no_time'],
  ['a time that is none', json({ ts: 'yesterday' }), 'bad_time'],
  ['a negative time', json({ ts: -5 }), 'bad_time'],
  ['1970', json({ ts: 1000 }), 'time_out_of_range'],
  ['a time in seconds', json({ ts: 1_795_468_806 }), { owner: CLIENT, counters: { first: 1_795_468_806_000 } }],
  ['a time in nanoseconds', json({}).replace('1795468806000', '1795468806000000123'), { owner: CLIENT, counters: { first: 1_795_468_806_000 } }],
  ['next year', json({ ts: '2027-11-23T21:20:06.5Z' }), { owner: CLIENT, counters: { last: Date.UTC(2027, 10, 23, 21, 20, 6, 500) } }],
  ['31 February', json({ ts: '2026-02-31T00:00:00Z' }), 'bad_time'],
  ['no status', json({ status: undefined }), 'no_status'],
  ['status null', json({ status: null }), 'no_status'],
  ['status of words', json({ status: 'OK' }), 'bad_status'],
  ['status 999', json({ status: 999 }), 'bad_status'],
  ['status 200.5', json({ status: 200.5 }), 'bad_status'],
  ['status 0', json({ status: 0 }), { owner: CLIENT, counters: { aborted: 1 } }],
  ['status -1', json({ status: -1 }), { owner: CLIENT, counters: { aborted: 1 } }],
  ['status -', json({ status: '-' }), { owner: CLIENT, counters: { aborted: 1 } }],
  ['status in quotes', json({ status: '503' }), { owner: CLIENT, counters: { s5xx: 1 } }],
  ['status written 2e2', json({}).replace('"status":200', '"status":2e2'), { owner: CLIENT, counters: { s2xx: 1 } }],
  [
    'status twice: the last one, as JSON has it',
    json({}).replace('"status":200', '"status":200,"status":500'),
    { owner: CLIENT, counters: { s2xx: 0, s5xx: 1 } },
  ],
  ['a negative size', json({ bytes: -3 }), { owner: CLIENT, counters: { bytesOut: 0, bytesOutKnown: 0 } }],
  ['no size', json({ bytes: undefined }), { owner: CLIENT, counters: { bytesOutKnown: 0 } }],
  ['an endless size', json({}).replace('"bytes":512', '"bytes":1e999'), { owner: CLIENT, counters: { bytesOutKnown: 0 } }],
  ['a negative duration', json({ ms: -1 }), { owner: CLIENT, counters: { latencyKnown: 0 } }],
  ['a duration of a year', json({ ms: 31_536_000_000 }), { owner: CLIENT, counters: { latencyKnown: 0 } }],
  ['a name that JavaScript knows', json({}).replace('{', '{"__proto__":{"status":500},"constructor":1,'), { owner: CLIENT, counters: { s2xx: 1 } }],
  ['an ampersand written as \\u0026', json({}).replace('/v1/orders/8', `/v1/orders/8?page=2\\u0026api_key=${KEY}`), { owner: key(KEY) }],
  ['a key with \\u002d', json({ key: KEY }).replaceAll('-', '\\u002d'), { owner: key(KEY) }],
  ['a key field that says that it is hidden', json({ key: '<redacted>' }), { owner: CLIENT }],
  ['a key field of stars', json({ key: '*****' }), { owner: CLIENT }],
  ['bytes that are no UTF-8 in the agent', Buffer.from(json({ ua: 'Caf\u00e9/1' }), 'latin1'), { owner: 'client:203.0.113.9 Caf /1' }],
  ['an unpaired surrogate', json({}).replace('curl/8.5.0', 'a\\ud800b'), { owner: 'client:203.0.113.9 a b' }],
  ['IPv6 with a port', json({ ip: '[2001:db8::9]:4711' }), { owner: 'client:2001:db8::9 curl/8.5.0' }],
  ['a carriage return', `${json({})}\r`, { owner: CLIENT }],
  ['blanks around', `  ${json({})}  `, { owner: CLIENT }],
  ['a byte order mark', `\ufeff${json({})}`, { owner: CLIENT }],
];
describe('a JSON line', () => {
  test.each(OBJECTS)('%s', check('json'));
});

const kong = (change: (record: string) => string): string => change(KONG.replaceAll('192.0.2.1', '203.0.113.9').replace('neighbour/1', 'curl/8.5.0'));
describe('a Kong line', () => {
  const rows: readonly Row[] = [
    ['without a response', '{"started_at":1795468805000,"latencies":{},"client_ip":"203.0.113.9"}', 'no_status'],
    ['with a list where an object belongs', '{"started_at":1795468805000,"response":[200],"client_ip":"203.0.113.9"}', 'no_status'],
    ['cut', kong((text) => text.slice(0, 100)), 'truncated'],
    ['with a key header twice', kong((text) => text.replace('"headers":{', `"headers":{"apikey":["${KEY}","another"],`)), { owner: key(KEY) }],
    ['with a Bearer key in any case', kong((text) => text.replace('"headers":{', `"headers":{"Authorization":"bEARER ${KEY}",`)), { owner: key(KEY) }],
    [
      'with a Basic credential, which is no key',
      kong((text) => text.replace('"headers":{', '"headers":{"authorization":"Basic YWxpY2U6cHc=",')),
      { owner: CLIENT },
    ],
    ['with a consumer only', kong((text) => text.replace('"client_ip"', '"consumer":{"username":"alice"},"client_ip"')), { owner: 'user:alice' }],
  ];
  test.each(rows)('%s', check('kong'));
});

const caddy = (change: (record: string) => string): string => change(CADDY.replaceAll('192.0.2.1', '203.0.113.9').replace('neighbour/1', 'curl/8.5.0'));
describe('a Caddy line', () => {
  const rows: readonly Row[] = [
    ['with two keys in the header', caddy((text) => text.replace('"headers":{', `"headers":{"X-Api-Key":["${KEY}","another"],`)), { owner: key(KEY) }],
    ['with a masked Authorization', caddy((text) => text.replace('"headers":{', '"headers":{"Authorization":["REDACTED"],')), { owner: CLIENT }],
    ['with an empty Authorization', caddy((text) => text.replace('"headers":{', '"headers":{"Authorization":[],')), { owner: CLIENT }],
    ['with headers of nothing', caddy((text) => text.replace(/"headers":\{[^}]*\}/, '"headers":null')), { owner: 'client:203.0.113.9' }],
    ['of status 0, as Caddy 2.6 writes who hung up', caddy((text) => text.replace('"status":204', '"status":0')), { owner: CLIENT, counters: { aborted: 1 } }],
  ];
  test.each(rows)('%s', check('caddy'));

  test('of another logger is passed over on purpose', () => {
    const batch = read('caddy', '{"level":"info","ts":1795468805.1,"logger":"tls","msg":"cleaning storage unit"}');
    expect({ records: batch.records, dropped: batch.dropped, rejects: batch.rejects }).toEqual({ records: 3, dropped: 1, rejects: {} });
  });
});

test('a line feed inside the time ends the line there, and the rest is a line of its own', () => {
  const text = `${COMBINED}\n203.0.113.9 - - [2\n/Nov/2026:21:20:06 +0000] "GET / HTTP/1.1" 200 5 "-" "x"\n${COMBINED}\n`;
  const batch = ingestAll(new Uint8Array(Buffer.from(text)), { format: formatFor(Buffer.from(COMBINED), 'combined') });
  expect(batch.records).toBe(4);
  expect(Object.values(batch.rejects).reduce((sum, { count }) => sum + count, 0)).toBe(2);
});

test('whatever bytes a log holds, each of its lines is counted, passed over or rejected, and nothing throws', () => {
  const pieces = Object.values(NEIGHBOUR).map((text) => Buffer.from(text));
  const mutated = fc
    .tuple(fc.constantFrom(...pieces), fc.array(fc.tuple(fc.nat(400), fc.nat(3), fc.uint8Array({ minLength: 1, maxLength: 4 })), { maxLength: 6 }))
    .map(([text, edits]) =>
      edits.reduce((bytes, [place, cut, put]) => Buffer.concat([bytes.subarray(0, place), Buffer.from(put), bytes.subarray(place + cut)]), text),
    );
  const anyLine = fc.oneof(
    mutated,
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(fc.constantFrom(...(Object.keys(NEIGHBOUR) as Name[])), fc.array(anyLine, { minLength: 1, maxLength: 8 }), (format, lines) => {
      const bytes = Buffer.concat(lines.flatMap((text) => [text, Buffer.from('\n')]));
      const ingest = testIngest(formatFor(Buffer.from(NEIGHBOUR[format]), format));
      ingest.block(new Uint8Array(bytes), 0);
      const batch = ingest.flush();
      const written = bytes.reduce((count, byte) => count + (byte === 10 ? 1 : 0), 0);
      const events = batch === undefined ? 0 : [...perOwner(batch).values()].reduce((sum, counters) => sum + at(counters, C.requests), 0);
      const rejected = Object.values(batch?.rejects ?? {}).reduce((sum, { count }) => sum + count, 0);
      expect({ records: batch?.records, all: events + rejected + (batch?.dropped ?? 0), next: ingest.next }).toEqual({
        records: written,
        all: written,
        next: bytes.length,
      });
    }),
    { numRuns: 1000 },
  );
});
