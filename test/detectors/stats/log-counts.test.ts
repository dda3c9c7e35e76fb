import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { LogCounts } from '../../../detectors/stats/log-counts.ts';
import { quantileOf } from '../../../detectors/stats/quantile.ts';

test('quantiles are exact below 16 and within 3.2 % above', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 2 ** 31 - 1 }), { minLength: 1, maxLength: 200 }),
      fc.constantFrom(0.01, 0.5, 0.9, 0.999, 1),
      (values, p) => {
        const counts = new LogCounts();
        for (const value of values) counts.add(value);
        const exact = values.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(p * values.length)) - 1] ?? 0;
        const found = counts.quantile(p) ?? -1;
        expect(Math.abs(found - exact)).toBeLessThanOrEqual(exact < 16 ? 0 : exact * 0.032);
      },
    ),
  );
});

test('rises over a level are counted between buckets', () => {
  const counts = new LogCounts();
  counts.rise(0, 100);
  counts.rise(50, 1000);
  counts.rise(500, 600);
  expect([10, 70, 200, 520, 2000].map((level) => counts.risesOver(level))).toEqual([1, 2, 1, 2, 0]);
});

test('nothing has no quantile', () => {
  expect(new LogCounts().quantile(0.5)).toBeUndefined();
  expect(quantileOf([], 0.5)).toBeUndefined();
});

test('the exact quantile leaves its input as it was', () => {
  const values = [3, 1, 2];
  expect(quantileOf(values, 1)).toBe(3);
  expect(values).toEqual([3, 1, 2]);
});
