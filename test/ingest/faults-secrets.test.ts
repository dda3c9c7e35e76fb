import { describe, expect, test } from 'vitest';
import { readCells } from '../../core/cells.ts';
import { canonicalAddress } from '../../ingest/parse/address.ts';
import { looksLikeKey, redactName } from '../../ingest/redact.ts';
import { ingestAll, perOwner, testFingerprinter } from '../support/ingest.ts';

const SECRET = 'kw_live_9sVqT2mXbR4kLzH7cWnY1dPa';

/** What one flat JSON line leaves behind: its owner and its route. */
function seen(fields: Readonly<Record<string, unknown>>): { readonly owner: string | undefined; readonly route: string | undefined } {
  const line = JSON.stringify({ ts: 1_795_468_806_000, ip: '198.18.2.2', status: 200, bytes: 10, ...fields });
  const batch = ingestAll(new Uint8Array(Buffer.from(`${line}\n`)));
  const row = [...batch.rows, ...batch.held].find(({ entity }) => !entity.startsWith('network:'));
  const tally = row === undefined ? undefined : readCells(row.cells).sketch.tally('route');
  return { owner: [...perOwner(batch).keys()][0], route: tally?.items[0]?.text };
}

describe('a route that a gateway names', () => {
  test.each([
    ['a name', 'orders-api-v2', 'orders-api-v2'],
    ['a template', '/v1/orders/{id}', '/v1/orders/{id}'],
    ['a template of another kind', '/v1/orders/:orderId', '/v1/orders/:orderId'],
    ['a UUID, as some gateways have', '3c7f0a52-6a0f-4f58-9d1c-8a51c0f4b001', '3c7f0a52-6a0f-4f58-9d1c-8a51c0f4b001'],
    ['a path with identifiers', '/v1/orders/48213', '/v1/orders/{id}'],
    ['a path with a query', `/v1/orders?api_key=${SECRET}`, '/v1/orders'],
    ['a URL', `https://api.example.test/v1/orders/7?api_key=${SECRET}`, '/v1/orders/{id}'],
    ['a name with a query', `orders?apikey=${SECRET}`, 'orders'],
    ['a name with a key in it', `orders apikey=${SECRET}`, 'orders?apikey=<redacted>'],
    ['a key', SECRET, '<redacted>'],
  ])('%s', (_name, route, want) => {
    expect(seen({ path: '/v1/other', route }).route).toBe(want);
  });

  test('that is the only path of the line is read like one, its key included', () => {
    expect(seen({ endpoint: `/v1/orders/48213?api_key=${SECRET}` })).toEqual({
      owner: `key:${testFingerprinter.fingerprint(SECRET)}`,
      route: '/v1/orders/{id}',
    });
    expect(seen({ path: '/v1/other/5', endpoint: '/v1/orders/48213' }).owner).toBe('client:198.18.2.2');
  });
});

describe('an address that a client made up', () => {
  test.each([
    [SECRET, ''],
    ['7b1e64c2-93d4-4f0a-8c55-2f9a0d1e6b73', ''],
    ['5f2b9c0de1a74836b2c95d0f7e8a1b64', ''],
    ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dBjftJeZ4CVPmB92K27uhbUJU1p1r', ''],
    ['ip-10-0-0-12.eu-west-1.compute.internal', 'ip-10-0-0-12.eu-west-1.compute.internal'],
    ['api-gateway-7d9f8b6c5d-x2k4j', 'api-gateway-7d9f8b6c5d-x2k4j'],
    ['4f1c0b9a7d2e', '4f1c0b9a7d2e'],
    ['2001:db8:1111:2222:3333:4444:5555:6666', '2001:db8:1111:2222:3333:4444:5555:6666'],
  ])('%s becomes %j', (raw, want) => {
    expect(canonicalAddress(raw)).toBe(want);
  });
});

test('names keep what is no key', () => {
  for (const name of ['orders-by-customer-and-day-2026', 'subscriptions_v2_production_europe_west_1', 'tokens', 'password-reset', 'api-keys']) {
    expect(redactName(name)).toBe(name);
  }
  expect(looksLikeKey('customer-orders-service-production-2')).toBe(false);
});
