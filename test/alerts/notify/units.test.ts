import { describe, expect, test } from 'vitest';
import { formatBytes, formatDuration, formatObserved, formatQuantity, formatShare, formatUtc, sparkline } from '../../../alerts/notify/units.ts';
import { MINUTE_MS } from '../../../core/window.ts';
import { T0, finding } from '../support/build.ts';

describe('numbers as people read them', () => {
  const quantities: readonly (readonly [number, Parameters<typeof formatQuantity>[1], string])[] = [
    [12_345, 'requests', '12,345 requests'],
    [1, 'requests', '1 request'],
    [0, 'failures', '0 failures'],
    [40, 'credentials', '40 credentials'],
    [5, 'minutes', '5 minutes'],
    [0.073, 'ratio', '7.3 %'],
    [1, 'ratio', '100 %'],
    [524_288_000, 'bytes', '500 MB'],
    [1_073_741_824, 'bytes', '1 GB'],
    [1_288_490_189, 'bytes', '1.2 GB'],
    [512, 'bytes', '512 B'],
  ];
  for (const [value, unit, want] of quantities) {
    test(`${value} ${unit} is ${want}`, () => {
      expect(formatQuantity(value, unit)).toBe(want);
    });
  }

  test('a unit takes over where rounding would reach it', () => {
    expect(formatBytes(1024 * 1024 - 1)).toBe('1 MB');
    expect(formatBytes(1023 * 1024)).toBe('1,023 KB');
  });

  test('a share that is not nothing is never 0 %', () => {
    expect(formatShare(0.0001)).toBe('< 0.1 %');
    expect(formatShare(0)).toBe('0 %');
  });

  test('what was observed comes with its stretch of time', () => {
    expect(formatObserved(finding({ minute: 0, observed: 2310 }))).toBe('2,310 requests in 1 min');
    expect(formatObserved({ ...finding({ minute: 0 }), unit: 'bytes', observed: 1_288_490_189, window: { start: T0 - 60 * MINUTE_MS, end: T0 } })).toBe(
      '1.2 GB in 1 h',
    );
  });

  const durations: readonly (readonly [number, string])[] = [
    [0, '0 s'],
    [40_000, '40 s'],
    [59_999, '1 min'],
    [25 * MINUTE_MS, '25 min'],
    [125_000, '2 min 5 s'],
    [65 * MINUTE_MS, '1 h 5 min'],
    [60 * MINUTE_MS, '1 h'],
    [(24 * 60 + 3) * MINUTE_MS, '1 d'],
    [(3 * 24 * 60 + 240) * MINUTE_MS, '3 d 4 h'],
  ];
  for (const [ms, want] of durations) {
    test(`${ms} ms is ${want}`, () => {
      expect(formatDuration(ms)).toBe(want);
    });
  }

  test('times are UTC and say so', () => {
    expect(formatUtc(T0)).toBe('2026-03-10 12:00:00 UTC');
  });

  test('a sparkline has one character per value, the largest full', () => {
    expect(sparkline([0, 1, 7, 14])).toBe('▁▂▅█');
    expect(sparkline([0, 0])).toBe('▁▁');
    expect(sparkline([])).toBe('');
  });
});
