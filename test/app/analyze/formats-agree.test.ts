import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { planAttacks, withAttacks } from '../../../app/simulate/attacks.ts';
import type { SimulatedEvent } from '../../../app/simulate/event.ts';
import { ByteSink, type FormatName, RESPONSE_HEAD_BYTES, requestHeadBytes } from '../../../app/simulate/format/format.ts';
import { lineFormat } from '../../../app/simulate/format/registry.ts';
import { Population } from '../../../app/simulate/population.ts';
import { Traffic } from '../../../app/simulate/traffic.ts';
import { type EntityTruth, countInto, emptyTruth } from '../../../app/simulate/truth.ts';
import { C, type Counters, at, emptyCounters, mergeCounters } from '../../../core/counters.ts';
import { entityId } from '../../../core/types.ts';
import { type JsonKey, analyzeJson } from '../../e2e/support/analyze.ts';
import { ingestAll, perOwner, testFingerprinter } from '../../support/ingest.ts';
import { TEST_PEPPER } from '../../e2e/support/pepper.ts';

const START = Date.UTC(2026, 5, 2, 9, 0, 0);
const END = START + 30 * 60_000;

/**
 * Half an hour of ordinary traffic with six attacks in it: guessed keys, hang-ups, errors, downloads of 8 MB; and one
 * request in 97 is refused, as that of a key which expired for a moment. The numbers below come from these events,
 * never from a line.
 */
const events: readonly SimulatedEvent[] = (() => {
  const population = new Population({ seed: 5, keys: 24 });
  const traffic = new Traffic(population, { seed: 5, start: START, end: END, eventsPerMinute: 120 });
  return [...withAttacks(traffic, planAttacks({ seed: 5, population, start: START, end: END }))].map((event, index) =>
    index % 97 === 0 ? { ...event, status: 401, bytesOut: 23, credentialId: undefined, consumer: undefined } : event,
  );
})();

type Truth = EntityTruth & { /** With heads, as Kong and NGINX count. */ wireIn: number; wireOut: number; readonly addresses: Set<string> };

/** What the events are, by any name that one of them can be called by. */
function truthBy(nameOf: (event: SimulatedEvent) => string): ReadonlyMap<string, Truth> {
  const truths = new Map<string, Truth>();
  for (const event of events) {
    const name = nameOf(event);
    let truth = truths.get(name);
    if (truth === undefined) truths.set(name, (truth = { ...emptyTruth(), wireIn: 0, wireOut: 0, addresses: new Set() }));
    countInto(truth, event);
    truth.wireIn += requestHeadBytes(event) + event.bytesIn;
    if (event.status !== 499) truth.wireOut += event.bytesOut + RESPONSE_HEAD_BYTES;
    truth.addresses.add(event.address);
  }
  return truths;
}

/** Which sizes a format shows: NDJSON, combined and common have no request size; Caddy counts bodies, Kong and NGINX what went over the wire. */
const SIZES: Readonly<Record<FormatName, { readonly in: 'none' | 'body' | 'wire'; readonly out: 'body' | 'wire' }>> = {
  ndjson: { in: 'none', out: 'body' },
  combined: { in: 'none', out: 'body' },
  common: { in: 'none', out: 'body' },
  'nginx-json': { in: 'wire', out: 'wire' },
  kong: { in: 'wire', out: 'wire' },
  caddy: { in: 'body', out: 'body' },
};
const FORMATS = ['ndjson', 'combined', 'common', 'nginx-json', 'kong', 'caddy'] as const;

function sizesOf(format: FormatName, truth: Truth): { readonly bytesIn: number | null; readonly bytesOut: number } {
  const size = SIZES[format];
  return {
    bytesIn: size.in === 'none' ? null : size.in === 'body' ? truth.bytesIn : truth.wireIn,
    bytesOut: size.out === 'body' ? truth.bytesOut : truth.wireOut,
  };
}

function linesOf(format: FormatName): Uint8Array {
  const parts: Buffer[] = [];
  const out = new ByteSink((bytes) => parts.push(Buffer.from(bytes)));
  const writer = lineFormat(format, { keyParameter: 'api_key' });
  for (const event of events) writer.write(event, out);
  out.flush();
  return new Uint8Array(Buffer.concat(parts));
}

const directory = mkdtempSync(join(tmpdir(), 'keywatch formats '));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe.each(FORMATS)('the same requests as %s', (format) => {
  const bytes = linesOf(format);

  test('every key has the requests, statuses and bytes that its events had, under whichever of its names a line shows it', () => {
    const batch = ingestAll(bytes);
    const owners = perOwner(batch);
    const byFingerprint = new Map(batch.aliases.map(({ credential, fingerprint }) => [fingerprint, credential]));
    expect(batch.records).toBe(events.length);
    const seen = new Set<string>();
    for (const [key, truth] of truthBy((event) => event.key)) {
      const fingerprint = entityId('key', testFingerprinter.fingerprint(key));
      const credential = byFingerprint.get(fingerprint);
      const sums = emptyCounters();
      for (const name of [fingerprint, credential]) {
        const counters = name === undefined ? undefined : owners.get(name);
        if (counters !== undefined) mergeCounters(sums, counters);
        if (name !== undefined) seen.add(name);
      }
      expect({ key, ...numbersOf(sums) }).toEqual({ key, ...numbersOfTruth(truth), ...sizesOf(format, truth) });
    }
    expect([...owners.keys()].filter((name) => !seen.has(name))).toEqual([]);
  });

  test('analyze --json says the same, and puts together what was only ever refused', async () => {
    const path = join(directory, `${format}.log`);
    writeFileSync(path, bytes);
    const report = await analyzeJson([path], { pepper: TEST_PEPPER });
    // Kong names a key that it knows by the credential's id, and says no name of one that it refused.
    const truths = truthBy((event) => (format === 'kong' && event.credentialId !== undefined ? event.credentialId : testFingerprinter.fingerprint(event.key)));
    const expected: Partial<JsonKey>[] = [];
    const refused: Truth = { ...emptyTruth(), wireIn: 0, wireOut: 0, addresses: new Set() };
    for (const [name, truth] of truths) {
      if (truth.requests === truth.s401) addTruth(refused, truth);
      else expected.push(rowOf(`key:${name}`, truth, format));
    }
    expected.push(rowOf('refused:', refused, format));
    const shown = report.keys.map(({ id, requests, status, errors, failedAuth, bytesIn, bytesOut, clients }) => ({
      id,
      requests,
      status,
      errors,
      failedAuth,
      bytesIn,
      bytesOut,
      clients,
    }));
    expect(shown.toSorted(byId)).toEqual(expected.toSorted(byId));
    expect(report.totals).toMatchObject({ events: events.length, requests: events.length, dropped: 0, rejected: 0 });
    expect(report.source.records).toBe(events.length);
    expect(report.formats).toEqual({ [format === 'ndjson' || format === 'nginx-json' ? 'json' : format]: events.length });
  });
});

test('the events are worth the comparison: every status class, hang-ups, refusals, guesses and more than one address a key', () => {
  const total = emptyTruth();
  for (const event of events) countInto(total, event);
  for (const name of ['s2xx', 's3xx', 's4xx', 's5xx', 'aborted', 's401', 's403', 's429', 'bytesIn'] as const)
    expect({ name, isThere: total[name] > 0 }).toEqual({ name, isThere: true });
  expect(total.requests).toBeGreaterThan(10_000);
  const truths = [...truthBy((event) => event.key).values()];
  expect(truths.filter((truth) => truth.requests === truth.s401).length).toBeGreaterThan(100);
  expect(truths.some((truth) => truth.s401 > 0 && truth.requests > truth.s401)).toBe(true);
  expect(truths.some((truth) => truth.addresses.size > 1)).toBe(true);
});

function numbersOf(counters: Counters): Record<string, number | null> {
  const names = ['requests', 's2xx', 's3xx', 's4xx', 's5xx', 'aborted', 's401', 's403', 's429'] as const;
  return {
    ...Object.fromEntries(names.map((name) => [name, at(counters, C[name])])),
    bytesIn: at(counters, C.bytesInKnown) === 0 ? null : at(counters, C.bytesIn),
    bytesOut: at(counters, C.bytesOut),
  };
}

function numbersOfTruth(truth: Truth): Record<string, number> {
  const { requests, s2xx, s3xx, s4xx, s5xx, aborted, s401, s403, s429 } = truth;
  return { requests, s2xx, s3xx, s4xx, s5xx, aborted, s401, s403, s429 };
}

function rowOf(id: string, truth: Truth, format: FormatName): Partial<JsonKey> {
  const { requests, s2xx, s3xx, s4xx, s5xx, s401, s403, s429 } = truth;
  return {
    id,
    requests,
    status: { '1xx': 0, '2xx': s2xx, '3xx': s3xx, '4xx': s4xx, '5xx': s5xx },
    errors: s4xx + s5xx - s401 - s403 - s429,
    failedAuth: s401 + s403,
    ...sizesOf(format, truth),
    clients: truth.addresses.size,
  };
}

function addTruth(into: Truth, from: Truth): void {
  for (const name of ['requests', 's4xx', 's401', 'bytesIn', 'bytesOut', 'wireIn', 'wireOut'] as const) into[name] += from[name];
  for (const address of from.addresses) into.addresses.add(address);
}

function byId(a: Partial<JsonKey>, b: Partial<JsonKey>): number {
  return (a.id ?? '') < (b.id ?? '') ? -1 : 1;
}
