import { readFileSync } from 'node:fs';
import { zstdDecompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { C, at } from '../../../core/counters.ts';
import { entityId } from '../../../core/types.ts';
import { ingestAll, perOwner, requestsOf, testFingerprinter } from '../../support/ingest.ts';
import { SHARED_DATA } from '../../support/shared-data.ts';

type Truth = {
  readonly client: { readonly keys: readonly { readonly id: string; readonly secret: string }[] };
  readonly log: {
    readonly lines: number;
    readonly by_status: Readonly<Record<string, number>>;
    readonly tolerance: number;
    readonly keys: readonly { readonly id: string; readonly requests: number; readonly by_status: Readonly<Record<string, number>>; readonly bytes: number }[];
  };
};

const FOLDERS = ['nginx-combined', 'nginx-json-key', 'apache-common', 'apache-combined', 'caddy-json'] as const;

describe.skipIf(SHARED_DATA === undefined)('logs that real gateways wrote agree with the truth of every request', () => {
  for (const folder of FOLDERS) {
    const dir = `${SHARED_DATA}/logs/real/${folder}`;
    const load = (): { bytes: Uint8Array; truth: Truth } => ({
      bytes: new Uint8Array(zstdDecompressSync(readFileSync(`${dir}/access.log.zst`))),
      truth: JSON.parse(readFileSync(`${dir}/truth.json`, 'utf8')) as Truth,
    });

    test(`${folder}: every line is counted, by status`, () => {
      const { bytes, truth } = load();
      const batch = ingestAll(bytes);
      const owners = perOwner(batch);
      const sum = (counter: number): number => [...owners.values()].reduce((total, counters) => total + at(counters, counter), 0);
      const inTruth = (from: number, to: number): number =>
        Object.entries(truth.log.by_status).reduce(
          (total, [status, count]) => total + (Number(status) >= from && Number(status) <= to && status !== '499' ? count : 0),
          0,
        );
      expect(batch.records).toBe(truth.log.lines);
      expect(sum(C.requests)).toBeGreaterThanOrEqual(truth.log.lines - truth.log.tolerance);
      expect(sum(C.s2xx)).toBe(inTruth(200, 299));
      expect(sum(C.s3xx)).toBe(inTruth(300, 399));
      expect(sum(C.s4xx)).toBe(inTruth(400, 498));
      expect(sum(C.s5xx)).toBe(inTruth(500, 599));
      expect(sum(C.aborted)).toBe(truth.log.by_status['499'] ?? 0);
      expect(sum(C.s401)).toBe(truth.log.by_status['401'] ?? 0);
      expect(sum(C.s429)).toBe(truth.log.by_status['429'] ?? 0);
    });

    test(`${folder}: every key has the requests, statuses and bytes that the truth gives it`, () => {
      const { bytes, truth } = load();
      const owners = perOwner(ingestAll(bytes));
      const secrets = new Map(truth.client.keys.map((key) => [key.id, key.secret]));
      for (const key of truth.log.keys) {
        const counters = owners.get(entityId('key', testFingerprinter.fingerprint(secrets.get(key.id) ?? '')));
        expect({ key: key.id, requests: requestsOf(counters) }).toEqual({ key: key.id, requests: key.requests });
        if (counters === undefined) continue;
        expect({ key: key.id, s401: at(counters, C.s401) }).toEqual({ key: key.id, s401: key.by_status['401'] ?? 0 });
        expect({ key: key.id, bytes: at(counters, C.bytesOut) }).toEqual({ key: key.id, bytes: key.bytes });
      }
      const keys = [...owners.keys()].filter((entity) => entity.startsWith('key:'));
      expect(keys.length - truth.log.keys.length).toBeLessThanOrEqual(truth.log.tolerance);
    });

    test(`${folder}: no raw secret survives parsing, also not those in the Referer or cut off`, () => {
      const { bytes, truth } = load();
      const batch = ingestAll(bytes);
      const out = Buffer.concat([...batch.rows, ...batch.held].flatMap((row) => [Buffer.from(row.entity), Buffer.from(row.cells)])).toString('latin1');
      for (const key of truth.client.keys) {
        expect(out.includes(key.secret.slice(0, 16))).toBe(false);
      }
    });
  }
});
