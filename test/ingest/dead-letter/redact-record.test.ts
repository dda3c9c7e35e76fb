import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RENDERED_MAX, redactRecord } from '../../../ingest/dead-letter/redact-record.ts';

const shown = (text: string): string => redactRecord(new Uint8Array(Buffer.from(text)));

describe('what people see of a record', () => {
  test.each<[string, string, string]>([
    [
      'a combined line that was cut',
      '203.0.113.24 - - [30/Dec/2025:09:34:00 +0000] "GET /v1/orders/48213?apikey=demo-key-0001-not-real&expand=items HTT',
      '203.0.113.24 - - [30/Dec/2025:09:34:00 +0000] "GET /v1/***/***?apikey=***&***=*** HTT',
    ],
    [
      'broken JSON',
      '{"time":"2025-12-30T09:34:00+00:00","status":"x200","bytes_sent":1893,"api_key":"demo-key-0001","remote_addr":"203.0.113.24","method":"GET",}',
      '{"time":"2025-12-30T09:34:00+00:00","status":"***","bytes_sent":1893,"api_key":***,"remote_addr":"203.0.113.24","method":"GET",}',
    ],
    [
      'a time in a field of that name, and a number elsewhere',
      '{"started_at":1767087240128,"number":1767087240128}',
      '{"started_at":1767087240128,"number":***}',
    ],
    ['headers', 'X-Api-Key: demo key, and more\nAuthorization: Bearer abc\nhost: example', 'X-Api-Key:***\\x0aAuthorization:***\\x0ahost: ***'],
    ['an object in a string', '{"message":"{\\"apikey\\":\\"a\\\\\\"b 12\\",\\"status\\":200}"}', '{"message":"{\\"apikey\\":***,\\"status\\":200}"}'],
    ['a list of keys', '{"headers":{"X-Api-Key":["ab cd"],"Authorization":"x"}}', '{"headers":{"X-Api-Key":***],"Authorization":***}}'],
    ['names in camel case', '{"requestContentLength":0,"clientIp":"10.0.0.1"}', '{"requestContentLength":0,"clientIp":"10.0.0.1"}'],
    ['control and bidi characters', 'a\u001b[31m\u202eb\0\tc', 'a\\x1b[***\\u{202e}***\\x00\\x09c'],
  ])('%s', (_label, record, expected) => {
    expect(shown(record)).toBe(expected);
  });

  test('it stays on one line, is not too long, and shows no control character, whatever the record', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1500 }), (bytes) => {
        const text = redactRecord(bytes);
        expect(text.length).toBeLessThanOrEqual(RENDERED_MAX);
        expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        expect(text.isWellFormed()).toBe(true);
      }),
      { numRuns: 500 },
    );
    const long = shown('GET '.repeat(100_000));
    expect([long.length, long.endsWith('…')]).toEqual([RENDERED_MAX, true]);
    expect(shown('"'.repeat(400_000)).length).toBe(RENDERED_MAX);
  });
});

describe('a planted secret never survives', () => {
  const chars = (text: string, min: number, max: number): fc.Arbitrary<string> =>
    fc.string({ unit: fc.constantFrom(...text.split('')), minLength: min, maxLength: max });
  const LOWER = 'abcdefghijklmnopqrstuvwxyz';
  const ALNUM = `${LOWER}${LOWER.toUpperCase()}0123456789`;
  const secrets = fc
    .oneof(
      chars(ALNUM, 8, 40),
      chars(LOWER, 8, 40),
      chars('0123456789', 8, 40),
      chars('0123456789abcdef', 8, 64),
      chars(`${ALNUM}-_`, 8, 40),
      chars(`${ALNUM}+/`, 8, 40).map((text) => `${text}==`),
      chars(`${ALNUM}.~!@#$^*|'%-`, 8, 40),
      chars(ALNUM, 8, 32).map((text) => `sk_live_${text}`),
      fc.uuid(),
      fc.tuple(chars(ALNUM, 10, 20), chars(ALNUM, 10, 20), chars(ALNUM, 10, 20)).map((parts) => `eyJ${parts.join('.')}`),
      fc.string({ unit: fc.constantFrom('ä', 'é', 'ж', '鍵', 'x', '1'), minLength: 8, maxLength: 16 }),
    )
    // A number that is a time, in a field of times, is shown as one.
    .filter((text) => !/^(?:\d{10}|\d{13}|\d{16}|\d{19})(?:\.\d+)?$/.test(text));
  const templates: readonly ((secret: string) => string)[] = [
    (s) => s,
    (s) => `{"message":"hello ${s}"}`,
    (s) => `{"${s}":1}`,
    (s) => `{"api_key":"${s}"`,
    (s) => `{"note":"${s}","status":200}`,
    (s) => `{"a":{"b":["x","${s}"]}}`,
    (s) => `{"log":"{\\"token\\":\\"${s}\\"}"}`,
    (s) => `{"ts":"${s}"}`,
    (s) => `{"time":${s}`,
    (s) => `203.0.113.24 - ${s} [30/Dec/2025:09:34:00 +0000] "GET /v1/orders HTTP/1.1" 200 12`,
    (s) => `203.0.113.24 - - [30/Dec/2025:09:34:00 +0000] "GET /v1/orders?apikey=${s}&b=1 HTTP/1.1" 200 12`,
    (s) => `203.0.113.24 - - [30/Dec/2025:09:34:00 +0000] "GET /v1/${s}/orders HTTP/1.1" 200 12 "-" "sdk ${s}"`,
    (s) => `GET /?${s}`,
    (s) => `GET /?${s}=1`,
    (s) => `GET /?x=${s}#${s}`,
    (s) => `https://user:${s}@example.test/`,
    (s) => `Authorization: Bearer ${s}\r\nHost: a`,
    (s) => `Cookie: a=b; session=${s}; c=d`,
    (s) => `key='${s}'`,
    (s) => `key = ${s}`,
    (s) => `level=info msg="done" secret=${s} status=200`,
    (s) => `x${s}y`,
    (s) => `time${s}`,
    (s) => `2025-12-30T09:34:00Z${s}`,
    (s) => `2025-12-30T09:34:00.${s}`,
    (s) => `2025-12-30T09:34:00+${s}`,
    (s) => `2025-12-30T09:34:${s}`,
    (s) => `30/Dec/2025:09:34:00 +${s}`,
    (s) => `10.0.0.1.${s}`,
    (s) => `<190>Dec 30 09:34:00 gw ${s}: ${s}`,
    (s) => `(${s})[${s}]<${s}>,${s};${s}`,
    (s) => `\u0000\u0001${s}\u0000`,
    (s) => JSON.stringify({ headers: { 'X-Custom': [s], authorization: s } }),
    (s) => JSON.stringify(JSON.stringify({ deep: s })).replaceAll('/', '\\/'),
    (s) => `${'GET '.repeat(120)}${s} ${s} ${s}`,
    (s) => `${'"'.repeat(500)}${s}`,
  ];

  test('in any position of any kind of record', () => {
    fc.assert(
      fc.property(secrets, fc.constantFrom(...templates), (secret, template) => {
        const text = shown(template(secret));
        expect(text).not.toContain(secret);
        // Nor its larger half, with or without the slashes that JSON writers escape.
        const half = secret.slice(0, Math.ceil(secret.length / 2));
        const rest = secret.slice(Math.floor(secret.length / 2));
        if (/^[\p{L}\p{N}]{8,}$/u.test(half)) expect(text).not.toContain(half);
        if (/^[\p{L}\p{N}]{8,}$/u.test(rest)) expect(text).not.toContain(rest);
      }),
      { numRuns: 20_000, seed: 24 },
    );
  });

  test('anywhere in arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), secrets, fc.uint8Array({ maxLength: 200 }), (before, secret, after) => {
        expect(redactRecord(new Uint8Array(Buffer.concat([before, Buffer.from(secret), after])))).not.toContain(secret);
      }),
      { numRuns: 3000, seed: 25 },
    );
  });

  test('also not the part of one at the place where reading stops', () => {
    for (let length = 8150; length <= 8200; length++) {
      const text = shown(`"api_key":"${'k'.repeat(length)}`);
      expect(text.startsWith('"api_key":***')).toBe(true);
    }
  });
});
