import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type EnvelopeName, envelopeFormat } from '../../../ingest/envelope/envelope.ts';
import { detectFormat, formatOf } from '../../../ingest/parse/detect.ts';
import type { Format } from '../../../ingest/parse/format.ts';
import { FINE, type Normaliser, type Verdict, reasonOf } from '../../../ingest/parse/normaliser.ts';
import { EventCells, Tokens } from '../../../ingest/parse/tokens.ts';
import { testNormaliser } from '../../support/ingest.ts';
import { WRAPPERS } from './wrappers.ts';

const FIXTURES = new URL('../../fixtures/envelopes/', import.meta.url);
const BARE = ['bare-combined.log', 'bare-json.log'] as const;

function linesOf(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let from = 0; from < bytes.length;) {
    const to = bytes.indexOf(10, from);
    lines.push(bytes.slice(from, to + 1));
    from = to + 1;
  }
  return lines;
}

const fixture = (name: string): Uint8Array[] => linesOf(readFileSync(new URL(name, FIXTURES)));
const bytesOf = (line: string): Uint8Array => new Uint8Array(Buffer.from(line));

function formatFor(lines: readonly Uint8Array[], envelope?: string): Format {
  const found = detectFormat(new Uint8Array(Buffer.concat(lines)), { envelope });
  if (found.format === undefined) throw new Error(found.why);
  return found.format;
}

/** Everything that an event says, with texts instead of numbers. */
function describeEvent(cells: EventCells, normaliser: Normaliser, code: Verdict): unknown {
  if (code !== FINE) return { code };
  const { owner, alias, address, agent, route, ...others } = cells;
  return {
    ...others,
    owner: normaliser.owners.ids[owner],
    alias: alias < 0 ? undefined : normaliser.owners.ids[alias],
    address: normaliser.addresses.texts[address],
    agent: normaliser.agents.texts[agent],
    route: normaliser.routes.terms.texts[route],
  };
}

const normaliser = testNormaliser();

function parsed(format: Format, line: Uint8Array): unknown {
  const tokens = new Tokens();
  const cells = new EventCells();
  let code = format.parse(tokens, line, 0, line.length - 1);
  if (code === FINE) code = normaliser.normalise(tokens, cells, format.latencyToUs);
  return describeEvent(cells, normaliser, code);
}

/** Undefined when the fast way gives up. The line lies between others, as it does in a block. */
function scanned(format: Format, line: Uint8Array): unknown {
  const tokens = new Tokens();
  const cells = new EventCells();
  const block = new Uint8Array(Buffer.concat([Buffer.from('{"before":1}\n'), line, Buffer.from('{"message":"behind"}\n')]));
  const end = format.scan(tokens, block, 13, block.length);
  if (end < 0) return undefined;
  expect(end).toBe(13 + line.length - 1);
  return describeEvent(cells, normaliser, normaliser.normalise(tokens, cells, format.latencyToUs));
}

/** As the pipeline reads: fast, else correct. */
function read(format: Format, line: Uint8Array): unknown {
  return scanned(format, line) ?? parsed(format, line);
}

describe('an envelope is found by itself, and the events are those of the bare log', () => {
  test.each(Object.keys(WRAPPERS).flatMap((label) => BARE.map((bare) => [label, bare] as const)))('%s around %s', (label, bare) => {
    const { name, wrap } = WRAPPERS[label] as (typeof WRAPPERS)[string];
    const lines = fixture(bare).filter((line) => line.every((byte) => byte < 128));
    const inner = formatFor(lines);
    const wrapped = lines.map((line) => bytesOf(`${wrap(Buffer.from(line.subarray(0, -1)).toString())}\n`));
    const format = formatFor(wrapped);
    expect(format.descriptor).toBe(`envelope:${name}+${inner.descriptor}`);
    expect(wrapped.map((line) => read(format, line))).toEqual(lines.map((line) => read(inner, line)));
    expect(wrapped.filter((line) => parsed(format, line) === undefined)).toEqual([]);
    expect(wrapped.map((line) => scanned(format, line) ?? parsed(format, line))).toEqual(wrapped.map((line) => parsed(format, line)));
  });

  const REAL: readonly (readonly [file: string, name: string, bare: string])[] = [
    ['nginx-syslog-combined.log', 'syslog', 'bare-combined.log'],
    ['nginx-syslog-json.log', 'syslog', 'bare-json.log'],
    ['rsyslog-file-format.log', 'syslog', 'bare-combined.log'],
    ['rsyslog-traditional.log', 'syslog', 'bare-combined.log'],
    ['rsyslog-rfc5424.log', 'syslog', 'bare-combined.log'],
    ['rsyslog-imfile.log', 'logstash', 'bare-combined.log'],
    ['rsyslog-jsonf.log', 'syslog', 'bare-combined.log'],
    ['rsyslog-jsonf-of-json.log', 'syslog', 'bare-json.log'],
    ['syslog-ng-isodate.log', 'syslog', 'bare-combined.log'],
    ['syslog-ng-json.log', 'syslog', 'bare-combined.log'],
    ['syslog-ng-default.log', 'syslog', 'bare-combined.log'],
  ];
  test.each(REAL)('real: %s', (file, name, bare) => {
    const lines = fixture(bare);
    const wrapped = fixture(file);
    expect(wrapped).toHaveLength(lines.length);
    const inner = formatFor(lines);
    const format = formatFor(wrapped);
    expect(format.descriptor).toBe(`envelope:${name}+${inner.descriptor}`);
    expect(wrapped.map((line) => read(format, line))).toEqual(lines.map((line) => read(inner, line)));
  });

  test('two envelopes, one in the other', () => {
    const lines = fixture('bare-combined.log');
    const docker = WRAPPERS['docker']?.wrap;
    const filebeat = WRAPPERS['filebeat']?.wrap;
    if (docker === undefined || filebeat === undefined) throw new Error('no such wrappers');
    const wrapped = lines.map((line) => bytesOf(`${filebeat(docker(Buffer.from(line.subarray(0, -1)).toString()))}\n`));
    const format = formatFor(wrapped);
    expect(format.descriptor).toBe('envelope:filebeat+envelope:docker+combined');
    expect(wrapped.map((line) => read(format, line))).toEqual(lines.map((line) => read(formatFor(lines), line)));
    expect(wrapped.every((line) => scanned(format, line) !== undefined)).toBe(true);
  });

  test('the fast way is the one that is taken', () => {
    for (const label of ['filebeat', 'fluent-bit', 'vector', 'logstash, plain codec', 'docker', 'cri']) {
      const wrap = WRAPPERS[label]?.wrap ?? ((line: string) => line);
      const wrapped = fixture('bare-combined.log').map((line) => bytesOf(`${wrap(Buffer.from(line.subarray(0, -1)).toString())}\n`));
      const format = formatFor(wrapped);
      expect([label, wrapped.filter((line) => scanned(format, line) === undefined).length]).toEqual([label, 0]);
    }
  });
});

describe('what is asked for and what is stored', () => {
  const bare = fixture('bare-combined.log');

  test('a bare log is never taken for a wrapped one', () => {
    for (const name of BARE) expect(formatFor(fixture(name)).descriptor).not.toMatch(/^envelope:/);
    for (const name of ['apache-combined', 'apache-common', 'caddy-json', 'nginx-combined', 'nginx-json-key']) {
      const head = readFileSync(new URL(`../gateways/${name}.log`, FIXTURES));
      expect(detectFormat(new Uint8Array(head)).format?.descriptor).not.toMatch(/^envelope:/);
    }
  });

  test('none leaves the lines as they are, a name asks for that envelope, and another one is refused', () => {
    const wrapped = fixture('rsyslog-jsonf.log');
    expect(formatFor(wrapped, 'fluent-bit').descriptor).toBe('envelope:fluent-bit+combined');
    expect(formatFor(fixture('nginx-syslog-combined.log'), 'none').descriptor).toBe('combined');
    const refused = detectFormat(new Uint8Array(Buffer.concat(bare)), { envelope: 'cri' });
    expect(refused.format === undefined && refused.why).toMatch(/no envelope of cri/);
    const unknown = detectFormat(new Uint8Array(Buffer.concat(bare)), { envelope: 'envelop' });
    expect(unknown.format === undefined && unknown.why).toMatch(/there is no envelope "envelop"/);
  });

  test('a format that was said is looked for inside as well', () => {
    const head = new Uint8Array(Buffer.concat(fixture('rsyslog-file-format.log')));
    expect(detectFormat(head, { format: 'combined' })).toMatchObject({ isGuess: false, format: { descriptor: 'envelope:syslog+combined' } });
  });

  test('a stored descriptor gives the same format again, and a broken one none', () => {
    for (const file of ['rsyslog-jsonf-of-json.log', 'syslog-ng-json.log']) {
      const wrapped = fixture(file);
      const format = formatFor(wrapped);
      const again = formatOf(format.descriptor);
      expect(again?.descriptor).toBe(format.descriptor);
      expect(wrapped.map((line) => again && read(again, line))).toEqual(wrapped.map((line) => read(format, line)));
    }
    for (const broken of ['envelope:', 'envelope:filebeat', 'envelope:filebeat+', 'envelope:none+combined', 'envelope:cri+cri']) {
      expect([broken, formatOf(broken)]).toEqual([broken, undefined]);
    }
  });
});

describe('records that are no envelope', () => {
  const combined = formatOf('combined') as Format;
  const reason = (name: EnvelopeName, line: string): string => {
    const bytes = bytesOf(`${line}\n`);
    return reasonOf(envelopeFormat(name, combined).parse(new Tokens(), bytes, 0, bytes.length - 1));
  };
  test.each<[EnvelopeName, string, string]>([
    ['filebeat', '', 'empty_line'],
    ['filebeat', '{"message":""}', 'empty_line'],
    ['filebeat', '{"message":42}', 'not_this_format'],
    ['filebeat', '{"other":"x"}', 'not_this_format'],
    ['filebeat', '["message"]', 'not_this_format'],
    ['filebeat', '{"message":"hello"}', 'not_this_format'],
    ['filebeat', '{"message":"203.0.113.24 - - [30/Dec/2025:09:34', 'truncated'],
    ['filebeat', '{"message":"a"b}', 'bad_json'],
    ['docker', '{"message":"a"}', 'not_this_format'],
    ['cri', '2025-12-30T09:34:01.002123456Z stdout X line', 'not_this_format'],
    ['cri', '2025-12-30T09:34:01.002123456Z stdout F hello', 'not_this_format'],
    ['syslog', '<999>Dec 30 09:34:00 gw-1 nginx: x', 'not_this_format'],
    ['syslog', '<190>1 2025-12-30T09:34:01Z gw-1 nginx - - [open', 'not_this_format'],
    ['syslog', '<190>1 2025-12-30T09:34:01Z gw-1', 'not_this_format'],
    ['logstash', '2025-12-30T09:34:01.002Z', 'not_this_format'],
  ])('%s: %s is %s', (name, line, expected) => {
    expect(reason(name, line)).toBe(expected);
  });

  test('a head without a tag, or with one that has no colon, is read', () => {
    const line = '203.0.113.24 - - [30/Dec/2025:09:34:00 +0000] "GET /v1/orders HTTP/1.1" 401 12 "-" "curl/8.5.0"';
    const json = formatOf('json:{"fields":{"time":"time","status":"status","address":"ip"}}') as Format;
    const object = '{"time":"2025-12-30T09:34:00Z","status":401,"ip":"203.0.113.24"}';
    for (const head of [
      '<190>Dec 30 09:34:00 gw-1',
      'Dec 30 09:34:00 gw-1',
      '2025-12-30T09:34:00+01:00 gw-1',
      'Dec 30 09:34:00 gw-1 nginx-access',
      'Dec 30 09:34:00 nginx:',
    ]) {
      expect([head, read(envelopeFormat('syslog', combined), bytesOf(`${head} ${line}\n`))]).toMatchObject([head, { status: 401, address: '203.0.113.24' }]);
      expect([head, read(envelopeFormat('syslog', json), bytesOf(`${head} ${object}\n`))]).toMatchObject([head, { status: 401, address: '203.0.113.24' }]);
    }
  });

  test('what is cut in its head takes nothing from the line behind it', () => {
    const behind = '203.0.113.24 - - [30/Dec/2025:09:34:00 +0000] "GET /v1/orders HTTP/1.1" 401 12 "-" "curl/8.5.0"';
    const whole = '<190>1 2025-12-30T09:34:01Z gw-1 nginx 71 access [a b="c\\\\ d"] ';
    for (const [name, head] of [
      ['syslog', whole],
      ['syslog', '<190>Dec 30 09:34:00 gw-1 nginx: '],
      ['cri', '2025-12-30T09:34:01.002123456Z stdout F '],
      ['logstash', '2025-12-30T09:34:01.002Z {name=gw-1} '],
    ] as const) {
      const format = envelopeFormat(name, combined);
      for (let length = 0; length < head.length; length++) {
        const block = bytesOf(`${head.slice(0, length)}\n${behind}\n`);
        expect([length, format.scan(new Tokens(), block, 0, block.length)]).toEqual([length, -1]);
        // The text behind the line feed continues the head as if there were none.
        const spilled = bytesOf(`${head.slice(0, length)}\n${head.slice(length + 1)}${behind}\n`);
        expect([length, format.scan(new Tokens(), spilled, 0, spilled.length)]).toEqual([length, -1]);
      }
    }
  });

  test('the first part of a long CRI line counts for what it shows, and its rest is no second event', () => {
    const format = envelopeFormat('cri', combined);
    const start = '203.0.113.24 - - [30/Dec/2025:09:34:00 +0000] "GET /v1/orders HTTP/1.1" 401 12 "-" "agent that goes';
    const first = bytesOf(`2025-12-30T09:34:01.002123456Z stdout P ${start}\n`);
    const second = bytesOf('2025-12-30T09:34:01.002123457Z stdout F  on and on"\n');
    expect(read(format, first)).toMatchObject({ status: 401, address: '203.0.113.24' });
    expect(read(format, second)).toEqual({ code: expect.any(Number) as number });
  });
});

describe('the fast way and the correct way', () => {
  const names = ['filebeat', 'fluent-bit', 'logstash', 'syslog', 'json', 'docker', 'cri'] as const;
  const formats = names.flatMap((name) =>
    ['combined', 'json:{"fields":{"time":"time","status":"status","address":"ip","target":"path","agent":"ua"}}'].map((inner) =>
      envelopeFormat(name, formatOf(inner) as Format),
    ),
  );
  const agent = fc.oneof(
    fc.constantFrom('curl/8.5.0', 'a\nb', 'a "b" \\ c', '\\x22', '<&>', '\u{e9}', '\t', '\r', '\n', '\0', '\u{1f600}', ''),
    fc.string({ unit: 'binary', maxLength: 8 }),
  );
  const line = fc.oneof(
    agent.map((text) => `203.0.113.24 - - [30/Dec/2025:09:34:00 +0000] "GET /v1/orders/48213?apikey=demo HTTP/1.1" 200 1604 "-" "${text}"`),
    agent.map((text) => JSON.stringify({ time: '2025-12-30T09:34:00Z', status: 200, ip: '203.0.113.24', path: '/v1/orders', ua: text })),
    agent,
  );
  /** JSON strings as different writers spell them. */
  const spell = fc.constantFrom<(text: string) => string>(
    (text) => JSON.stringify(text),
    (text) => JSON.stringify(text).replaceAll('/', '\\/').replaceAll('<', '\\u003c').replaceAll('&', '\\u0026'),
    (text) => JSON.stringify(text).replaceAll(/[\u0080-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`),
    (text) => `"${text}"`,
  );
  const other = fc.oneof(
    fc.json({ maxDepth: 3 }),
    fc.constantFrom(
      '1',
      '-0',
      '01',
      '1.',
      '.5',
      '1e5',
      '1E+',
      'tru',
      'null',
      '[1,]',
      '{"a":1,}',
      '{"a"}',
      '[]',
      '{}',
      '"\\x"',
      '"\\u12g4"',
      '"a\tb"',
      '[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]',
    ),
  );
  const name = fc.constantFrom('message', 'log', 'msg', 'MESSAGE', 'event', 'host', 'mess\\u0061ge', '\u{e9}', '', '__proto__', '@timestamp');
  const member = fc.tuple(
    name,
    fc.constantFrom(':', ' : ', ': ', ''),
    fc.oneof(
      fc.tuple(line, spell).map(([text, write]) => write(text)),
      other,
    ),
  );
  const gap = fc.constantFrom(',', ', ', ' ,', ',,', '');
  const objects = fc
    .tuple(fc.array(fc.tuple(member, gap), { maxLength: 5 }), fc.constantFrom('', ' ', '\r', 'x', '}', ','))
    .map(
      ([members, tail]) =>
        `{${members.map(([[key, colon, value], comma], index) => `"${key}"${colon}${value}${index === members.length - 1 ? '' : comma}`).join('')}}${tail}`,
    );
  /** One odd member beside a good line: only that can be the reason to give up. */
  const good = '203.0.113.24 - - [30/Dec/2025:09:34:00 +0000] "GET /v1/orders HTTP/1.1" 200 1604 "-" "curl/8.5.0"';
  const end = fc.constantFrom(
    '',
    '',
    '',
    '\\u0041',
    '\\u00e9',
    '\\u00g4',
    '\\u004g',
    '\\u00',
    '\\x41',
    '\\',
    '\u00e9',
    '\t',
    '\\n',
    '\\nx',
    '\\u000ax',
    '\\u0000',
    '\\r',
    ' ',
  );
  const tail = fc.constantFrom('', '', '', 'x', '}', ',', ' ', '\r', '\rx', ' x');
  const nearly = fc
    .tuple(
      fc.constantFrom('message', 'log', 'msg'),
      fc.constantFrom('message', 'log', 'msg', 'other'),
      fc.oneof(
        other,
        line.map((text) => JSON.stringify(text)),
        fc.constant('"x"'),
      ),
      fc.boolean(),
      end,
      tail,
    )
    .map(([field, key, value, isBefore, spelled, behind]) => {
      const member = `"${field}":${JSON.stringify(good).slice(0, -1)}${spelled}"`;
      return `{${isBefore ? `"${key}":${value},${member}` : `${member},"${key}":${value}`}}${behind}`;
    });
  const usual = fc.tuple(fc.constantFrom(...Object.values(WRAPPERS)), line).map(([{ wrap }, text]) => wrap(text.replaceAll('\n', ' ')));
  const cut = fc.tuple(usual, fc.nat(400)).map(([text, length]) => text.slice(0, length));
  const raw = fc
    .oneof({ weight: 3, arbitrary: usual }, { weight: 2, arbitrary: objects }, { weight: 3, arbitrary: nearly }, cut, fc.string({ unit: 'binary' }))
    .map((text) => text.replaceAll('\n', ' '));

  test('see the same event, or the fast way gives up; neither throws', () => {
    fc.assert(
      fc.property(raw, fc.constantFrom(...formats), fc.option(fc.tuple(fc.nat(300), fc.nat(255)), { nil: undefined }), (text, format, change) => {
        const bytes = bytesOf(`${text}\n`);
        // A byte of its own anywhere: broken UTF-8, control characters.
        if (change !== undefined && change[0] < bytes.length - 1 && change[1] !== 10) bytes[change[0]] = change[1];
        const slow = parsed(format, bytes);
        const fast = scanned(format, bytes);
        if (fast !== undefined) expect(fast).toEqual(slow);
      }),
      { numRuns: 8000, seed: 20261124 },
    );
  });

  test.each([
    ['a second value of the same name', (line: string) => `{"message":${line},"message":42}`],
    ['a second line of the same name', (line: string) => `{"message":"x","message":${line}}`],
    ['a better field behind', (line: string) => `{"msg":"x","log":${line}}`],
    ['a better field in front', (line: string) => `{"log":${line},"msg":"x"}`],
    ['a better field that is no text', (line: string) => `{"msg":${line},"log":{"a":1}}`],
    ['a line feed in the agent', (line: string) => `{"message":${line.replace('curl', 'curl\\nx')}}`],
  ])('agree on %s', (_label, wrap) => {
    const bytes = bytesOf(`${wrap(JSON.stringify(good))}\n`);
    for (const name of names) {
      const format = envelopeFormat(name, formatOf('combined') as Format);
      const fast = scanned(format, bytes);
      if (fast !== undefined) expect([name, fast]).toEqual([name, parsed(format, bytes)]);
    }
  });

  test('a line between others is read like one that stands alone', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(WRAPPERS)),
        fc.constantFrom(...fixture('bare-combined.log')),
        fc.nat(600),
        ({ wrap, name }, text, length) => {
          const whole = wrap(Buffer.from(text.subarray(0, -1)).toString());
          const bytes = bytesOf(`${whole.slice(0, length)}\n`);
          const format = envelopeFormat(name as EnvelopeName, formatOf('combined') as Format);
          const fast = scanned(format, bytes);
          if (fast !== undefined) expect(fast).toEqual(parsed(format, bytes));
        },
      ),
      { numRuns: 1500, seed: 7 },
    );
  });
});
