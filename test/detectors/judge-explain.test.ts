import { describe, expect, test } from 'vitest';
import type { Finding } from '../../core/finding.ts';
import type { Minute } from '../../core/types.ts';
import { startOf } from '../../core/window.ts';
import { type Judge, createJudge } from '../../detectors/judge.ts';
import { LATER, NET, NOBODY, T0, batch, client, closeAll, directoryOf, findings, key, row, segment, tried } from './support.ts';

describe('explanations', () => {
  test('name routes, addresses and agents with their share of the requests, heaviest first', () => {
    const judge = createJudge({ directory: directoryOf() });
    const tallies = {
      route: { 'GET /export': 450, 'GET /a': 90, 'GET /b': 54, 'GET /c': 6 },
      address: { '203.0.113.9': 600 },
      agent: { 'curl/8': 300, python: 300 },
    };
    judge.observe(batch([row(T0, key('a'), { requests: 600, tallies })]), LATER);
    expect(closeAll(judge)[0]?.contributions).toEqual([
      { dimension: 'route', value: 'GET /export', share: 0.75 },
      { dimension: 'route', value: 'GET /a', share: 0.15 },
      { dimension: 'route', value: 'GET /b', share: 0.09 },
      { dimension: 'address', value: '203.0.113.9', share: 1 },
      { dimension: 'agent', value: 'curl/8', share: 0.5 },
      { dimension: 'agent', value: 'python', share: 0.5 },
    ]);
  });

  test('of errors are shares of what failed', () => {
    const judge = createJudge({ directory: directoryOf(), rules: ['error_rate'] });
    judge.observe(
      batch([row(T0, key('a'), { requests: 100, s5xx: 20, tallies: { route: { 'GET /fine': 70, 'GET /bad': [25, 15], 'GET /worse': [5, 5] } } })]),
      LATER,
    );
    expect(findings(judge.advance(startOf(T0 + 1), NOBODY).evaluations)[0]?.contributions).toEqual([
      { dimension: 'route', value: 'GET /bad', share: 0.75 },
      { dimension: 'route', value: 'GET /worse', share: 0.25 },
    ]);
  });

  test('of bytes weigh every minute with what it moved, over the whole hour and several segments', () => {
    const judge = createJudge({ directory: directoryOf(), rules: ['data_transfer'] });
    judge.observe(
      batch([row(T0, key('a'), { requests: 10, bytesOut: 150_000_000, bytesOutKnown: 10, tallies: { route: { 'GET /file': 10 } } })], { segment: segment(0) }),
      LATER,
    );
    judge.advance(startOf(T0 + 30), NOBODY);
    judge.observe(
      batch([row(T0 + 50, key('a'), { requests: 1000, bytesOut: 400_000_000, bytesOutKnown: 10, tallies: { route: { 'GET /ping': 500, 'GET /x': 500 } } })], {
        segment: segment(9),
      }),
      LATER,
    );
    const { evaluations } = judge.advance(startOf(T0 + 51), NOBODY);
    expect(findings(evaluations)[0]).toMatchObject({
      observed: 550_000_000,
      why: '524.5 MB transferred, mostly in responses, in the hour to 10:51 UTC, limit 500 MB (request sizes are not in this log).',
      contributions: [
        { dimension: 'route', value: 'GET /ping', share: 0.364 },
        { dimension: 'route', value: 'GET /x', share: 0.364 },
        { dimension: 'route', value: 'GET /file', share: 0.273 },
      ],
    });
  });

  test('of guessing name credentials as people call them, never a whole fingerprint', () => {
    const judge = createJudge({ directory: directoryOf({ known: { kf1_0123456789abcdef: key('billing') } }) });
    const counts = { kf1_0123456789abcdef: 40, ...Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`kf1_ffff${index}aaaaaaaaaa`, 1])) };
    judge.observe(batch([row(T0, NET, tried(counts))]), LATER);
    const finding = findings(judge.advance(startOf(T0 + 1), NOBODY).evaluations).find(({ rule }) => rule === 'guessing');
    expect(finding?.contributions[0]).toEqual({ dimension: 'credential', value: 'key billing', share: 0.816 });
    expect(JSON.stringify(finding)).not.toContain('aaaaaaaaaa');
  });

  test('never hold text from traffic in the sentence or the action', () => {
    const judge = createJudge({ directory: directoryOf() });
    const hostile = client('203.0.113.9 <script>evil');
    judge.observe(batch([row(T0, hostile, { requests: 5000, failedAuth: 90, s5xx: 4000, bytesOut: 2e9, tallies: { route: { evil: 5000 } } })]), LATER);
    const found = findings(judge.advance(startOf(T0 + 1), NOBODY).evaluations);
    expect(found.map(({ rule }) => rule)).toEqual(['request_rate', 'error_rate', 'data_transfer', 'failed_auth']);
    for (const { why, action } of found) {
      expect(why + action).not.toContain('evil');
      expect(why).toMatch(/\.$/);
      expect(why).not.toMatch(/\bkey\b/);
    }
  });

  test('are given up first when memory is short; the findings stay', () => {
    const rows = (minute: Minute): ReturnType<typeof row>[] =>
      Array.from({ length: 50 }, (_, index) => row(minute, key(`k${index}`), { requests: 1, bytesOut: 11_000_000, tallies: { route: { 'GET /export': 1 } } }));
    const run = (evidenceBytesMax?: number): { judge: Judge; found: Finding[] } => {
      const judge = createJudge({ directory: directoryOf(), rules: ['data_transfer'], evidenceBytesMax });
      const found: Finding[] = [];
      for (let minute = 0; minute < 50; minute++) {
        judge.observe(batch(rows(T0 + minute), { segment: segment(minute) }), LATER);
        found.push(...findings(judge.advance(startOf(T0 + minute + 1), NOBODY).evaluations));
        if (evidenceBytesMax !== undefined) expect(judge.stats().evidenceBytes).toBeLessThan(evidenceBytesMax + 10_000);
      }
      judge.advance(startOf(T0 + 500), NOBODY);
      expect(judge.stats().evidenceBytes).toBe(0);
      return { judge, found };
    };
    const roomy = run().found;
    expect(roomy).toHaveLength(50 * 3);
    expect(roomy.every(({ contributions }) => contributions.length === 1)).toBe(true);
    const plain = (found: Finding[]): unknown[] => found.map(({ id, observed, score }) => ({ id, observed, score }));
    expect(plain(run(20_000).found)).toEqual(plain(roomy));
    expect(plain(run(0).found)).toEqual(plain(roomy));
  });
});
