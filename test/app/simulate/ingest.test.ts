import { describe, expect, test } from 'vitest';
import { C, type Counters, at } from '../../../core/counters.ts';
import { entityId, type EntityId } from '../../../core/types.ts';
import type { SimulatedEvent } from '../../../app/simulate/event.ts';
import { ByteSink, type FormatName, requestHeadBytes, RESPONSE_HEAD_BYTES } from '../../../app/simulate/format/format.ts';
import { lineFormat } from '../../../app/simulate/format/registry.ts';
import { Population } from '../../../app/simulate/population.ts';
import { Traffic } from '../../../app/simulate/traffic.ts';
import { countInto, emptyTruth, type EntityTruth } from '../../../app/simulate/truth.ts';
import { ingestAll, perOwner, testFingerprinter } from '../../support/ingest.ts';

const EVENTS: readonly SimulatedEvent[] = (() => {
  const traffic = new Traffic(new Population({ seed: 21, keys: 60 }), { seed: 21, start: Date.UTC(2026, 5, 2, 9), eventsPerMinute: 2_000 });
  return Array.from({ length: 12_000 }, () => traffic.next()).filter((event) => event !== undefined);
})();

function bytesOf(name: FormatName): Uint8Array {
  const parts: Buffer[] = [];
  const out = new ByteSink((bytes) => parts.push(Buffer.from(bytes)));
  const format = lineFormat(name, { keyParameter: 'api_key' });
  for (const event of EVENTS) format.write(event, out);
  out.flush();
  return Buffer.concat(parts);
}

/** The truth by the name that Keywatch must give: the credential id where the line shows one, else the key's fingerprint. */
function truthOf(name: FormatName): ReadonlyMap<EntityId, EntityTruth> {
  const truth = new Map<EntityId, EntityTruth>();
  for (const event of EVENTS) {
    const entity = entityId('key', name === 'kong' && event.credentialId !== undefined ? event.credentialId : testFingerprinter.fingerprint(event.key));
    const entry = truth.get(entity) ?? emptyTruth();
    truth.set(entity, entry);
    countInto(entry, event);
  }
  return truth;
}

function summary(counters: Counters): Partial<EntityTruth> {
  const { requests, s2xx, s3xx, s4xx, s5xx, aborted, s401, s403, s429 } = C;
  return Object.fromEntries(
    Object.entries({ requests, s2xx, s3xx, s4xx, s5xx, aborted, s401, s403, s429 }).map(([name, index]) => [name, at(counters, index)]),
  );
}

describe('simulated lines through the real ingest', () => {
  for (const name of ['ndjson', 'combined', 'common', 'nginx-json', 'kong', 'caddy'] as const) {
    test(`${name}: the format is detected, no line is refused, and every key has what the simulator counted`, () => {
      const batch = ingestAll(bytesOf(name));
      expect(batch.rejects).toEqual({});
      const owners = perOwner(batch);
      const truth = truthOf(name);
      expect([...owners.keys()].sort((a, b) => a.localeCompare(b))).toEqual([...truth.keys()].sort((a, b) => a.localeCompare(b)));
      for (const [entity, entry] of truth) {
        expect(entry).toMatchObject(summary(owners.get(entity) ?? new Float64Array(99)));
      }
    });
  }

  test('bytes: the body where the line shows the body, the wire where it shows the wire, and request sizes only where they are shown', () => {
    const totals = (name: FormatName): { readonly out: number; readonly in: number; readonly inKnown: number } => {
      let [out, into, inKnown] = [0, 0, 0];
      for (const counters of perOwner(ingestAll(bytesOf(name))).values()) {
        out += at(counters, C.bytesOut);
        into += at(counters, C.bytesIn);
        inKnown += at(counters, C.bytesInKnown);
      }
      return { out, in: into, inKnown };
    };
    const sum = (value: (event: SimulatedEvent) => number): number => EVENTS.reduce((total, event) => total + value(event), 0);
    const body = sum((event) => event.bytesOut);
    const wireOut = sum((event) => (event.status === 499 ? 0 : event.bytesOut + RESPONSE_HEAD_BYTES));
    const wireIn = sum((event) => event.bytesIn + requestHeadBytes(event));
    for (const name of ['ndjson', 'combined', 'common'] as const) expect(totals(name)).toEqual({ out: body, in: 0, inKnown: 0 });
    expect(totals('caddy')).toEqual({ out: body, in: sum((event) => event.bytesIn), inKnown: EVENTS.length });
    for (const name of ['kong', 'nginx-json'] as const) expect(totals(name)).toEqual({ out: wireOut, in: wireIn, inKnown: EVENTS.length });
  });
});
