import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatAgo,
  formatBytes,
  formatCount,
  formatDuration,
  formatLatency,
  formatNumber,
  formatPercent,
  formatTime,
  sparkline,
} from '../../../app/cli/format.ts';

describe('numbers for people', () => {
  test.each([
    [formatNumber, 1234567, '1,234,567'],
    [formatNumber, 0, '0'],
    [formatNumber, 1.239, '1.24'],
    [formatNumber, null, '–'],
    [formatNumber, undefined, '–'],
    [formatNumber, Number.NaN, '–'],
    [formatCount, 9999, '9,999'],
    [formatCount, 12345, '12.3k'],
    [formatCount, 999_999, '1M'],
    [formatCount, 4_560_000, '4.56M'],
    [formatBytes, 0, '0 B'],
    [formatBytes, 1023, '1,023 B'],
    [formatBytes, 1024, '1 KB'],
    [formatBytes, 1536, '1.5 KB'],
    [formatBytes, 1024 ** 3, '1 GB'],
    [formatBytes, 1024 ** 2 - 1, '1 MB'],
    [formatBytes, null, '–'],
    [formatDuration, 0, '0 ms'],
    [formatDuration, 0.25, '0.25 ms'],
    [formatDuration, 820, '820 ms'],
    [formatDuration, 1500, '1.5 s'],
    [formatDuration, 125_000, '2 min 5 s'],
    [formatDuration, 59_999, '1 min'],
    [formatDuration, 3_600_000, '1 h'],
    [formatDuration, 3_599_999, '1 h'],
    [formatDuration, 86_400_000 * 3 + 3_600_000 * 4, '3 d 4 h'],
    [formatDuration, -1500, '-1.5 s'],
    [formatLatency, 850, '850 µs'],
    [formatLatency, 12_000, '12 ms'],
    [formatPercent, 0.1234, '12.3 %'],
    [formatPercent, 0, '0 %'],
    [formatPercent, 1, '100 %'],
    [formatPercent, 0.00041, '0.04 %'],
    [formatTime, Date.parse('2026-11-23T10:42:00.999Z'), '2026-11-23 10:42:00Z'],
    [formatTime, 0, '–'],
    [formatTime, Number.POSITIVE_INFINITY, '–'],
  ] as const)('%o of %s is %s', (format: (value: number | null | undefined) => string, value, want) => {
    expect(format(value)).toBe(want);
  });

  test('no number is ever printed as NaN or with a unit out of place', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, noNaN: true }), (value) => {
        for (const format of [formatNumber, formatCount, formatBytes, formatDuration, formatLatency, formatPercent])
          expect(format(value)).not.toMatch(/NaN|undefined/);
      }),
    );
  });
});

test.each([
  [4_000, '4 s ago'],
  [-120_000, 'in 2 min'],
  [0, 'now'],
  [3 * 86_400_000 + 5000, '3 d ago'],
])('%s ms before now is %s', (ago, want) => {
  const now = Date.parse('2026-11-23T12:00:00Z');
  expect(formatAgo(now - ago, now)).toBe(want);
});

test('a sparkline shows silence as a blank and the largest value as a full bar', () => {
  expect(sparkline([0, 1, 50, 100])).toBe(' ▁▄█');
  expect(sparkline([0, 0])).toBe('  ');
  expect(sparkline([])).toBe('');
});
