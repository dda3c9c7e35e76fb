import { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { CHUNK_CHARS, analyzeJsonChunks, writeChunks } from '../../../app/report/json.ts';
import type { ReportKey } from '../../../app/report/report.ts';
import { analyzeJsonSchema, analyzeSchema } from '../../../app/report/schema.ts';
import { entityId } from '../../../core/types.ts';
import { DAY, emptyReport, reportKey, richReport, sampleAlert } from './sample.ts';

const textOf = (report: Parameters<typeof analyzeJsonChunks>[0]): string => [...analyzeJsonChunks(report)].join('');

describe('analyze --json', () => {
  test('is exactly the contract, field by field', () => {
    const key = reportKey(entityId('key', 'k1'), {
      label: 'billing',
      requests: 9,
      bytesIn: null,
      bytesOut: 0,
      clients: 2,
      first: DAY,
      last: DAY + 1500,
      series: [1, 2],
    });
    const report = emptyReport({
      source: { names: ['a.log'], files: 2, bytes: 400, records: 12 },
      formats: { combined: 12 },
      range: { from: DAY, to: DAY + 1500 },
      totals: {
        events: 9,
        dropped: 1,
        rejected: 2,
        requests: 9,
        status: { s1xx: 0, s2xx: 5, s3xx: 1, s4xx: 1, s5xx: 1, aborted: 1 },
        errors: 2,
        failedAuth: 0,
        bytesIn: null,
        bytesOut: 0,
        latency: { p50Us: 1, p95Us: 2, p99Us: 3 },
      },
      keys: [key],
      alerts: [
        sampleAlert({
          rule: 'error_rate',
          entity: key.id,
          label: 'billing',
          severity: 'medium',
          score: 40,
          from: DAY,
          minutes: 5,
          why: 'Why.',
          observed: 0.06,
          expected: 0.05,
          unit: 'ratio',
          action: 'investigate',
        }),
      ],
      rejects: [{ reason: 'bad_time', count: 2, first: { source: 'a.log', position: 77 } }],
      coverage: [{ source: 'a.log', format: 'combined', blind: ['no request size'] }],
    });
    expect(JSON.parse(textOf(report))).toEqual({
      keywatch: '1.2.3',
      source: { files: 2, bytes: 400, records: 12 },
      formats: { combined: 12 },
      range: { from: '2026-03-11T00:00:00.000Z', to: '2026-03-11T00:00:01.500Z' },
      totals: {
        events: 9,
        dropped: 1,
        rejected: 2,
        requests: 9,
        status: { '1xx': 0, '2xx': 5, '3xx': 1, '4xx': 1, '5xx': 1 },
        errors: 2,
        failedAuth: 0,
        bytesIn: null,
        bytesOut: 0,
      },
      keys: [
        {
          id: 'key:k1',
          kind: 'key',
          requests: 9,
          status: { '1xx': 0, '2xx': 1, '3xx': 0, '4xx': 0, '5xx': 0 },
          errors: 0,
          failedAuth: 0,
          bytesIn: null,
          bytesOut: 0,
          clients: 2,
          first: '2026-03-11T00:00:00.000Z',
          last: '2026-03-11T00:00:01.500Z',
        },
      ],
      alerts: [
        {
          id: `error_rate-key:k1-${DAY}`,
          rule: 'error_rate',
          entity: 'key:k1',
          severity: 'medium',
          score: 40,
          start: '2026-03-11T00:00:00.000Z',
          end: '2026-03-11T00:05:00.000Z',
          state: 'resolved',
          why: 'Why.',
          observed: 0.06,
          expected: 0.05,
        },
      ],
      rejects: [{ reason: 'bad_time', count: 2, first: { source: 'a.log', position: 77 } }],
      coverage: [{ source: 'a.log', blind: ['no request size'] }],
    });
  });

  test('is valid by its own schema, full and empty', () => {
    for (const report of [richReport(), emptyReport()]) expect(analyzeSchema.safeParse(JSON.parse(textOf(report))).error).toBeUndefined();
  });

  test('an empty report knows no range and no bytes', () => {
    const json = analyzeSchema.parse(JSON.parse(textOf(emptyReport())));
    expect([json.range, json.totals.bytesIn, json.keys]).toEqual([{ from: null, to: null }, null, []]);
  });

  test('a broken contract is refused by the schema: an unknown field, a 0 where a text belongs, a local time', () => {
    const good = JSON.parse(textOf(emptyReport()));
    for (const bad of [
      { ...good, extra: 1 },
      { ...good, keywatch: 0 },
      { ...good, range: { from: '2026-03-11T00:00:00+02:00', to: null } },
      { ...good, totals: { ...good.totals, bytesIn: -1 } },
    ])
      expect(analyzeSchema.safeParse(bad).success).toBe(false);
  });

  test('has one key and one alert per line', () => {
    const report = richReport();
    const lines = textOf(report).split('\n');
    expect(lines.filter((line) => line.startsWith('{"id":"key:')).length).toBe(report.keys.length);
    expect(lines.filter((line) => line.includes('"severity":')).length).toBe(report.alerts.length);
  });

  test('keys out of order are a bug that shows, not a file that lies', () => {
    const keys = [reportKey(entityId('key', 'a'), { requests: 1 }), reportKey(entityId('key', 'b'), { requests: 2 })];
    expect(() => textOf(emptyReport({ keys }))).toThrow(/BUG: the keys of the report are not sorted/);
  });

  test('the schema in docs is current', async () => {
    await expect(analyzeJsonSchema()).toMatchFileSnapshot('../../../docs/schema/analyze.schema.json');
  });
});

describe('streaming', () => {
  /** A sink that counts and takes its time; `ahead` is how far the producer ran ahead of it. */
  function slowSink(onChunk: (text: string) => void): Writable {
    return new Writable({
      decodeStrings: false,
      highWaterMark: 1,
      write(chunk: string, _encoding, done) {
        onChunk(chunk);
        setImmediate(done);
      },
    });
  }

  test('a million keys pass through in small chunks and are never held together', async () => {
    const count = 1_000_000;
    let made = 0;
    let written = 0;
    let aheadMax = 0;
    let chunkMax = 0;
    let chars = 0;
    function* keys(): Generator<ReportKey> {
      for (let i = 0; i < count; i++) {
        made++;
        yield reportKey(entityId('key', `kf1_${String(i).padStart(32, '0')}`), { requests: count - i });
      }
    }
    const lazy = { length: count, [Symbol.iterator]: keys };
    const outcome = await writeChunks(
      analyzeJsonChunks(emptyReport({ keys: lazy })),
      slowSink((text) => {
        written += text.split('{"id":').length - 1;
        chars += text.length;
        chunkMax = Math.max(chunkMax, text.length);
        aheadMax = Math.max(aheadMax, made - written);
      }),
    );
    expect(outcome).toEqual({ ok: true });
    expect([made, written]).toEqual([count, count]);
    expect(chars).toBeGreaterThan(200_000_000);
    expect(chunkMax).toBeLessThan(CHUNK_CHARS + 1000);
    expect(aheadMax).toBeLessThan(CHUNK_CHARS / 200);
  });

  test('a reader that closes the pipe ends the report quietly', async () => {
    const sink = new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })) });
    expect(await writeChunks(['a', 'b'], sink)).toEqual({ ok: true });
  });

  test('a full disk is said, not thrown', async () => {
    const sink = new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })) });
    expect(await writeChunks(['a', 'b'], sink)).toEqual({ ok: false, retryable: false, reason: 'cannot write the report: no space left on device' });
  });
});
