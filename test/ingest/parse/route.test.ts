import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Routes } from '../../../ingest/parse/route.ts';

function templateOf(routes: Routes, target: string): { route: string | undefined; object: readonly [number, number]; path: string } {
  const bytes = new Uint8Array(Buffer.from(target));
  const number = routes.template(bytes, new DataView(bytes.buffer), 0, bytes.length);
  return { route: routes.terms.texts[number], object: [routes.objectHi, routes.objectLo], path: target.slice(0, routes.pathEnd) };
}

describe('a path becomes its route template', () => {
  const cases: readonly (readonly [path: string, route: string])[] = [
    ['/v1/orders/48213', '/v1/orders/{id}'],
    ['/v1/orders/48213/items/7', '/v1/orders/{id}/items/{id}'],
    ['/v1/orders', '/v1/orders'],
    ['/v1/orders/', '/v1/orders/'],
    ['/', '/'],
    ['/v1/invoices/6b8b4544-77b1-4084-ad3a-5fe0a108ff13', '/v1/invoices/{uuid}'],
    ['/blobs/9f86d081884c7d659a2feaa0c55ad015', '/blobs/{hash}'],
    ['/days/2026-11-23', '/days/{date}'],
    ['/users/anna@example.com', '/users/{email}'],
    ['/users/anna%40example.com', '/users/{email}'],
    ['/events/01HZX3Y5ZK8Q2V7W9A4B6C8D0E', '/events/{ulid}'],
    ['/share/kw_live_VbNCcZfyRKxe5wiWXW61Lwjnkfsqf6P4', '/share/{token}'],
    ['/share/dGhpcyBpcyBhIHNlY3JldCB0b2tlbg0', '/share/{token}'],
    ['/v2.1/reports', '/v2.1/reports'],
    ['/v1/orders/48213?api_key=abc', '/v1/orders/{id}'],
    ['/v1/orders#top', '/v1/orders'],
    ['http://api.example.test:8080/v1/orders/5', '/v1/orders/{id}'],
    ['*', '*'],
  ];
  for (const [path, route] of cases) test(`${path} is ${route}`, () => expect(templateOf(new Routes(), path).route).toBe(route));

  test('no path, no route', () => expect(templateOf(new Routes(), '').route).toBe(''));
  test('a very long path is cut and marked', () => expect(templateOf(new Routes(), '/a'.repeat(400)).route).toMatch(/^(\/a){12}\/\*$/));
});

const segment = fc.oneof(
  fc.constantFrom('v1', 'orders', 'customers', 'items', '', 'a-b_c', 'x.json'),
  fc.nat(99_999).map(String),
  fc.uuid(),
  fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEFzZ-_.%@'.split('')), maxLength: 40 }),
);
const target = fc
  .tuple(fc.array(segment, { maxLength: 15 }), fc.constantFrom('', '?a=1', '#f', '?q=/x/1'))
  .map(([parts, tail]) => `/${parts.join('/')}${tail}`);

test('a template, its object and its end do not depend on the paths seen before', () => {
  const shared = new Routes();
  fc.assert(
    fc.property(target, (path) => {
      expect(templateOf(shared, path)).toEqual(templateOf(new Routes(), path));
      // And again, now that it is known.
      expect(templateOf(shared, path)).toEqual(templateOf(new Routes(), path));
    }),
    { numRuns: 5000 },
  );
});

test('a secret of an issued form never stands in a template', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('kw_live_', 'sk_live_', ''),
      fc.string({ unit: fc.constantFrom(...'0123456789abcdefghijkABCDEFGHIJK'.split('')), minLength: 24, maxLength: 40 }),
      (prefix, body) => {
        fc.pre(/\d/.test(body) && /[a-z]/i.test(body));
        expect(templateOf(new Routes(), `/v1/share/${prefix}${body}`).route).not.toContain(body.slice(0, 12));
      },
    ),
    { numRuns: 1000 },
  );
});
