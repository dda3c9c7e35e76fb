import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EntityId } from '../../core/types.ts';
import { type LimitSuggestion, Suggester, friendly, suggestFromSeries } from '../../detectors/suggest.ts';
import { T0, key } from './support.ts';

function fromHistory(rule: string, values: readonly number[]): LimitSuggestion | undefined {
  const suggester = new Suggester();
  values.forEach((value, index) => {
    if (value > 0) suggester.observe(rule, key('a'), T0 + index, value);
  });
  return suggester.suggestions()[0];
}

const both: readonly [string, (rule: string, values: readonly number[]) => LimitSuggestion | undefined][] = [
  ['a history in buckets', fromHistory],
  ['a series at hand', (rule, values) => suggestFromSeries(rule, key('a'), values)],
];

describe.each(both)('from %s', (_name, suggest) => {
  test('the limit is the usual peak with half as much on top, rounded up to a number that people choose', () => {
    // Two days of 400 a minute.
    expect(suggest('request_rate', new Array<number>(2880).fill(400))).toMatchObject({
      warning: 600,
      critical: 1200,
      remaining: 0,
      unit: 'requests',
      windows: 2880,
    });
    expect(suggest('request_rate', new Array<number>(2880).fill(430))?.warning).toBe(800);
  });

  test('one minute in a thousand does not raise it, and would alert', () => {
    // 4 of 5,000 minutes, two by two and hours apart: two alerts.
    const values = new Array<number>(5000).fill(100);
    for (const minute of [1000, 1001, 3000, 3001]) values[minute] = 9000;
    expect(suggest('request_rate', values)).toMatchObject({ warning: 150, critical: 300, remaining: 2 });
  });

  test('a single minute over the warning is no alert, one over the critical limit is', () => {
    const quiet = new Array<number>(3000).fill(100);
    const warned = quiet.with(1500, 200);
    const critical = quiet.with(1500, 400);
    expect(suggest('request_rate', warned)).toMatchObject({ warning: 150, remaining: 0 });
    expect(suggest('request_rate', critical)).toMatchObject({ warning: 150, remaining: 1 });
  });

  test('two minutes of three over the warning are an alert, also with silence between', () => {
    const values = new Array<number>(3000).fill(100).with(1500, 200).with(1501, 0).with(1502, 200);
    expect(suggest('request_rate', values)).toMatchObject({ warning: 150, critical: 300, remaining: 1 });
  });

  test('breaches within 70 minutes of each other are one alert', () => {
    const pairAt = (...minutes: number[]): number[] => {
      const values = new Array<number>(9000).fill(100);
      for (const minute of minutes) values.splice(minute, 2, 9000, 9000);
      return values;
    };
    expect(suggest('request_rate', pairAt(1000, 1060))?.remaining).toBe(1);
    expect(suggest('request_rate', pairAt(1000, 1080))?.remaining).toBe(2);
  });

  test('a quiet key keeps a tenth of the shipped limit, and its failures the whole', () => {
    expect(suggest('request_rate', [1, 2, 1])).toMatchObject({ warning: 50, critical: 100 });
    expect(suggest('data_transfer', [1000])).toMatchObject({ warning: 52_428_800, critical: 107_374_183 });
    expect(suggest('failed_auth', [1])).toMatchObject({ warning: 10, critical: 50 });
    expect(suggest('error_rate', [0.01])).toMatchObject({ warning: 0.05, critical: 0.1 });
  });

  test('bytes come in round units and shares stay below all', () => {
    expect(suggest('data_transfer', new Array<number>(100).fill(2 * 1024 ** 3))).toMatchObject({ warning: 3 * 1024 ** 3, unit: 'bytes' });
    expect(suggest('error_rate', new Array<number>(100).fill(0.2))).toMatchObject({ warning: 0.3, critical: 0.6, unit: 'ratio' });
    expect(suggest('error_rate', new Array<number>(100).fill(0.9))).toMatchObject({ warning: 0.95, critical: 0.99 });
  });
});

test('the usual value of a history is within 3.2 % of the exact percentile', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 1, maxLength: 300 }), (values) => {
      const sorted = values.toSorted((a, b) => a - b);
      const exact = sorted[Math.ceil(0.999 * sorted.length) - 1] ?? 0;
      const usual = fromHistory('request_rate', values)?.usual ?? 0;
      expect(Math.abs(usual - exact)).toBeLessThanOrEqual(exact * 0.032 + 1);
    }),
  );
});

test('rules that know no usual are left out, and a full memory takes no new entities', () => {
  const suggester = new Suggester(1);
  for (const rule of ['guessing', 'entity_limit', 'nonsense']) suggester.observe(rule, key('a'), T0, 5);
  suggester.observe('request_rate', key('a'), T0, 5);
  suggester.observe('request_rate', key('b'), T0, 5);
  expect(suggester.suggestions().map(({ entity, rule }) => [entity, rule])).toEqual([[key('a'), 'request_rate']]);
  expect(suggester.left).toBe(1);
  expect(suggester.suggestions('key:b' as EntityId)).toEqual([]);
  expect(suggestFromSeries('guessing', key('a'), [1])).toBeUndefined();
  expect(suggestFromSeries('request_rate', key('a'), [0, 0])).toBeUndefined();
});

test.each([
  [0, 1],
  [0.3, 0.3],
  [1, 1],
  [1.03, 1],
  [1.05, 1.2],
  [7, 8],
  [9, 10],
  [600, 600],
  [620, 600],
  [630, 800],
  [1234, 1200],
  [1300, 1500],
])('the friendly number from %d on is %d', (value, number) => {
  expect(friendly(value)).toBe(number);
});

test('a friendly number is never far from its value', () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-6, max: 1e15, noNaN: true }), (value) => {
      expect(friendly(value)).toBeGreaterThanOrEqual(value * 0.96);
      expect(friendly(value)).toBeLessThanOrEqual(value * 1.35);
    }),
  );
});
