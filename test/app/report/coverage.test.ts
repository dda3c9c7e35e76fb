import { describe, expect, test } from 'vitest';
import { blindFor, visibilityOf } from '../../../app/report/coverage.ts';
import { caddyFormat } from '../../../ingest/parse/caddy.ts';
import { combinedFormat } from '../../../ingest/parse/combined.ts';
import { kongFormat } from '../../../ingest/parse/kong.ts';

/** The gap before the colon of each sentence. */
const gaps = (format: string, found: Iterable<string> = []): readonly string[] =>
  blindFor(visibilityOf(format, found)).map((sentence) => sentence.slice(0, sentence.indexOf(':')));

describe('what a format cannot show', () => {
  // By hand from the formats' documentation: notes/gateways.md, tables A2a and A2b.
  test.each([
    ['common', ['no API key field', 'no request size', 'no header sizes', 'no duration', 'no user agent']],
    ['combined', ['no API key field', 'no request size', 'no header sizes', 'no duration']],
    ['kong', []],
    ['caddy', ['no header sizes', 'no malformed requests']],
  ] as const)('%s', (format, want) => expect(gaps(format)).toEqual(want));

  test.each([
    ['nginx-json', ['time', 'address', 'method', 'target', 'status', 'bytesIn', 'bytesOut', 'latency', 'agent', 'secret'], []],
    [
      'json',
      ['time', 'address', 'method', 'target', 'status', 'bytesIn', 'bytesOut', 'bytes.body', 'latency', 'agent', 'credentialId'],
      ['no key on refused requests', 'no header sizes'],
    ],
    ['json', ['time', 'status'], ['no API key field', 'no client address', 'no sizes', 'no duration', 'no path', 'no method', 'no user agent']],
    ['json', ['time', 'address', 'user', 'target', 'method', 'status', 'bytesIn', 'agent', 'latency'], ['no API key field', 'no response size']],
  ] as const)('%s with the fields %j', (format, found, want) => expect(gaps(format, found)).toEqual(want));

  test('a key that was seen in a query closes the gap', () => expect(gaps('combined', ['secret'])).not.toContain('no API key field'));

  test('a format that nobody described shows only what was found in it', () => expect(gaps('unheard-of', ['address', 'target']).length).toBeGreaterThan(4));
});

describe('the sentences', () => {
  test('say what requests are counted by instead of a key', () => {
    expect(blindFor(visibilityOf('combined'))[0]).toBe(
      'no API key field: a key is seen only where a query carries it, other requests are counted per user, else per client (address and user agent)',
    );
    expect(blindFor(visibilityOf('common'))[0]).toContain('counted per user, else per client address');
    expect(blindFor(visibilityOf('json', ['status']))[0]).toBe('no API key field: requests are counted together');
  });

  test('a long request counts in its own minute where the log gives the start', () => {
    expect(blindFor(visibilityOf('json', ['time.start', 'address']))).toContain('no duration: slow answers stay unseen');
    expect(blindFor(visibilityOf('json', ['time.end', 'address']))).toContain(
      'no duration: slow answers stay unseen, and a long request may count in the minute in which it ended',
    );
  });
});

describe('agreement with the parsers', () => {
  test.each([combinedFormat('common'), combinedFormat('combined'), kongFormat(), caddyFormat()])('what $name reads is not called invisible', (format) => {
    const visible = visibilityOf(format.name);
    const names: Readonly<Record<string, string>> = {
      address: 'client',
      target: 'path',
      secret: 'credential',
      credentialId: 'credential',
      authorization: 'credential',
    };
    expect([...format.visible].filter((role) => !['time', 'forwarded', 'query'].includes(role) && !visible.has(names[role] ?? role))).toEqual([]);
    // Naming the same fields again, as the pipeline may, changes nothing.
    expect(blindFor(visibilityOf(format.name, [...format.visible, `bytes.${format.bytesKind}`]))).toEqual(blindFor(visible));
  });
});
