import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import type { AnalyzeJson } from '../../../app/report/schema.ts';
import { analyzeJson } from '../../e2e/support/analyze.ts';

const directory = mkdtempSync(join(tmpdir(), 'keywatch bad '));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const MIB = 2 ** 20;
const GOOD = '192.0.2.1 - - [23/Nov/2026:21:20:05 +0000] "GET /v1/status HTTP/1.1" 200 7 "-" "curl/8.5.0"';
const with_ = (from: string, to: string): string => GOOD.replace(from, to);

/** The lines of one log in order, and under which reason each is rejected. */
const LINES: readonly (readonly [line: string, reason?: string])[] = [
  [GOOD],
  ['x'.repeat(3 * MIB), 'line_too_long'],
  [GOOD],
  ['not a log line', 'not_this_format'],
  ['', 'empty_line'],
  ['\u0000'.repeat(64), 'binary'],
  [GOOD.slice(0, 55), 'truncated'],
  [with_('/v1/status', `/${'p'.repeat(MIB - GOOD.length)}`)],
  [with_('/v1/status', `/${'p'.repeat(MIB - GOOD.length + '/v1/status'.length)}`), 'line_too_long'],
  [with_('2026', '1970'), 'time_out_of_range'],
  [with_('2026', '2027')],
  [with_('23/Nov', '31/Feb'), 'bad_time'],
  [with_('" 200', '" 999'), 'bad_status'],
  [with_('" 200', '" 999'), 'bad_status'],
  ['second one of this kind', 'not_this_format'],
  [GOOD],
];
const TEXT = LINES.map(([line]) => `${line}\n`).join('');

/** Where each reason is met first, by adding up the lengths of the lines before. */
function expectedRejects(source: string): AnalyzeJson['rejects'] {
  const rejects = new Map<string, { count: number; position: number }>();
  let position = 0;
  for (const [line, reason] of LINES) {
    if (reason !== undefined) {
      const known = rejects.get(reason);
      if (known === undefined) rejects.set(reason, { count: 1, position });
      else known.count++;
    }
    position += line.length + 1;
  }
  return [...rejects].map(([reason, { count, position }]) => ({
    reason: reason as AnalyzeJson['rejects'][number]['reason'],
    count,
    first: { source, position },
  }));
}

function check(report: AnalyzeJson, source: string): void {
  expect(report.source.records).toBe(16);
  expect(report.totals).toMatchObject({ events: 5, rejected: 11, dropped: 0, requests: 5, bytesOut: 35 });
  const byPosition = (a: AnalyzeJson['rejects'][number], b: AnalyzeJson['rejects'][number]): number => a.first.position - b.first.position;
  expect(report.rejects.toSorted(byPosition)).toEqual(expectedRejects(source).toSorted(byPosition));
  expect(report.keys).toMatchObject([{ id: 'client:192.0.2.1 curl/8.5.0', requests: 5 }]);
}

describe('a log full of faults is read to its end, each fault under its reason with its first position', () => {
  const write = (name: string, bytes: Uint8Array | string): string => {
    const path = join(directory, name);
    writeFileSync(path, bytes);
    return path;
  };

  test('from a file', async () => {
    const path = write('bad.log', TEXT);
    check(await analyzeJson([path]), path);
  });

  test('packed, where positions are those of the unpacked content', async () => {
    const gz = write('bad.log.1.gz', gzipSync(TEXT));
    check(await analyzeJson([gz]), gz);
    const zst = write('bad.log.2.zst', zstdCompressSync(Buffer.from(TEXT)));
    check(await analyzeJson([zst]), zst);
  });

  test('from a pipe', async () => {
    check(await analyzeJson(['-'], { stdin: TEXT }), 'stdin');
  });

  test('also when the last line has no line feed, and when it is cut', async () => {
    const path = write('cut.log', `${TEXT}${GOOD}`);
    const report = await analyzeJson([path]);
    expect(report.totals).toMatchObject({ events: 6, rejected: 11 });
    const cut = await analyzeJson([write('cut2.log', `${TEXT}${GOOD.slice(0, 60)}`)]);
    expect(cut.rejects.find(({ reason }) => reason === 'truncated')).toMatchObject({ count: 2 });
  });

  test('a log of nothing but faults has no events, and says where', async () => {
    const lines = 'Traceback (most recent call last):\n'.repeat(3);
    const path = write('none.log', `${GOOD.slice(0, 55)}\n${lines}`);
    const report = await analyzeJson([path, '--format', 'combined']);
    expect(report.totals).toMatchObject({ events: 0, rejected: 4 });
    expect(report.range).toEqual({ from: null, to: null });
  });
});
