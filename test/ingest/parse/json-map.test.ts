import { describe, expect, test } from 'vitest';
import { detectFormat } from '../../../ingest/parse/detect.ts';
import { FINE, type Normaliser } from '../../../ingest/parse/normaliser.ts';
import { EventCells, Tokens } from '../../../ingest/parse/tokens.ts';
import { testNormaliser } from '../../support/ingest.ts';

const AT = Date.parse('2025-12-30T09:34:00Z');
const READ_AT = '2026-02-01T00:00:00.000Z';

/** What one event is read as, with the guessed map. */
function eventOf(record: unknown): Readonly<Record<string, unknown>> {
  const line = new Uint8Array(Buffer.from(`${JSON.stringify(record)}\n`));
  const found = detectFormat(line);
  if (found.format === undefined) throw new Error(found.why);
  const { format } = found;
  const tokens = new Tokens();
  const cells = new EventCells();
  const normaliser: Normaliser = testNormaliser();
  expect(format.scan(tokens, line, 0, line.length) >= 0 || format.parse(tokens, line, 0, line.length - 1) === FINE).toBe(true);
  expect(normaliser.normalise(tokens, cells, format.latencyToUs)).toBe(FINE);
  return {
    at: cells.at,
    status: cells.status,
    bytesOut: cells.bytesOut,
    latencyUs: cells.latencyUs,
    access: cells.access,
    address: normaliser.addresses.texts[cells.address],
    agent: normaliser.agents.texts[cells.agent],
    route: normaliser.routes.terms.texts[cells.route],
    owner: normaliser.owners.ids[cells.owner],
  };
}

const flat = {
  time: '2025-12-30T09:34:00+00:00',
  remote_addr: '203.0.113.24',
  method: 'GET',
  uri: '/v1/orders/48213',
  status: '200',
  bytes_sent: '1893',
  remote_user: 'acme',
  user_agent: 'acme-sdk/2.4.1',
};
const want = { at: AT, status: 200, bytesOut: 1893, access: 1, address: '203.0.113.24', agent: 'acme-sdk/2.4.1', owner: 'user:acme' };

describe('fields that a shipper decoded are found wherever it put them', () => {
  const beat = {
    '@timestamp': READ_AT,
    '@metadata': { beat: 'filebeat' },
    agent: { type: 'filebeat', name: 'gw-1' },
    host: { name: 'gw-1', ip: ['10.0.0.1'] },
    ecs: { version: '8.0.0' },
    log: { offset: 3, file: { path: '/var/log/a' } },
  };
  test.each<[string, unknown]>([
    ['Filebeat with json.keys_under_root', { ...beat, ...flat }],
    ['Filebeat under json', { ...beat, json: flat }],
    ['Fluent Bit at the top', { '@timestamp': 1767300000.5, ...flat }],
    [
      'Fluent Bit with merge_log_key log_processed',
      { '@timestamp': 1767300000.5, log: 'x', stream: 'stdout', log_processed: flat, kubernetes: { pod_name: 'gw', labels: { app: 'gw' } } },
    ],
    ['Vector at the top', { file: '/var/log/a', host: 'gw-1', source_type: 'file', timestamp: READ_AT, ...flat }],
    ['Logstash at the top', { '@timestamp': READ_AT, '@version': '1', host: 'gw-1', ...flat }],
    ['under fields', { '@timestamp': READ_AT, '@version': '1', fields: flat }],
    ['two levels down', { '@timestamp': READ_AT, nginx: { access: flat } }],
    [
      'Logstash COMBINEDAPACHELOG',
      {
        '@timestamp': READ_AT,
        '@version': '1',
        clientip: '203.0.113.24',
        ident: '-',
        auth: 'acme',
        timestamp: '30/Dec/2025:09:34:00 +0000',
        verb: 'GET',
        request: '/v1/orders/48213',
        httpversion: '1.1',
        response: '200',
        bytes: '1893',
        referrer: '"-"',
        agent: 'acme-sdk/2.4.1',
      },
    ],
    [
      'Logstash COMBINEDAPACHELOG with ECS names',
      {
        '@timestamp': READ_AT,
        timestamp: '30/Dec/2025:09:34:00 +0000',
        source: { address: '203.0.113.24' },
        user: { name: 'acme' },
        http: { request: { method: 'GET' }, response: { status_code: 200, body: { bytes: 1893 } }, version: '1.1' },
        url: { original: '/v1/orders/48213' },
        user_agent: { original: 'acme-sdk/2.4.1' },
      },
    ],
    [
      'an ECS document, whose own time is the event',
      {
        '@timestamp': '2025-12-30T09:34:00.000Z',
        ecs: { version: '9.0.0' },
        event: { dataset: 'nginx.access', duration: 46000000 },
        http: { request: { method: 'GET', bytes: 412 }, response: { status_code: 200, bytes: 1893 } },
        url: { path: '/v1/orders/48213' },
        source: { ip: '203.0.113.24' },
        user: { name: 'acme' },
        user_agent: { original: 'acme-sdk/2.4.1' },
      },
    ],
    [
      "Vector's parse_nginx_log",
      {
        client: '203.0.113.24',
        user: 'acme',
        timestamp: '2025-12-30T09:34:00Z',
        request: 'GET /v1/orders/48213 HTTP/1.1',
        method: 'GET',
        path: '/v1/orders/48213',
        status: 200,
        size: 1893,
        agent: 'acme-sdk/2.4.1',
        source_type: 'file',
        file: '/var/log/a',
      },
    ],
    [
      "Fluent Bit's nginx parser",
      {
        '@timestamp': AT / 1000,
        remote: '203.0.113.24',
        host: '-',
        user: 'acme',
        method: 'GET',
        path: '/v1/orders/48213',
        code: '200',
        size: '1893',
        referer: '-',
        agent: 'acme-sdk/2.4.1',
      },
    ],
  ])('%s', (_label, record) => {
    expect(eventOf(record)).toMatchObject(want);
  });

  test('ECS counts durations in nanoseconds', () => {
    const record = { '@timestamp': '2025-12-30T09:34:00Z', event: { duration: 46000000 }, http: { response: { status_code: 200 } }, url: { path: '/' } };
    expect(eventOf(record)).toMatchObject({ latencyUs: 46_000 });
  });

  test('APISIX shows its key in the headers of the request', () => {
    const record = {
      request: { method: 'GET', uri: '/v1/orders', headers: { apikey: 'demo-key', 'user-agent': 'sdk/1' }, size: 398 },
      response: { status: 200, size: 1893 },
      client_ip: '203.0.113.24',
      start_time: AT,
      latency: 46.2,
    };
    expect(eventOf(record)).toMatchObject({ at: AT, status: 200, bytesOut: 1893, agent: 'sdk/1', owner: expect.stringMatching(/^key:kf1_/) as string });
  });

  test('a time that cannot be read does not replace that of the shipper', () => {
    expect(eventOf({ '@timestamp': '2025-12-30T09:34:00Z', date: '2025.12.30', status: 200, method: 'GET' })).toMatchObject({ at: AT });
  });

  test('fields said by the operator win', () => {
    const line = Buffer.from(`${JSON.stringify({ '@timestamp': READ_AT, json: flat, other: { code: 204 } })}\n`);
    const found = detectFormat(new Uint8Array(line), { map: { fields: { status: 'other.code', time: '@timestamp' } } });
    expect(found.format?.descriptor).toMatch(/"status":"other.code"/);
    expect(found.format?.descriptor).toMatch(/"time":"@timestamp"/);
  });
});
