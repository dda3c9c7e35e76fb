import { mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { readCells } from '../../../core/cells.ts';
import type { PartialBatch } from '../../../core/partial.ts';
import type { Tally } from '../../../core/sketch/tally.ts';
import type { Geo } from '../../../ingest/enrich/geo.ts';
import { type MmdbGeo, geoOf, openGeo } from '../../../ingest/enrich/mmdb-geo.ts';
import { CellPool } from '../../../ingest/parallel/cell-pool.ts';
import { formatOf } from '../../../ingest/parse/detect.ts';
import type { Format } from '../../../ingest/parse/format.ts';
import { testIngest, testNormaliser } from '../../support/ingest.ts';
import { type MmdbValue, mmdbOf } from '../../support/mmdb-writer.ts';

const directory = mkdtempSync(join(tmpdir(), 'keywatch-geo-'));
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;
function fileOf(bytes: Uint8Array): string {
  const path = join(directory, `${files++}.mmdb`);
  writeFileSync(path, bytes);
  return path;
}

function geoOfFiles(...paths: string[]): MmdbGeo {
  const opened = openGeo(paths);
  if (opened.geo === undefined) throw new Error(opened.why);
  return opened.geo;
}

const CITY = mmdbOf(
  {
    '203.0.113.0/24': { country: { iso_code: 'DE', names: { en: 'Germany' } }, city: { names: { en: 'Berlin' } } },
    '203.0.113.128/25': { country: { iso_code: 'FR' } },
    '198.51.100.0/24': { registered_country: { iso_code: 'US' } },
    '10.0.0.0/8': { country: { iso_code: 'XX' } },
    '2001:db8::/32': { country: { iso_code: 'JP' } },
  },
  { type: 'GeoLite2-City' },
);
const ASN = mmdbOf(
  { '203.0.113.0/24': { autonomous_system_number: 13335, autonomous_system_organization: 'Cloudflare' }, '2001:db8::/33': { autonomous_system_number: 64500 } },
  { type: 'GeoLite2-ASN' },
);

describe('what databases of different makers say', () => {
  test.each<[string, MmdbValue, string | undefined, string | undefined]>([
    ['GeoLite2 country', { country: { iso_code: 'DE' } }, 'DE', undefined],
    ['GeoLite2 of a network that is only registered', { registered_country: { iso_code: 'US' } }, 'US', undefined],
    ['GeoIP2 enterprise', { country: { iso_code: 'GB' }, traits: { autonomous_system_number: 2856, autonomous_system_organization: 'BT' } }, 'GB', 'AS2856 BT'],
    ['GeoLite2 or DB-IP ASN', { autonomous_system_number: 13335, autonomous_system_organization: 'Cloudflare' }, undefined, 'AS13335 Cloudflare'],
    ['DB-IP country', { continent: { code: 'EU' }, country: { iso_code: 'FR', is_in_european_union: true, names: { en: 'France' } } }, 'FR', undefined],
    [
      'IPinfo Lite',
      { asn: 'AS15169', as_name: 'Google LLC', as_domain: 'google.com', country: 'United States', country_code: 'US', continent: 'North America' },
      'US',
      'AS15169 Google LLC',
    ],
    ['IPinfo country and ASN', { country: 'US', country_name: 'United States', asn: 'AS15169', as_name: 'Google LLC' }, 'US', 'AS15169 Google LLC'],
    ['IPinfo ASN', { asn: 'AS15169', domain: 'google.com', name: 'Google LLC' }, undefined, 'AS15169 Google LLC'],
    ['lower case, no name', { country_code: 'us', autonomous_system_number: 1 }, 'US', 'AS1'],
    [
      'a name with what does not belong into a line',
      { autonomous_system_number: 7, autonomous_system_organization: ' Evil\u202e\n\u001b[31m Net ' },
      undefined,
      'AS7 Evil [31m Net',
    ],
    ['a long name', { autonomous_system_number: 7, autonomous_system_organization: 'n'.repeat(300) }, undefined, `AS7 ${'n'.repeat(48)}`],
    ['nothing usable', { country: { iso_code: 'Germany' }, autonomous_system_number: 0, asn: 'none' }, undefined, undefined],
    ['no map', 'DE', undefined, undefined],
  ])('%s', (_label, record, country, asn) => {
    const geo = geoOfFiles(fileOf(mmdbOf({ '203.0.113.0/24': record })));
    expect([geo.country('203.0.113.9'), geo.asn('203.0.113.9')]).toEqual([country, asn]);
    expect([geo.country('192.0.2.1'), geo.asn('192.0.2.1')]).toEqual([undefined, undefined]);
  });

  test.each([24, 28, 32] as const)('trees of every record size and both kinds of address (%i bits)', (recordSize) => {
    const networks = { '192.0.2.0/24': { country_code: 'AA' }, '192.0.2.77/32': { country_code: 'BB' }, '0.0.0.0/1': { country_code: 'CC' } };
    for (const ipVersion of [4, 6] as const) {
      const geo = geoOfFiles(fileOf(mmdbOf(networks, { recordSize, ipVersion })));
      expect(['192.0.2.1', '192.0.2.77', '192.0.2.78', '8.8.8.8', '193.0.0.1'].map((address) => geo.country(address))).toEqual([
        'AA',
        'BB',
        'AA',
        'CC',
        undefined,
      ]);
    }
  });

  test('of several files each says what it knows, the first one first', () => {
    const geo = geoOfFiles(fileOf(CITY), fileOf(ASN), fileOf(mmdbOf({ '0.0.0.0/0': { country_code: 'ZZ', asn: 'AS9' }, '::/0': { country_code: 'ZZ' } })));
    expect([geo.country('203.0.113.1'), geo.asn('203.0.113.1')]).toEqual(['DE', 'AS13335 Cloudflare']);
    expect([geo.country('203.0.113.200'), geo.asn('203.0.113.200')]).toEqual(['FR', 'AS13335 Cloudflare']);
    expect([geo.country('198.51.100.1'), geo.asn('198.51.100.1')]).toEqual(['US', 'AS9']);
    expect([geo.country('2001:db8::5'), geo.asn('2001:db8::5'), geo.asn('2001:db8:8000::1')]).toEqual(['JP', 'AS64500', undefined]);
    expect(geo.databases.map(({ type, builtAt }) => [type, builtAt])).toEqual([
      ['GeoLite2-City', Date.UTC(2026, 0, 1)],
      ['GeoLite2-ASN', Date.UTC(2026, 0, 1)],
      ['Test', Date.UTC(2026, 0, 1)],
    ]);
  });

  test('private addresses, names and garbage give nothing, whatever the database says of them', () => {
    const geo = geoOfFiles(fileOf(mmdbOf({ '0.0.0.0/0': { country_code: 'ZZ', asn: 'AS9' }, '::/0': { country_code: 'ZZ', asn: 'AS9' } })));
    for (const address of [
      '10.1.2.3',
      '127.0.0.1',
      '192.168.1.1',
      '172.16.0.9',
      '100.64.0.1',
      '169.254.1.1',
      '::1',
      'fd00::1',
      'fe80::1',
      'gw-1.internal',
      '',
      '203.0.113.300',
    ]) {
      expect([address, geo.country(address), geo.asn(address)]).toEqual([address, undefined, undefined]);
    }
    expect(geo.country('192.0.2.1')).toBe('ZZ');
  });

  test('an IPv6 address is not looked up in a tree of IPv4', () => {
    expect(geoOfFiles(fileOf(mmdbOf({ '0.0.0.0/0': { country_code: 'ZZ' } }, { ipVersion: 4 }))).country('2001:db8::1')).toBeUndefined();
  });

  test('a thread that gets the bytes gives the same answers', () => {
    const geo = geoOfFiles(fileOf(CITY), fileOf(ASN));
    const other = geoOf(geo.shared);
    for (const address of ['203.0.113.1', '203.0.113.200', '2001:db8::1', '192.0.2.1']) {
      expect([other.country(address), other.asn(address)]).toEqual([geo.country(address), geo.asn(address)]);
    }
    expect(geo.shared.every(({ bytes }) => bytes.buffer instanceof SharedArrayBuffer)).toBe(true);
  });
});

describe('files that are no database', () => {
  test.each<[string, (path: string) => void, RegExp]>([
    ['missing', (path) => rmSync(path), /there is no such file/],
    ['packed', (path) => writeFileSync(path, Buffer.from([0x1f, 0x8b, 8])), /is packed; unpack it/],
    ['empty', (path) => truncateSync(path, 0), /is no MMDB file, or not all of it/],
    ['cut off', (path) => truncateSync(path, 100), /is no MMDB file, or not all of it/],
    ['text', (path) => writeFileSync(path, 'country,asn\n'), /is no MMDB file/],
  ])('%s', (_label, spoil, why) => {
    const path = fileOf(CITY);
    spoil(path);
    const opened = openGeo([fileOf(ASN), path]);
    expect(opened.geo).toBeUndefined();
    expect('why' in opened && opened.why).toMatch(why);
    expect('why' in opened && opened.why).toContain(path);
  });

  test('damage inside never throws: the address has no place, and it is counted', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(CITY.length - 250), fc.nat(255)), { minLength: 1, maxLength: 20 }), (changes) => {
        const bytes = Buffer.from(CITY);
        for (const [at, byte] of changes) bytes[at] = byte;
        const opened = openGeo([fileOf(bytes)]);
        if (opened.geo === undefined) return;
        for (const address of ['203.0.113.1', '198.51.100.7', '2001:db8::1', '192.0.2.1']) opened.geo.country(address);
        expect(opened.geo.faults).toBeLessThanOrEqual(4);
      }),
      { numRuns: 200, seed: 5 },
    );
  });
});

describe('a file that changes', () => {
  test('is read again, whether it was replaced or written over', () => {
    const path = fileOf(mmdbOf({ '203.0.113.0/24': { country_code: 'DE' } }));
    const geo = geoOfFiles(path);
    expect(geo.reload()).toEqual([]);
    expect([geo.country('203.0.113.1'), geo.version]).toEqual(['DE', 0]);
    renameSync(fileOf(mmdbOf({ '203.0.113.0/24': { country_code: 'FR' } })), path);
    expect(geo.reload()).toEqual([]);
    expect([geo.country('203.0.113.1'), geo.version]).toEqual(['FR', 1]);
    writeFileSync(path, mmdbOf({ '203.0.113.0/24': { country_code: 'US' }, '192.0.2.0/24': { country_code: 'US' } }));
    expect(geo.reload()).toEqual([]);
    expect([geo.country('203.0.113.1'), geo.version]).toEqual(['US', 2]);
  });

  test('and cannot be read leaves the old answers, says so, and is tried again', () => {
    const bytes = mmdbOf({ '203.0.113.0/24': { country_code: 'DE' } });
    const path = fileOf(bytes);
    const geo = geoOfFiles(path);
    writeFileSync(path, bytes.subarray(0, 50));
    expect(geo.reload()).toEqual([expect.stringMatching(/no MMDB file.*what it said before stays in use/)]);
    rmSync(path);
    expect(geo.reload()).toEqual([expect.stringMatching(/no such file.*stays in use/)]);
    expect([geo.country('203.0.113.1'), geo.version]).toEqual(['DE', 0]);
    writeFileSync(path, mmdbOf({ '203.0.113.0/24': { country_code: 'FR' } }));
    expect(geo.reload()).toEqual([]);
    expect(geo.country('203.0.113.1')).toBe('FR');
  });
});

const COMBINED = formatOf('combined') as Format;
const lineOf = (address: string, second: number, status = 200, agent = 'sdk/1'): string =>
  `${address} - - [30/Dec/2025:09:34:${String(second).padStart(2, '0')} +0000] "GET /v1/orders?apikey=demo HTTP/1.1" ${status} 12 "-" "${agent}"\n`;
const bytesOf = (lines: readonly string[]): Uint8Array => new Uint8Array(Buffer.from(lines.join('')));

/** Text to [requests, failed] of a dimension, over all rows of one kind. */
function tallied(batch: PartialBatch | undefined, dimension: 'asn' | 'country', prefix = 'key:'): Record<string, [number, number]> {
  const sums: Record<string, [number, number]> = {};
  for (const row of [...(batch?.rows ?? []), ...(batch?.held ?? [])]) {
    if (!row.entity.startsWith(prefix)) continue;
    const tally: Tally = readCells(row.cells).sketch.tally(dimension);
    for (const { text, count, failed } of tally.items) {
      const sum = (sums[text ?? '?'] ??= [0, 0]);
      sum[0] += count;
      sum[1] += failed;
    }
  }
  return sums;
}

describe('windows hold where their requests came from', () => {
  const lines = [
    lineOf('203.0.113.1', 1),
    lineOf('203.0.113.2', 2, 404),
    lineOf('203.0.113.200', 3),
    lineOf('10.0.0.9', 4),
    lineOf('192.0.2.1', 5),
    lineOf('2001:db8::1', 6, 403),
  ];

  test('requests and failures by country and network, of keys and of the networks that failed', () => {
    const ingest = testIngest(COMBINED, { normaliser: testNormaliser({ geo: geoOfFiles(fileOf(CITY), fileOf(ASN)) }) });
    ingest.block(bytesOf(lines), 0);
    const batch = ingest.flush();
    expect(tallied(batch, 'country')).toEqual({ DE: [2, 1], FR: [1, 0], JP: [1, 1] });
    expect(tallied(batch, 'asn')).toEqual({ 'AS13335 Cloudflare': [3, 1], AS64500: [1, 1] });
    expect(tallied(batch, 'country', 'network:')).toEqual({ JP: [1, 1] });
  });

  test('each address is looked up once, and again only after a change', () => {
    let looked = 0;
    let version = 0;
    const geo: Geo = {
      country: () => {
        looked++;
        return version === 0 ? 'DE' : 'FR';
      },
      asn: () => undefined,
      get version() {
        return version;
      },
    };
    const ingest = testIngest(COMBINED, { normaliser: testNormaliser({ geo }) });
    const many = Array.from({ length: 3000 }, (_, i) => lineOf(`198.51.${i % 100}.${i % 7}`, i % 60));
    ingest.block(bytesOf(many), 0);
    expect(looked).toBe(700);
    const half = ingest.flush();
    expect(tallied(half, 'country')).toEqual({ DE: [3000, 0] });
    version = 1;
    const bytes = bytesOf(many);
    ingest.block(bytes, bytes.length);
    expect(looked).toBe(1400);
    expect(tallied(ingest.flush(), 'country')).toEqual({ DE: [3000, 0], FR: [3000, 0] });
  });

  test('without a database rows hold nothing of it', () => {
    const bare = testIngest(COMBINED);
    bare.block(bytesOf(lines), 0);
    expect(tallied(bare.flush(), 'country')).toEqual({});
  });

  test('counting goes on from stored rows, and a whole segment and its parts give the same bytes', () => {
    const geo = geoOfFiles(fileOf(CITY), fileOf(ASN));
    const whole = testIngest(COMBINED, { normaliser: testNormaliser({ geo }) });
    whole.block(bytesOf(lines), 0);
    const wanted = whole.flush();
    const first = testIngest(COMBINED, { normaliser: testNormaliser({ geo }) });
    first.block(bytesOf(lines.slice(0, 2)), 0);
    const half = first.flush();
    if (half === undefined || wanted === undefined) throw new Error('nothing was read');
    const second = testIngest(COMBINED, { normaliser: testNormaliser({ geo }), resume: half });
    second.block(bytesOf(lines.slice(2)), half.next);
    const rest = second.flush();
    const rows = (batch: PartialBatch | undefined): Record<string, string> =>
      Object.fromEntries((batch?.rows ?? []).map((row) => [row.entity, Buffer.from(row.cells).toString('hex')]));
    expect(rows(rest)).toEqual(rows(wanted));
  });

  test('threads count what one thread counts', async () => {
    const geo = geoOfFiles(fileOf(CITY), fileOf(ASN));
    const alone = testIngest(COMBINED, { normaliser: testNormaliser({ geo }) });
    alone.block(bytesOf(lines), 0);
    const [wanted] = alone.finish();
    await using pool = new CellPool(1, {
      pepper: Buffer.alloc(32, 7).toString('base64'),
      keyNames: ['apikey'],
      keyBy: 'auto',
      trustedProxies: [],
      forwardedDepth: 0,
      geo: geo.shared,
    });
    const cell = pool.open({ source: 1, segmentBytes: 2 ** 25, descriptor: 'combined', start: 0, limits: { entities: 1000, dictionary: 10_000 } });
    cell.block(bytesOf(lines), 0);
    const batch = await cell.end(true);
    expect(tallied(batch, 'country')).toEqual(tallied(wanted, 'country'));
    expect(tallied(batch, 'asn')).toEqual({ 'AS13335 Cloudflare': [3, 1], AS64500: [1, 1] });
  });

  test('a report knows the countries of the whole log', () => {
    const ingest = testIngest(COMBINED, { normaliser: testNormaliser({ geo: geoOfFiles(fileOf(CITY)) }), sketches: 'segment' });
    ingest.block(bytesOf(lines), 0);
    ingest.finish();
    expect(ingest.takeTops().flatMap(({ countries }) => countries)).toEqual([
      ['DE', 2, 1],
      ['FR', 1, 0],
      ['JP', 1, 1],
    ]);
  });
});
