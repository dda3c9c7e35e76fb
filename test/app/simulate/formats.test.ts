import { describe, expect, test } from 'vitest';
import type { SimulatedEvent } from '../../../app/simulate/event.ts';
import { ByteSink, FORMAT_NAMES, type LineFormat, requestHeadBytes, RESPONSE_HEAD_BYTES } from '../../../app/simulate/format/format.ts';
import { lineFormat } from '../../../app/simulate/format/registry.ts';
import { Population } from '../../../app/simulate/population.ts';
import { Traffic } from '../../../app/simulate/traffic.ts';

const START = Date.UTC(2026, 5, 2, 9, 0, 0);

function events(count: number): SimulatedEvent[] {
  const traffic = new Traffic(new Population({ seed: 11, keys: 30 }), { seed: 11, start: START, eventsPerMinute: 2_000 });
  return Array.from({ length: count }, () => traffic.next()).filter((event) => event !== undefined);
}

function lines(format: LineFormat, given: readonly SimulatedEvent[]): string[] {
  const parts: Buffer[] = [];
  const out = new ByteSink((bytes) => parts.push(Buffer.from(bytes)), 4_096);
  for (const event of given) format.write(event, out);
  out.flush();
  const text = Buffer.concat(parts).toString('utf8');
  expect(Buffer.byteLength(text)).toBe(out.bytes);
  expect(text.endsWith('\n')).toBe(true);
  return text.slice(0, -1).split('\n');
}

/** An event with everything in it that a gateway must escape. */
const odd: SimulatedEvent = {
  at: Date.UTC(2025, 11, 30, 9, 34, 0, 128),
  key: 'demo-key-0001-not-real',
  credentialId: '3c7f0a52-6a0f-4f58-9d1c-8a51c0f4b001',
  consumer: 'acme-mobile',
  address: '203.0.113.24',
  method: 'GET',
  path: '/v1/orders/48213/"x\\y"',
  query: 'expand=items&name=b%20c&flag',
  status: 200,
  bytesIn: 12,
  bytesOut: 1_604,
  durationUs: 46_213,
  agent: 'acme "sdk" v\\2 \u00fc\t\u0001',
  route: '/v1/orders/{id}',
  host: 'api.example.test',
  nonce: 0x9f1c2ab3,
};

describe('line formats', () => {
  test('one event is one line in every format, whatever is in it', () => {
    const given = [odd, ...events(300)];
    for (const name of FORMAT_NAMES) expect(lines(lineFormat(name, { keyParameter: 'api_key' }), given)).toHaveLength(given.length);
  });

  test('ndjson: every field comes back', () => {
    const given = [odd, ...events(300)];
    lines(lineFormat('ndjson'), given).forEach((line, index) => {
      const event = given[index] ?? odd;
      expect(JSON.parse(line)).toEqual({
        ts: event.at,
        key: event.key,
        ip: event.address,
        method: event.method,
        path: event.path,
        status: event.status,
        bytes: event.bytesOut,
        ms: Math.round(event.durationUs / 100) / 10,
        ua: event.agent,
      });
    });
  });

  const COMBINED = /^(\S+) - - \[(\d+)\/(\w+)\/(\d+):(\d+):(\d+):(\d+) \+0000\] "(\S+) (\S+) HTTP\/1\.1" (\d{3}) (\d+|-)(?: "-" "(.*)")?$/;
  const clf = (found: RegExpExecArray): number => Date.parse(`${found[3]} ${found[2]}, ${found[4]} ${found[5]}:${found[6]}:${found[7]} UTC`);

  test('combined: every field comes back; the time is the end of the request in whole seconds', () => {
    const given = events(300);
    lines(lineFormat('combined', { keyParameter: 'api_key' }), given).forEach((line, index) => {
      const event = given[index] ?? odd;
      const found = COMBINED.exec(line);
      if (found === null) throw new Error(`not combined: ${line}`);
      expect(found[1]).toBe(event.address);
      expect(clf(found)).toBe(Math.floor((event.at + event.durationUs / 1000) / 1000) * 1000);
      expect(found[8]).toBe(event.method);
      expect(found[9]).toBe(`${event.path}?${event.query === '' ? '' : `${event.query}&`}api_key=${event.key}`);
      expect(Number(found[10])).toBe(event.status);
      expect(Number(found[11])).toBe(event.bytesOut);
      expect(found[12]).toBe(event.agent);
    });
  });

  test('combined without a key parameter shows no key at all', () => {
    for (const line of lines(lineFormat('combined'), events(300))) expect(line).not.toContain('kw_live_');
  });

  test('combined escapes as NGINX does: quote, backslash, control and high bytes as upper-case hex', () => {
    const [line = ''] = lines(lineFormat('combined'), [odd]);
    expect(line).toContain(String.raw`"GET /v1/orders/48213/\x22x\x5Cy\x22?expand=items&name=b%20c&flag HTTP/1.1"`);
    expect(line).toContain(String.raw`"acme \x22sdk\x22 v\x5C2 \xC3\xBC\x09\x01"`);
  });

  test('common: every field comes back; the time is the start, and no body is a dash', () => {
    const given = events(600);
    lines(lineFormat('common', { keyParameter: 'apikey' }), given).forEach((line, index) => {
      const event = given[index] ?? odd;
      const found = COMBINED.exec(line);
      if (found === null) throw new Error(`not common: ${line}`);
      expect(clf(found)).toBe(Math.floor(event.at / 1000) * 1000);
      expect(found[9]).toBe(`${event.path}?${event.query === '' ? '' : `${event.query}&`}apikey=${event.key}`);
      expect(found[11]).toBe(event.bytesOut === 0 ? '-' : String(event.bytesOut));
      expect(found[12]).toBeUndefined();
    });
    expect(given.some((event) => event.bytesOut === 0)).toBe(true);
  });

  test('common escapes as httpd does: C escapes, lower-case hex', () => {
    const [line = ''] = lines(lineFormat('common'), [{ ...odd, path: '/a"\\\u00fc\n' }]);
    expect(line).toContain(String.raw`"GET /a\"\\\xc3\xbc\n?expand=items&name=b%20c&flag HTTP/1.1"`);
  });

  test('nginx-json: every field comes back as text; seconds where NGINX has seconds', () => {
    const given = [odd, ...events(300)];
    lines(lineFormat('nginx-json'), given).forEach((line, index) => {
      const event = given[index] ?? odd;
      const ended = Math.floor(event.at + event.durationUs / 1000);
      const isAborted = event.status === 499;
      const isRefused = [401, 403, 429].includes(event.status);
      expect(JSON.parse(line)).toEqual({
        time: `${new Date(Math.floor(ended / 1000) * 1000).toISOString().slice(0, 19)}+00:00`,
        msec: (ended / 1000).toFixed(3),
        remote_addr: event.address,
        request_id: expect.stringMatching(/^[0-9a-f]{32}$/),
        method: event.method,
        uri: event.path,
        args: event.query,
        status: String(event.status),
        request_length: String(requestHeadBytes(event) + event.bytesIn),
        bytes_sent: String(isAborted ? 0 : event.bytesOut + RESPONSE_HEAD_BYTES),
        body_bytes_sent: String(event.bytesOut),
        request_time: (event.durationUs / 1e6).toFixed(3),
        upstream_response_time: isRefused ? '-' : (event.durationUs / 1e6).toFixed(3),
        api_key: event.key,
        user_agent: event.agent,
      });
    });
    expect(lines(lineFormat('nginx-json'), [odd])[0]).toContain(String.raw`\t\u0001`);
  });

  test('kong: every field comes back; a key that was not recognised has no credential id', () => {
    const given = [odd, { ...odd, status: 401, credentialId: undefined, consumer: undefined }, ...events(1_000)];
    const written = lines(lineFormat('kong'), given);
    written.forEach((line, index) => {
      const event = given[index] ?? odd;
      const parsed = JSON.parse(line);
      expect(parsed.started_at).toBe(event.at);
      expect(parsed.client_ip).toBe(event.address);
      expect(parsed.request.method).toBe(event.method);
      expect(parsed.request.uri).toBe(event.query === '' ? event.path : `${event.path}?${event.query}`);
      expect(parsed.request.headers.apikey).toBe(event.key);
      expect(parsed.request.headers['user-agent']).toBe(event.agent);
      expect(parsed.request.size).toBe(requestHeadBytes(event) + event.bytesIn);
      expect(parsed.response.status).toBe(event.status);
      expect(parsed.response.size).toBe(event.status === 499 ? 0 : event.bytesOut + RESPONSE_HEAD_BYTES);
      expect(parsed.authenticated_entity?.id).toBe(event.credentialId);
      expect(parsed.consumer?.username).toBe(event.consumer);
      expect(parsed.latencies.request).toBe(Math.max(1, Math.round(event.durationUs / 1000)));
      expect(parsed.latencies.proxy === -1).toBe([401, 403, 429].includes(event.status));
      expect(Object.keys(parsed.request.querystring)).toHaveLength(event.query === '' ? 0 : event.query.split('&').length);
    });
  });

  test('kong writes slashes as lua-cjson does, and decodes arguments', () => {
    const [line = ''] = lines(lineFormat('kong'), [odd]);
    expect(line).toContain(String.raw`"uri":"\/v1\/orders\/48213\/\"x\\y\"?expand=items&name=b%20c&flag"`);
    expect(JSON.parse(line).request.querystring).toEqual({ expand: 'items', name: 'b c', flag: true });
  });

  test('caddy: every field comes back; seconds as numbers, and the time is the end', () => {
    const given = [odd, ...events(300)];
    lines(lineFormat('caddy'), given).forEach((line, index) => {
      const event = given[index] ?? odd;
      const parsed = JSON.parse(line);
      expect(Math.abs(parsed.ts - parsed.duration - event.at / 1000)).toBeLessThan(1e-6);
      expect(parsed.duration).toBe(event.durationUs / 1e6);
      expect(parsed.logger).toBe('http.log.access.log0');
      expect(parsed.request.client_ip).toBe(event.address);
      expect(parsed.request.method).toBe(event.method);
      expect(parsed.request.uri).toBe(event.query === '' ? event.path : `${event.path}?${event.query}`);
      expect(parsed.request.headers['X-Api-Key']).toEqual([event.key]);
      expect(parsed.request.headers['User-Agent']).toEqual([event.agent]);
      expect(parsed.bytes_read).toBe(event.bytesIn);
      expect(parsed.size).toBe(event.bytesOut);
      expect(parsed.status).toBe(event.status);
    });
  });

  test('a line longer than the buffer is written whole', () => {
    const long = { ...odd, path: `/${'p'.repeat(20_000)}` };
    const [line = ''] = lines(lineFormat('ndjson'), [odd, long]).slice(1);
    expect(JSON.parse(line).path).toBe(long.path);
  });
});
