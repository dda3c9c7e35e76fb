import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonFormat } from '../../../ingest/parse/json.ts';
import { FINE, type Verdict, type Normaliser } from '../../../ingest/parse/normaliser.ts';
import { EventCells, Tokens } from '../../../ingest/parse/tokens.ts';
import { testNormaliser } from '../../support/ingest.ts';

const FIELDS = {
  time: 'ts',
  address: 'ip',
  forwarded: 'xff',
  method: 'method',
  target: 'path',
  status: 'status',
  bytesIn: 'in',
  bytesOut: 'out',
  latency: 'ms',
  agent: 'ua',
  secret: 'key',
  user: 'user',
} as const;

/** Everything that an event says, with texts instead of numbers. */
function describeEvent(cells: EventCells, normaliser: Normaliser, code: Verdict): unknown {
  if (code !== FINE) return { code };
  const { owner, alias, address, agent, route, ...numbers } = cells;
  return {
    ...numbers,
    owner: normaliser.owners.ids[owner],
    alias: alias < 0 ? undefined : normaliser.owners.ids[alias],
    address: normaliser.addresses.texts[address],
    agent: normaliser.agents.texts[agent],
    route: normaliser.routes.terms.texts[route],
  };
}

const formats = { fast: jsonFormat({ fields: FIELDS, latencyUnit: 'ms' }), slow: jsonFormat({ fields: FIELDS, latencyUnit: 'ms' }) };
const normalisers = { fast: testNormaliser(), slow: testNormaliser() };

/** What the fast way makes of a line, or undefined when it gives up; and what the correct way makes of it. */
function bothWays(line: Uint8Array): { fast: unknown; slow: unknown } {
  const bytes = Buffer.concat([line, Buffer.from('\n')]);
  const buf = new Uint8Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  const tokens = new Tokens();
  const end = formats.fast.scan(tokens, buf, 0, buf.length);
  let fast: unknown;
  if (end >= 0) {
    expect(end).toBe(buf.length - 1);
    const cells = new EventCells();
    fast = describeEvent(cells, normalisers.fast, normalisers.fast.normalise(tokens, cells, formats.fast.latencyToUs));
  }
  const slowTokens = new Tokens();
  const slowCells = new EventCells();
  let code = formats.slow.parse(slowTokens, buf, 0, buf.length - 1);
  if (code === FINE) code = normalisers.slow.normalise(slowTokens, slowCells, formats.slow.latencyToUs);
  return { fast, slow: describeEvent(slowCells, normalisers.slow, code) };
}

const names = fc.constantFrom(...Object.values(FIELDS), 'extra', 'ts ', 'KEY', 'päth', '__proto__');
const plainText = fc.constantFrom(
  'GET',
  '/v1/orders/48213?api_key=abc&x=1',
  '/v1/a b',
  '203.0.113.9',
  '10.0.0.1',
  '198.51.100.7, 10.0.0.2',
  'curl/8.5.0',
  '2026-11-23T21:20:02+00:00',
  '2026-11-23T21:20:02.5Z',
  '200',
  '-',
  '',
  'null',
  'kw_live_0123456789abcdef',
);
const scalars = fc.oneof(
  plainText.map((text) => JSON.stringify(text)),
  fc.string({ unit: 'binary', maxLength: 12 }).map((text) => JSON.stringify(text)),
  fc.string({ maxLength: 12 }).map((text) => `"${text}"`),
  fc.constantFrom(
    '200',
    '404',
    '499',
    '0',
    '-1',
    '999',
    '1e3',
    '1.5E2',
    '012',
    '5.0',
    '-0',
    '.5',
    '1.',
    '1795468802306',
    '1795468802.306',
    '12345678901234567890',
    '0.00000001',
  ),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.integer().map(String),
  fc.constantFrom('true', 'false', 'null', 'tru', '[]', '{}', '["203.0.113.4"]', '{"a":1}'),
);
const separators = fc.constantFrom(',', ', ', ' ,', ',,', '');
const objects = fc
  .array(fc.tuple(names, fc.constantFrom(':', ': ', ' :'), scalars, separators), { maxLength: 12 })
  .map(
    (fields) =>
      `{${fields.map(([name, colon, value, separator], index) => `${JSON.stringify(name)}${colon}${value}${index === fields.length - 1 ? '' : separator}`).join('')}}`,
  );
/** Mostly what a gateway writes, so that the fast way is really taken. */
const usual = fc
  .record({
    ts: fc.constantFrom('1795468802306', '"2026-11-23T21:20:02Z"', '1795468802.306'),
    ip: plainText,
    path: plainText,
    status: fc.constantFrom('200', '"401"', '499', '"-"', '999'),
    out: fc.constantFrom('12', '"-"', '-4', '""'),
    ms: fc.constantFrom('4.25', '0', '"12"', 'null'),
    key: plainText,
    ua: plainText,
    xff: plainText,
  })
  .map(
    (r) => `{"ts":${r.ts},"ip":"${r.ip}","path":"${r.path}","status":${r.status},"out":${r.out},"ms":${r.ms},"key":"${r.key}","ua":"${r.ua}","xff":"${r.xff}"}`,
  );
const mutated = fc.tuple(usual, fc.nat(200), fc.integer({ min: 0, max: 255 })).map(([line, at, byte]) => {
  const bytes = Buffer.from(line);
  bytes[at % bytes.length] = byte === 10 ? 11 : byte;
  return new Uint8Array(bytes);
});
const lines = fc.oneof(
  usual.map((line) => new Uint8Array(Buffer.from(line))),
  objects.map((line) => new Uint8Array(Buffer.from(line.replaceAll('\n', ' ')))),
  mutated,
);

test('the fast scanner and JSON.parse see the same event, or the scanner gives up', () => {
  let taken = 0;
  let all = 0;
  fc.assert(
    fc.property(lines, (line) => {
      const { fast, slow } = bothWays(line);
      all++;
      if (fast === undefined) return;
      taken++;
      expect(fast).toEqual(slow);
    }),
    { numRuns: Number(process.env['KEYWATCH_FUZZ_RUNS'] ?? 20_000) },
  );
  // A scanner that always gives up would pass the comparison.
  expect(taken / all).toBeGreaterThan(0.3);
});

test('the fast way is taken for the lines that gateways write', () => {
  const line =
    '{"ts":1795468802306,"ip":"203.0.113.9","method":"GET","path":"/v1/orders/48213","status":200,"out":838,"ms":97.1,"ua":"acme/2.4","key":"kw_live_0123456789abcdef"}';
  const { fast } = bothWays(new Uint8Array(Buffer.from(line)));
  expect(fast).toMatchObject({
    at: 1_795_468_802_306,
    status: 200,
    bytesOut: 838,
    latencyUs: 97_100,
    address: '203.0.113.9',
    agent: 'acme/2.4',
    route: '/v1/orders/{id}',
  });
});

test('no line makes parsing throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      bothWays(bytes.map((byte) => (byte === 10 ? 32 : byte)));
    }),
    { numRuns: 5_000 },
  );
});
