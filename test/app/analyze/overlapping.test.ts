import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { analyzeJson } from '../../e2e/support/analyze.ts';

const START = Date.UTC(2026, 5, 2, 9);

const stamp = (ms: number): string => {
  const [day, time] = new Date(ms).toISOString().slice(0, 19).split('T');
  const [year, , date] = (day ?? '').split('-');
  return `${date}/Jun/${year}:${time} +0000`;
};

/** A quiet log of two hours, and a busy minute of another gateway in the middle of it. */
test('what a log shows is judged although another log of the same time was read before it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'keywatch-overlap-'));
  try {
    const quiet = Array.from({ length: 120 }, (_, minute) => `198.18.0.1 - - [${stamp(START + minute * 60_000)}] "GET /a HTTP/1.1" 200 10 "-" "curl/8"\n`);
    const busy = Array.from({ length: 1500 }, (_, i) => `198.18.0.2 - - [${stamp(START + 30 * 60_000 + i * 30)}] "GET /b HTTP/1.1" 200 10 "-" "curl/8"\n`);
    writeFileSync(join(folder, 'a.log'), quiet.join(''));
    writeFileSync(join(folder, 'b.log'), busy.join(''));
    // 1,500 requests in the minute from 09:30, limit 1,000: by hand.
    for (const order of [
      ['a.log', 'b.log'],
      ['b.log', 'a.log'],
    ]) {
      const report = await analyzeJson(order.map((name) => join(folder, name)));
      expect(report.alerts.map(({ rule, entity, severity }) => ({ rule, entity, severity }))).toEqual([
        { rule: 'request_rate', entity: 'client:198.18.0.2 curl/8', severity: 'critical' },
      ]);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
