import { connect } from 'node:net';
import { deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { serveEvents } from '../../../app/http/events.ts';
import { formatGate } from '../../../app/http/format-gate.ts';
import { systemClock } from '../../../core/clock.ts';
import { TOKEN, TOKENS, intake, send } from './support.ts';

const NDJSON = '{"a":1}\n{"a":2}\n';
const refused = (text: RegExp) => ({ error: expect.stringMatching(text) as string, fix: expect.stringMatching(/\S/) as string });

describe('what is accepted', () => {
  test('lines, an array, one object and packed bodies become one line per event, on the disk before the answer', async () => {
    await using events = await intake();
    const bodies: [string, string | Uint8Array, Record<string, string>, string[]][] = [
      ['NDJSON', NDJSON, { 'content-type': 'application/x-ndjson' }, ['{"a":1}', '{"a":2}']],
      ['NDJSON without a last line feed, with blank lines', '\n{"a":1}\r\n\n  \n{"a":2}', {}, ['{"a":1}\r', '{"a":2}']],
      [
        'an array',
        '[{"a":1,"n":1767087240128000001},\n {"b":[1,\n2],"c":"x\\"],y"} ]',
        { 'content-type': 'application/json' },
        ['{"a":1,"n":1767087240128000001}', '{"b":[1, 2],"c":"x\\"],y"}'],
      ],
      ['one object', '{\r\n  "a": {"b": 1}\r\n}\n', { 'content-type': 'application/json; charset=utf-8' }, ['{    "a": {"b": 1}  }']],
      ['objects without line feeds', '{"a":1}{"a":2}', {}, ['{"a":1}', '{"a":2}']],
      [
        'log lines',
        '1.2.3.4 - - [x] "GET / HTTP/1.1" 200 1 "-" "-"\nnext\n',
        { 'content-type': 'text/plain' },
        ['1.2.3.4 - - [x] "GET / HTTP/1.1" 200 1 "-" "-"', 'next'],
      ],
      ['log lines that begin with a bracket', '[2025-12-30T09:34:00Z] "GET /" 200\n', {}, ['[2025-12-30T09:34:00Z] "GET /" 200']],
      ['what curl -d says it is', NDJSON, { 'content-type': 'application/x-www-form-urlencoded' }, ['{"a":1}', '{"a":2}']],
      ['gzip', gzipSync(NDJSON), { 'content-encoding': 'gzip' }, ['{"a":1}', '{"a":2}']],
      ['gzip in two members', Buffer.concat([gzipSync('{"a":1}\n'), gzipSync('{"a":2}\n')]), { 'content-encoding': 'GZIP' }, ['{"a":1}', '{"a":2}']],
      ['gzip that does not say so', gzipSync(NDJSON), {}, ['{"a":1}', '{"a":2}']],
      ['deflate', deflateSync(NDJSON), { 'content-encoding': 'deflate' }, ['{"a":1}', '{"a":2}']],
      ['deflate without its wrapping', deflateRawSync(NDJSON), { 'content-encoding': 'deflate' }, ['{"a":1}', '{"a":2}']],
      ['zstd', zstdCompressSync(NDJSON), { 'content-encoding': 'zstd' }, ['{"a":1}', '{"a":2}']],
      [
        'zstd in two frames',
        Buffer.concat([zstdCompressSync('{"a":1}\n'), zstdCompressSync('{"a":2}\n')]),
        { 'content-encoding': 'zstd' },
        ['{"a":1}', '{"a":2}'],
      ],
    ];
    const want: string[] = [];
    for (const [name, body, headers, lines] of bodies) {
      const answer = await events.post(body, headers);
      expect([name, answer.status, answer.json]).toEqual([name, 202, { accepted: lines.length, id: expect.stringMatching(/^ev_/) as string }]);
      want.push(...lines);
    }
    expect(await events.lines()).toEqual(want);
    expect(events.server.stats()).toMatchObject({ accepted: want.length, duplicates: 0, bodyBytes: 0 });
    expect(events.server.stats().requests).toEqual(new Map([[202, bodies.length]]));
  });

  test('an Idempotency-Key is counted once, for its own sender only', async () => {
    await using events = await intake({ tokens: [...TOKENS, { name: 'twin', sha256: (await import('node:crypto')).hash('sha256', 'twin', 'hex') }] });
    const key = { 'idempotency-key': '0b6f9b0e-1' };
    const answers = await Promise.all([
      events.post(NDJSON, key),
      events.post(NDJSON, key),
      events.post(gzipSync(NDJSON), { ...key, 'content-encoding': 'gzip' }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
    expect(answers.filter(({ json }) => (json as { duplicate?: boolean }).duplicate === true)).toHaveLength(2);
    expect(new Set(answers.map(({ json }) => (json as { id: string }).id)).size).toBe(1);
    expect(await events.post('{"other":1}\n', key)).toMatchObject({ status: 422, json: refused(/used for other events/) });
    expect(await events.post(NDJSON, { ...key, authorization: 'Bearer twin' })).toMatchObject({ status: 202, json: { accepted: 2 } });
    expect(await events.post(NDJSON, { 'idempotency-key': 'x'.repeat(256) })).toMatchObject({ status: 400, json: refused(/Idempotency-Key is not valid/) });
    expect(await events.lines()).toHaveLength(4);
    expect(events.server.stats()).toMatchObject({ accepted: 4, duplicates: 2 });
  });

  test('1,000 small requests at once are all accepted, each exactly once', async () => {
    await using events = await intake();
    const answers = await Promise.all(Array.from({ length: 1000 }, (_, i) => events.post(`{"n":${i}}`)));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1000);
    expect(new Set(answers.map(({ json }) => (json as { id: string }).id)).size).toBe(1000);
    const lines = await events.lines();
    expect([...lines].sort()).toEqual(Array.from({ length: 1000 }, (_, i) => `{"n":${i}}`).sort());
  });
});

describe('who is let in', () => {
  test('without a valid token nothing is read, and nobody learns which part was wrong', async () => {
    await using events = await intake();
    const answers = [
      await send(events.url, { body: NDJSON }),
      ...(await Promise.all(
        ['Bearer wrong', `Bearer ${TOKEN}x`, `Basic ${TOKEN}`, TOKEN, 'Bearer ', `Bearer ${TOKENS[1]?.sha256 ?? ''}`].map((authorization) =>
          send(events.url, { body: NDJSON, headers: { authorization } }),
        ),
      )),
    ];
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 401, json: refused(/valid token is needed/), headers: { 'www-authenticate': 'Bearer realm="keywatch"' } });
      expect(answer.text).toBe(answers[0]?.text);
    }
    expect(await events.lines()).toEqual([]);
    expect(await events.post(NDJSON, { authorization: `bearer  ${TOKEN}` })).toMatchObject({ status: 202 });
  });

  test('an address that others reach is not opened without a token', async () => {
    await using events = await intake();
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'keywatch.example']) {
      const opened = serveEvents(
        { listen: { host, port: 0 }, tokens: [], maxBody: 1000, maxEvents: 10, maxRate: null },
        { spool: events.writer, clock: systemClock, onProblem: () => undefined },
      );
      await expect(opened).rejects.toThrow(/can be reached by others and no token is set: make one with keywatch token/);
    }
  });

  test('on loopback without tokens programs may send, web pages may not', async () => {
    await using events = await intake({ tokens: [] }, { token: undefined });
    expect(await events.post(NDJSON)).toMatchObject({ status: 202 });
    for (const headers of [{ origin: 'https://evil.example' }, { host: 'rebound.example:9421' }, { 'sec-fetch-site': 'cross-site' }] as Record<
      string,
      string
    >[]) {
      expect(await events.post(NDJSON, headers)).toMatchObject({ status: 403, json: refused(/programs on this machine only/) });
    }
    expect(await events.lines()).toHaveLength(2);
  });

  test('neither a token nor a body nor a query is in the log of requests or in an answer', async () => {
    await using events = await intake();
    await events.post('not text \x00\x00\x01\x02 sk_live_body');
    await send(`${events.url}?token=${TOKEN}`, { body: '{"a":1}', headers: { authorization: `Bearer ${TOKEN}` } });
    const answer = await send(events.url, { body: NDJSON, headers: { authorization: 'Bearer sk_live_wrong' } });
    const said = JSON.stringify([events.log, events.problems, answer.text]);
    expect(said).not.toMatch(/sk_live|kwt_|not-a-real/);
    expect(events.log.map(({ method, path, status, sender, events: count }) => [method, path, status, sender, count])).toEqual([
      ['POST', '/v1/events', 400, 'edge', undefined],
      ['POST', '/v1/events', 202, 'edge', 1],
      ['POST', '/v1/events', 401, undefined, undefined],
    ]);
  });
});

describe('what is refused as a whole', () => {
  test('too many bytes, packed or not, too many events, and a bomb are 413; nothing of them is kept', async () => {
    await using events = await intake({ maxBody: 10_000, maxEvents: 10 });
    const large = 'x'.repeat(10_001);
    const bomb = Buffer.alloc(200_000_000, 'a');
    for (const [body, headers] of [
      [large, {}],
      [large, { 'transfer-encoding': 'chunked' }],
      [gzipSync(bomb).subarray(0, 9000), { 'content-encoding': 'gzip' }],
      [zstdCompressSync(bomb), { 'content-encoding': 'zstd' }],
      [deflateSync('x'.repeat(10_001)), { 'content-encoding': 'deflate' }],
      [Buffer.concat([zstdCompressSync('x'.repeat(6000)), zstdCompressSync('x'.repeat(6000))]), { 'content-encoding': 'zstd' }],
    ] as [string | Buffer, Record<string, string>][]) {
      expect(await events.post(body, headers)).toMatchObject({ status: 413, json: refused(/larger than 10000 bytes/) });
    }
    for (const body of ['{}\n'.repeat(11), `[${'{},'.repeat(10)}{}]`, '{}'.repeat(11)]) {
      expect(await events.post(body)).toMatchObject({ status: 413, json: refused(/more than 10 events/) });
    }
    expect(await events.post(`[${'{},'.repeat(9)}{}]`)).toMatchObject({ status: 202, json: { accepted: 10 } });
    expect(await events.lines()).toHaveLength(10);
    expect(events.server.stats().bodyBytes).toBe(0);
  });

  test('what cannot be read is 400 or 415, with what is wrong and where', async () => {
    await using events = await intake();
    const json = { 'content-type': 'application/json' };
    const cases: [string | Uint8Array, Record<string, string>, number, RegExp][] = [
      ['', {}, 400, /holds no event/],
      ['\n \n', {}, 400, /holds no event/],
      ['[]', json, 400, /holds no event/],
      ['[{"a":1},]', json, 400, /a value is missing, at byte 9/],
      ['[{"a":1} {"a":2}]', json, 400, /expected a comma or the end of the array, at byte 9/],
      ['[{"a":1}', json, 400, /the array does not end: the body is cut, at byte 8/],
      ['[{"a":1}] x', json, 400, /something follows the end of the array, at byte 10/],
      ['{"a":', json, 400, /does not end: the body is cut, at byte 0/],
      ['\x7fELF\x01\x02\0\0\0', {}, 400, /not a text file/],
      [gzipSync(NDJSON).subarray(0, 20), { 'content-encoding': 'gzip' }, 400, /cut or is not gzip/],
      [NDJSON, { 'content-encoding': 'gzip' }, 400, /cut or is not gzip/],
      [NDJSON, { 'content-encoding': 'deflate' }, 400, /cut or is not deflate/],
      [zstdCompressSync(NDJSON).subarray(0, 15), { 'content-encoding': 'zstd' }, 400, /cut or is not zstd/],
      [Buffer.concat([deflateSync(NDJSON), Buffer.from('more')]), { 'content-encoding': 'deflate' }, 400, /4 bytes follow the end/],
      [NDJSON, { 'content-encoding': 'br' }, 415, /not one that keywatch unpacks/],
      [NDJSON, { 'content-encoding': 'gzip, gzip' }, 415, /not one that keywatch unpacks/],
    ];
    for (const [body, headers, status, error] of cases) {
      const answer = await events.post(body, headers);
      expect([String(body).slice(0, 30), answer.status, answer.json]).toEqual([String(body).slice(0, 30), status, refused(error)]);
      expect(answer.text.endsWith('\n')).toBe(true);
    }
    expect(await send(events.url, { method: 'GET' })).toMatchObject({ status: 405, headers: { allow: 'POST' } });
    expect(await send(events.url.replace('/v1/events', '/nowhere'))).toMatchObject({ status: 404, json: refused(/nothing at this address/) });
    expect(await events.lines()).toEqual([]);
    expect(events.problems).toEqual([]);
  });

  test('what no format fits, or another one than the log is in, is refused at the door instead of spoiling the log', async () => {
    const combined = '203.0.113.24 - - [30/Dec/2025:09:34:00 +0000] "GET /v1 HTTP/1.1" 200 16 "-" "curl/8"\n';
    await using events = await intake({}, { deps: { gate: formatGate({ detect: {}, current: () => undefined }) } });
    expect(await events.post('hello\nworld\n')).toMatchObject({ status: 400, json: refused(/no format that Keywatch knows/) });
    expect(await events.post(combined)).toMatchObject({ status: 202 });
    expect(await events.post('{"time":"2025-12-30T09:34:00Z","status":200}\n')).toMatchObject({
      status: 400,
      json: refused(/format json, and what was sent here so far is in format combined/),
    });
    expect(await events.post(combined)).toMatchObject({ status: 202 });
    expect(await events.lines()).toHaveLength(2);
  });
});

describe('more than can be taken', () => {
  test('a full spool is 429 with Retry-After, and an earlier request is still answered as a repeat', async () => {
    await using events = await intake({}, { spool: { bytesMax: 2000 } });
    const key = { 'idempotency-key': 'first' };
    expect(await events.post(`{"a":"${'x'.repeat(900)}"}`, key)).toMatchObject({ status: 202 });
    const full = await events.post(`{"a":"${'y'.repeat(1500)}"}`);
    expect(full).toMatchObject({ status: 429, json: refused(/the store is slower/), headers: { 'retry-after': '10' } });
    expect(await events.post(`{"a":"${'x'.repeat(900)}"}`, key)).toMatchObject({ status: 202, json: { duplicate: true } });
    expect(await events.lines()).toHaveLength(1);
  });

  test('more events than a token may send are 429 and say when there is room again; others are not held up', async () => {
    await using events = await intake({ maxRate: 1, maxEvents: 20 });
    expect(await events.post('{}\n'.repeat(20))).toMatchObject({ status: 202 });
    const late = await events.post('{}\n'.repeat(10));
    expect(late).toMatchObject({ status: 429, json: refused(/more events than this token may send \(1 a second/) });
    expect(Number(late.headers['retry-after'])).toBeGreaterThan(5);
    expect(await events.post('{}\n'.repeat(20), { authorization: 'Bearer something-else' })).toMatchObject({ status: 202 });
    expect(await events.lines()).toHaveLength(40);
  });

  test('bodies that are held at one time are bounded: who comes on top is told to come again', async () => {
    await using events = await intake({ bodiesBytesMax: 50_000 });
    const first = connect(events.server.address.port, '127.0.0.1');
    first.write(head(60_000));
    first.write(Buffer.alloc(45_000, 'x'));
    await until(() => events.server.stats().bodyBytes === 45_000);
    const second = await events.post('x'.repeat(10_000));
    expect(second).toMatchObject({ status: 429, json: refused(/being received at once/), headers: { 'retry-after': '1' } });
    first.destroy();
    await until(() => events.server.stats().bodyBytes === 0);
    expect(await events.post('x'.repeat(10_000))).toMatchObject({ status: 202 });
    expect(await events.lines()).toEqual(['x'.repeat(10_000)]);
  });
});

describe('slow senders, and the end', () => {
  test('a body that does not arrive in time is given up with 408 and nothing of it is kept', async () => {
    await using events = await intake({ requestMs: 100, checkMs: 20 });
    const answer = await raw(events.server.address.port, `${head(100)}{"a":1}\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n[\s\S]*"error":"the request did not arrive in time"/);
    expect(await raw(events.server.address.port, 'nonsense\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*not a valid HTTP request/);
    await until(() => events.server.stats().bodyBytes === 0);
    expect(await events.lines()).toEqual([]);
  });

  test('a request under way when the end comes is finished and answered; none is taken after it', async () => {
    await using events = await intake();
    const socket = connect(events.server.address.port, '127.0.0.1');
    const text = new Promise<string>((resolve) => {
      const chunks: Buffer[] = [];
      socket.on('data', (chunk) => chunks.push(chunk)).on('close', () => resolve(Buffer.concat(chunks).toString()));
    });
    socket.write(`${head(16)}{"a":1}\n`);
    await until(() => events.server.stats().bodyBytes === 8);
    const closed = events.server[Symbol.asyncDispose]();
    await expect(events.post(NDJSON)).rejects.toThrow(/ECONNREFUSED|socket hang up|ECONNRESET/);
    socket.write('{"a":2}\n');
    expect(await text).toMatch(/^HTTP\/1\.1 202 Accepted\r\n[\s\S]*connection: close[\s\S]*"accepted":2/i);
    await closed;
    await events.server[Symbol.asyncDispose]();
    expect(await events.lines()).toEqual(['{"a":1}', '{"a":2}']);
  });

  test('who does not finish within the grace is cut off', async () => {
    await using events = await intake({ graceMs: 50 });
    const socket = connect(events.server.address.port, '127.0.0.1');
    const closed = new Promise((resolve) => socket.on('close', resolve).on('error', () => undefined));
    socket.write(`${head(100)}{"a":1}\n`);
    await until(() => events.server.stats().bodyBytes === 8);
    await events.server[Symbol.asyncDispose]();
    await closed;
    expect(await events.lines()).toEqual([]);
  });

  test('a port that is taken is said in one line, with the setting', async () => {
    await using events = await intake();
    const { port } = events.server.address;
    const second = serveEvents(
      { listen: { host: '127.0.0.1', port }, tokens: [], maxBody: 1000, maxEvents: 10, maxRate: null },
      { spool: events.writer, clock: systemClock, onProblem: () => undefined },
    );
    await expect(second).rejects.toThrow(
      `cannot listen on 127.0.0.1:${port}: another process listens there already; stop it or choose another port (http.listen)`,
    );
  });
});

function head(length: number): string {
  return `POST /v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${TOKEN}\r\ncontent-length: ${length}\r\n\r\n`;
}

/** What comes back until the server closes. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1');
    socket
      .on('data', (chunk) => chunks.push(chunk))
      .on('error', reject)
      .on('close', () => resolve(Buffer.concat(chunks).toString()));
    socket.write(text);
  });
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}
