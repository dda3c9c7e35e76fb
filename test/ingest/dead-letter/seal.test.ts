import { createDecipheriv, createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Secret } from '../../../core/secret.ts';
import { Sealer } from '../../../ingest/dead-letter/seal.ts';

const PEPPER = Buffer.alloc(32, 7);
const pepperOf = (bytes: Uint8Array): Secret => new Secret(Buffer.from(bytes).toString('base64'));
const sealer = new Sealer(pepperOf(PEPPER));

test('what was sealed comes back byte for byte, also in another process with the same pepper', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
      const text = sealer.seal(bytes);
      expect(text).toMatch(/^kws1\.[A-Za-z0-9_-]+$/);
      expect(new Sealer(pepperOf(PEPPER)).open(text)).toEqual(bytes);
    }),
    { numRuns: 200 },
  );
});

test('the same record is never sealed to the same text, and the text does not show the record', () => {
  const record = Buffer.from('{"api_key":"demo-key-0001-not-real"}');
  const texts = new Set(Array.from({ length: 500 }, () => sealer.seal(record)));
  expect(texts.size).toBe(500);
  for (const text of texts) expect(Buffer.from(text.slice(5), 'base64url').includes('demo-key')).toBe(false);
});

test('a changed, cut or foreign text is not opened, and nothing throws', () => {
  const text = sealer.seal(Buffer.from('record'));
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.constantFrom('A', 'b', '-', '.', 'k'), (at, char) => {
      const changed = text.slice(0, at) + char + text.slice(at + 1);
      const opened = sealer.open(changed);
      // The last character of base64url has bits that mean nothing.
      if (changed !== text && at < text.length - 1) expect(opened).toBeUndefined();
    }),
  );
  for (let length = 0; length < text.length - 1; length++) expect(sealer.open(text.slice(0, length))).toBeUndefined();
  fc.assert(fc.property(fc.string(), (other) => sealer.open(`kws1.${other}`) === undefined));
  expect(new Sealer(pepperOf(Buffer.alloc(32, 8))).open(text)).toBeUndefined();
});

test('it is AES-256-GCM under a key of HKDF-SHA256, so that any tool can open it', () => {
  const body = Buffer.from(sealer.seal(Buffer.from('a record')).slice(5), 'base64url');
  // RFC 5869 by hand: extract with a salt of zeros, expand one block.
  const extracted = createHmac('sha256', Buffer.alloc(32)).update(PEPPER).digest();
  const key = createHmac('sha256', extracted)
    .update('keywatch dead letter v1')
    .update(Buffer.from([1]))
    .digest();
  const decipher = createDecipheriv('aes-256-gcm', key, body.subarray(0, 12));
  decipher.setAAD(Buffer.from('kws1.'));
  decipher.setAuthTag(body.subarray(-16));
  expect(decipher.update(body.subarray(12, -16)).toString() + decipher.final().toString()).toBe('a record');
});

test('a pepper that is too short is refused without being shown', () => {
  expect(() => new Sealer(new Secret('c2hvcnQ='))).toThrow(/shorter than 16 bytes/);
});
