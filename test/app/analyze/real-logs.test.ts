import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { analyzeJson } from '../../e2e/support/analyze.ts';
import { TEST_PEPPER } from '../../e2e/support/pepper.ts';
import { testFingerprinter } from '../../support/ingest.ts';
import { SHARED_DATA } from '../../support/shared-data.ts';
import { runCli } from '../cli/capture.ts';

const FOLDERS = ['nginx-combined', 'nginx-json-key', 'apache-common', 'apache-combined', 'caddy-json'] as const;
type Folder = (typeof FOLDERS)[number];

/** What is to be found in one log, counted without Keywatch. */
type Truth = {
  readonly path: string;
  readonly lines: number;
  /** Entries that are broken or belong to no request: so many may be missing from the counts. */
  readonly tolerance: number;
  readonly status: Readonly<Record<string, number>>;
  readonly bytes: number | undefined;
  readonly keys: readonly { readonly secret: string; readonly requests: number; readonly s401: number; readonly bytes?: number }[];
  readonly secrets: readonly string[];
};

const FIXTURES = join(import.meta.dirname, '../../fixtures/gateways');

function excerpt(folder: Folder): Truth {
  const all = JSON.parse(readFileSync(join(FIXTURES, 'truth.json'), 'utf8')) as Record<
    Folder,
    { lines: number; bytes: number; status: Record<string, number>; keys: Record<string, { requests: number; s401: number }>; secrets: string[] }
  >;
  const { keys, ...truth } = all[folder];
  return { ...truth, path: join(FIXTURES, `${folder}.log`), tolerance: 0, keys: Object.entries(keys).map(([secret, counts]) => ({ secret, ...counts })) };
}

function capture(folder: Folder): Truth {
  const path = `${SHARED_DATA}/logs/real/${folder}`;
  const truth = JSON.parse(readFileSync(`${path}/truth.json`, 'utf8')) as {
    client: { keys: { id: string; secret: string }[] };
    log: {
      lines: number;
      tolerance: number;
      by_status: Record<string, number>;
      keys: { id: string; requests: number; bytes: number; by_status: Record<string, number> }[];
    };
  };
  const secrets = new Map(truth.client.keys.map(({ id, secret }) => [id, secret]));
  return {
    path: `${path}/access.log.zst`,
    lines: truth.log.lines,
    tolerance: truth.log.tolerance,
    status: truth.log.by_status,
    bytes: undefined,
    keys: truth.log.keys.map(({ id, requests, bytes, by_status }) => ({ secret: secrets.get(id) ?? '', requests, bytes, s401: by_status['401'] ?? 0 })),
    secrets: [...secrets.values()],
  };
}

const directory = mkdtempSync(join(tmpdir(), 'keywatch real '));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** `sources`: an excerpt that is always there, and the whole captures where they are. */
const SOURCES = [
  { name: 'an excerpt of', load: excerpt, isMissing: false },
  { name: 'the whole log of', load: capture, isMissing: SHARED_DATA === undefined },
] as const;

for (const { name, load, isMissing } of SOURCES) {
  describe.skipIf(isMissing).each(FOLDERS)(`${name} %s`, (folder) => {
    test('every line is counted under its status, and every key has its own requests and bytes', async () => {
      const truth = load(folder);
      const report = await analyzeJson([truth.path], { pepper: TEST_PEPPER });
      const { totals, keys } = report;
      const classOf = (first: string): number =>
        Object.entries(truth.status).reduce((sum, [status, count]) => sum + (status.startsWith(first) && status !== '499' ? count : 0), 0);
      expect(report.source.records).toBe(truth.lines);
      expect(totals.events + totals.rejected).toBe(truth.lines);
      expect(totals.rejected).toBeLessThanOrEqual(truth.tolerance);
      expect(totals.status).toEqual({ '1xx': 0, '2xx': classOf('2'), '3xx': classOf('3'), '4xx': classOf('4'), '5xx': classOf('5') });
      expect(totals.failedAuth).toBe((truth.status['401'] ?? 0) + (truth.status['403'] ?? 0));
      if (truth.bytes !== undefined) expect(totals.bytesOut).toBe(truth.bytes);
      expect(keys.reduce((sum, key) => sum + key.requests, 0)).toBe(totals.events);
      // A key of which every request was refused has no row: nobody can make rows by guessing.
      const accepted = truth.keys.filter(({ requests, s401 }) => requests > s401);
      const rows = new Map(keys.map((key) => [key.id, key]));
      for (const { secret, requests, bytes } of accepted) {
        const row = rows.get(`key:${testFingerprinter.fingerprint(secret)}`);
        expect({ secret, requests: row?.requests }).toEqual({ secret, requests });
        if (bytes !== undefined) expect({ secret, bytes: row?.bytesOut }).toEqual({ secret, bytes });
      }
      expect(keys.filter(({ kind }) => kind === 'key').length - accepted.length).toBeLessThanOrEqual(truth.tolerance);
    });

    test('no raw secret is in any output, also not the beginning of one', async () => {
      const truth = load(folder);
      const data = join(directory, `${name} ${folder}`);
      const html = join(directory, `${name} ${folder}.html`);
      const args = ['analyze', truth.path, '--data-dir', data, '--top', '100000', '--suggest'];
      const terminal = await runCli([...args, '--html', html], { columns: 400 });
      const json = await runCli([...args, '--json']);
      expect([terminal.code, json.code]).toEqual([0, 0]);
      const outputs = { terminal: terminal.stdout, stderr: terminal.stderr + json.stderr, json: json.stdout, html: readFileSync(html, 'utf8') };
      expect(truth.secrets.length).toBeGreaterThan(10);
      for (const [output, text] of Object.entries(outputs)) {
        if (output !== 'stderr') expect(text.length).toBeGreaterThan(1000);
        const leaked = truth.secrets.filter((secret) => text.includes(secret.slice(0, 16)));
        expect({ output, leaked }).toEqual({ output, leaked: [] });
      }
    });
  });
}

test('the replayed day of the demo agrees with an independent count, spilled user agents included', async () => {
  // zcat app/simulate/data/erddap-day.log.gz | awk -F'"' -f count.awk, with count.awk:
  //   { n++ }
  //   /^[0-9.]+ - / { e++; split($3, f, " "); s[f[1] == 499 ? "aborted" : substr(f[1], 1, 1) "xx"]++; b += f[2]
  //                   split($1, a, " "); k = a[1] " " $6; r[k]++; kb[k] += f[2] }
  //   END { print n, e, b; for (i in s) print i, s[i]; for (i in r) if (r[i] > m) { m = r[i]; t = i } print t, m, kb[t] }
  //   1198 1068 199017894 · 2xx 1016 · 3xx 16 · 4xx 32 · aborted 4 · 198.19.63.10 curl/7.54.0 558 3483898
  const report = await analyzeJson([join(import.meta.dirname, '../../../app/simulate/data/erddap-day.log.gz')]);
  expect(report.source).toMatchObject({ files: 1, records: 1198 });
  expect(report.totals).toMatchObject({
    events: 1068,
    rejected: 130,
    status: { '1xx': 0, '2xx': 1016, '3xx': 16, '4xx': 32, '5xx': 0 },
    bytesOut: 199_017_894,
  });
  expect(report.keys[0]).toMatchObject({ id: 'client:198.19.63.10 curl/7.54.0', requests: 558, bytesOut: 3_483_898 });
});

if (SHARED_DATA === undefined) process.stderr.write('the shared data is not here: tests on whole logs are skipped; set KEYWATCH_TEST_DATA to its folder\n');

describe.skipIf(SHARED_DATA === undefined)('public logs, counted by awk as well', () => {
  test('five days of ERDDAP: lines, status classes, bytes, and its busiest client', async () => {
    // awk -F'"' -f count.awk logs/erddap/access.log.* (the script above):
    //   6795 5628 1173816564 · 2xx 4829 · 3xx 69 · 4xx 705 · aborted 25 · 148.87.179.6 curl/7.54.0 2432 14884044
    // 499 is `aborted`: the client went away, so it is in no class. The 1,167 other lines are the second half of a user agent: `grep -cv '^[0-9.]* - '`.
    const report = await analyzeJson([`${SHARED_DATA}/logs/erddap/access.log.*`]);
    expect(report.source).toEqual({ files: 5, bytes: 1_010_102, records: 6795 });
    expect(report.totals).toEqual({
      events: 5628,
      dropped: 0,
      rejected: 1167,
      requests: 5628,
      status: { '1xx': 0, '2xx': 4829, '3xx': 69, '4xx': 705, '5xx': 0 },
      errors: 705,
      failedAuth: 0,
      bytesIn: null,
      bytesOut: 1_173_816_564,
    });
    expect(report.rejects).toEqual([{ reason: 'not_this_format', count: 1167, first: { source: `${SHARED_DATA}/logs/erddap/access.log.5`, position: 0 } }]);
    expect(report.keys[0]).toMatchObject({ id: 'client:148.87.179.6 curl/7.54.0', kind: 'client', requests: 2432, bytesOut: 14_884_044, clients: 1 });
    expect(report.keys.reduce((sum, key) => sum + key.requests, 0)).toBe(5628);
  });

  test('the combined log of 2015: lines, status classes, bytes, and its busiest client', async () => {
    // awk -F'"' -f count.awk logs/apache_combined.log:
    //   10000 10000 2747282740 · 2xx 9171 · 3xx 609 · 4xx 217 · 5xx 3 · 46.105.14.53 UniversalFeedParser/… 364 5413408
    // awk '$9 == 401 || $9 == 403' apache_combined.log | wc -l: 2. First and last: sort of $4, +0000.
    const report = await analyzeJson([`${SHARED_DATA}/logs/apache_combined.log`]);
    expect(report.source).toEqual({ files: 1, bytes: 2_370_789, records: 10_000 });
    expect(report.totals).toEqual({
      events: 10_000,
      dropped: 0,
      rejected: 0,
      requests: 10_000,
      status: { '1xx': 0, '2xx': 9171, '3xx': 609, '4xx': 217, '5xx': 3 },
      errors: 218,
      failedAuth: 2,
      bytesIn: null,
      bytesOut: 2_747_282_740,
    });
    expect(report.range).toEqual({ from: '2015-05-17T10:05:00.000Z', to: '2015-05-20T21:05:59.000Z' });
    expect(report.keys[0]).toMatchObject({
      id: 'client:46.105.14.53 UniversalFeedParser/4.2-pre-314-svn +http://feedparser.org/',
      requests: 364,
      bytesOut: 5_413_408,
    });
  });

  test('the same five days in one pipe, packed as one gzip of five members, give the same numbers', async () => {
    const packed = join(directory, 'all.log.gz');
    const days = [5, 4, 3, 2, 1].map((day) => readFileSync(`${SHARED_DATA}/logs/erddap/access.log.${day}`));
    writeFileSync(packed, Buffer.concat(days.map((bytes) => gzipSync(bytes))));
    const report = await analyzeJson([packed]);
    expect(report.totals).toMatchObject({ events: 5628, rejected: 1167, status: { '2xx': 4829, '3xx': 69, '4xx': 705 }, bytesOut: 1_173_816_564 });
    const piped = await analyzeJson(['-'], { stdin: Buffer.concat(days).toString('latin1') });
    expect(piped.totals).toMatchObject({ events: 5628, rejected: 1167, bytesOut: 1_173_816_564 });
  });
});
