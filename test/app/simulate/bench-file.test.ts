import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type BenchFileOptions, writeBenchFile } from '../../../app/simulate/bench-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'keywatch-bench-file-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Counted = { requests: number; bytesOut: number; s2xx: number; s3xx: number; s4xx: number; s5xx: number; aborted: number };

function recount(
  path: string,
  entityOf: (line: string) => string,
  statusOf: (line: string) => number,
  bytesOf: (line: string) => number,
): Map<string, Counted> {
  const counted = new Map<string, Counted>();
  for (const line of readFileSync(path, 'utf8').trimEnd().split('\n')) {
    const name = entityOf(line);
    const entry = counted.get(name) ?? { requests: 0, bytesOut: 0, s2xx: 0, s3xx: 0, s4xx: 0, s5xx: 0, aborted: 0 };
    counted.set(name, entry);
    entry.requests++;
    entry.bytesOut += bytesOf(line);
    const status = statusOf(line);
    if (status === 499) entry.aborted++;
    else entry[`s${Math.floor(status / 100)}xx` as 's2xx']++;
  }
  return counted;
}

function expectTruth(
  options: BenchFileOptions,
  entityOf: (line: string) => string,
  statusOf: (line: string) => number,
  bytesOf: (line: string) => number,
): void {
  const file = writeBenchFile(options);
  const counted = recount(options.path, entityOf, statusOf, bytesOf);
  expect(file.bytes).toBe(statSync(options.path).size);
  expect(counted.size).toBe(file.entities.size);
  for (const [name, entry] of counted) expect(file.entities.get(name)).toMatchObject(entry);
  expect(file.total.requests).toBe(options.events);
}

describe('bench file', () => {
  test('ndjson: the truth equals a recount of the lines, and a line has 154 bytes on average', () => {
    const path = join(folder, 'a.ndjson');
    const field = (line: string, name: string): unknown => JSON.parse(line)[name];
    expectTruth(
      { path, format: 'ndjson', events: 60_000 },
      (line) => String(field(line, 'key')),
      (line) => Number(field(line, 'status')),
      (line) => Number(field(line, 'bytes')),
    );
    expect(Math.abs(statSync(path).size / 60_000 - 154)).toBeLessThan(1);
  });

  const STATUS = /" (\d{3}) (\d+) "/;

  test('combined by client: the truth equals a recount by address and agent', () => {
    expectTruth(
      { path: join(folder, 'c.log'), format: 'combined', events: 20_000, keys: 500 },
      (line) => `${line.split(' ')[0]} ${line.split('"')[5]}`,
      (line) => Number(STATUS.exec(line)?.[1]),
      (line) => Number(STATUS.exec(line)?.[2]),
    );
  });

  test('combined with the key in the URL: the truth equals a recount by key', () => {
    expectTruth(
      { path: join(folder, 'k.log'), format: 'combined', events: 20_000, keys: 500, keyParameter: 'api_key' },
      (line) => /[?&]api_key=([^& ]+)/.exec(line)?.[1] ?? '',
      (line) => Number(STATUS.exec(line)?.[1]),
      (line) => Number(STATUS.exec(line)?.[2]),
    );
  });

  test('a second call finds the file; other parameters, a changed file or a broken sidecar make it again', () => {
    const path = join(folder, 'r.ndjson');
    const options = { path, format: 'ndjson', events: 3_000, keys: 50 } as const;
    const first = writeBenchFile(options);
    const bytes = readFileSync(path);
    expect(first.isReused).toBe(false);
    const second = writeBenchFile(options);
    expect(second.isReused).toBe(true);
    expect(second.entities).toEqual(first.entities);
    expect(writeBenchFile({ ...options, seed: 2 }).isReused).toBe(false);
    expect(readFileSync(path).equals(bytes)).toBe(false);
    expect(writeBenchFile(options).isReused).toBe(false);
    expect(readFileSync(path).equals(bytes)).toBe(true);
    writeFileSync(path, bytes.subarray(0, 1_000));
    expect(writeBenchFile(options).isReused).toBe(false);
    writeFileSync(`${path}.truth.json`, '{"parameters":');
    expect(writeBenchFile(options).isReused).toBe(false);
    expect(writeBenchFile(options).isReused).toBe(true);
  });

  test('100,000 events fill a minute of event time', () => {
    const file = writeBenchFile({ path: join(folder, 'm.ndjson'), format: 'ndjson', events: 50_000, keys: 100 });
    expect(Math.abs(file.last - file.first - 30_000)).toBeLessThan(1_000);
  });
});
