import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { scoreOf } from '../../detectors/score.ts';

const LIMITS = { warning: 500, critical: 1000 };

test.each([
  [500, false, 50],
  [501, false, 50],
  [625, false, 60],
  [750, false, 70],
  [1000, false, 89],
  [1001, true, 90],
  [2000, true, 95],
  [3000, true, 100],
  [1e9, true, 100],
])('%d with limits 500 and 1,000, critical %s, scores %d', (observed, isCritical, score) => {
  expect(scoreOf(observed, LIMITS, isCritical)).toBe(score);
});

test('with one limit only, a warning ends below 90 and a critical one begins there', () => {
  expect(scoreOf(500, { warning: 500 }, false)).toBe(50);
  expect(scoreOf(1000, { warning: 500 }, false)).toBe(70);
  expect(scoreOf(1e9, { warning: 500 }, false)).toBe(89);
  expect(scoreOf(1001, { critical: 1000 }, true)).toBe(90);
});

test('limits of 0 and limits the wrong way round give a score all the same', () => {
  expect(scoreOf(7, { warning: 0 }, false)).toBe(50);
  expect(scoreOf(7, { warning: 0, critical: 0 }, true)).toBe(90);
  expect(scoreOf(150, { warning: 200, critical: 100 }, true)).toBe(93);
});

test('a score is an integer from 50 to 100 that grows with the value, critical from 90 on', () => {
  const value = fc.double({ min: 500, max: 1e6, noNaN: true });
  fc.assert(
    fc.property(value, value, (a, b) => {
      const [low, high] = [Math.min(a, b), Math.max(a, b)].map((observed) => scoreOf(observed, LIMITS, observed > 1000));
      expect(Number.isInteger(low)).toBe(true);
      expect(low).toBeGreaterThanOrEqual(50);
      expect(high).toBeLessThanOrEqual(100);
      expect(low).toBeLessThanOrEqual(high ?? 0);
    }),
  );
});
