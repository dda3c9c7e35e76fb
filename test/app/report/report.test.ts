import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ACTIVITY_BUCKETS_MAX, activityGrid, bucketOf, firstKeys } from '../../../app/report/report.ts';
import { reportRules } from '../../../app/report/rules.ts';
import { pointOf, resample } from '../../../app/report/series.ts';
import { alertGroups, kindsCounted, listed, spanText } from '../../../app/report/words.ts';
import { RULES } from '../../../detectors/registry.ts';
import { entityId } from '../../../core/types.ts';
import { DAY_MS, EVENT_TIME_MAX, EVENT_TIME_MIN, HOUR_MS, MINUTE_MS } from '../../../core/window.ts';
import { DAY, reportKey, sampleAlert } from './sample.ts';

describe('the activity grid', () => {
  test('covers any range in at most 96 whole buckets of whole minutes', () => {
    const time = fc.integer({ min: EVENT_TIME_MIN, max: EVENT_TIME_MAX - 1 });
    fc.assert(
      fc.property(time, time, (a, b) => {
        const [from, to] = a < b ? [a, b] : [b, a];
        const grid = activityGrid(from, to);
        return (
          grid.buckets >= 1 &&
          grid.buckets <= ACTIVITY_BUCKETS_MAX &&
          grid.bucketMs % MINUTE_MS === 0 &&
          grid.start % grid.bucketMs === 0 &&
          bucketOf(grid, from) === 0 &&
          bucketOf(grid, to) === grid.buckets - 1
        );
      }),
    );
  });

  test.each([
    ['a moment', 0, MINUTE_MS, 1],
    ['an hour', HOUR_MS - 1, MINUTE_MS, 60],
    ['a day', DAY_MS - 1, 15 * MINUTE_MS, 96],
    ['a week', 7 * DAY_MS - 1, 2 * HOUR_MS, 84],
  ] as const)('%s', (_name, length, bucketMs, buckets) => expect(activityGrid(DAY, DAY + length)).toEqual({ start: DAY, bucketMs, buckets }));
});

describe('resampling', () => {
  test('keeps every peak and shows each value at its own point', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 96 }), fc.nat(), (length, points, seed) => {
        const index = seed % length;
        const values = new Array<number>(length).fill(0);
        values[index] = 7;
        const result = resample(values, points);
        return result.length === Math.min(length, points) && result.filter((value) => value === 7).length === 1 && result[pointOf(index, length, points)] === 7;
      }),
    );
  });
});

describe('what each rule raised', () => {
  const alert = (rule: string, name: string, severity: 'medium' | 'critical', from: number) =>
    sampleAlert({ rule, entity: entityId('key', name), label: name, severity, from, minutes: 1, why: 'W.', observed: 2, expected: 1, action: 'a' });
  const alerts = [
    alert('request_rate', 'a', 'medium', DAY),
    alert('request_rate', 'a', 'critical', DAY + HOUR_MS),
    alert('request_rate', 'b', 'medium', DAY),
    alert('error_rate', 'b', 'critical', DAY),
  ];

  test('counts alerts, critical ones and keys, also where there are none', () => {
    const rules = reportRules(RULES, alerts);
    expect(rules.map((rule) => rule.rule)).toEqual(RULES.map((rule) => rule.id));
    expect(rules.find((rule) => rule.rule === 'request_rate')).toMatchObject({
      alerts: 3,
      criticals: 1,
      keys: 2,
      description: '500 / 1,000 requests in 1 min',
    });
    expect(rules.find((rule) => rule.rule === 'failed_auth')).toMatchObject({ alerts: 0, criticals: 0, keys: 0, description: '10 / 50 failures in 1 h' });
  });

  test('names the limits in force, and says when a rule is off', () => {
    const limits = new Map([
      ['request_rate', { critical: 2000 }],
      ['data_transfer', {}],
    ]);
    const rules = reportRules(RULES, [], limits);
    expect(rules.find((rule) => rule.rule === 'request_rate')?.description).toBe('2,000 requests in 1 min');
    expect(rules.find((rule) => rule.rule === 'data_transfer')?.description).toBe('off');
  });

  test('alerts of one rule on one key are one group, the most severe group first', () => {
    const groups = alertGroups(alerts);
    expect(groups.map((group) => [group.worst.rule, group.worst.label, group.worst.severity, group.alerts.length])).toEqual([
      ['request_rate', 'a', 'critical', 2],
      ['error_rate', 'b', 'critical', 1],
      ['request_rate', 'b', 'medium', 1],
    ]);
    expect([groups[0]?.from, groups[0]?.to]).toEqual([DAY, DAY + HOUR_MS + MINUTE_MS]);
  });
});

test('only the keys that are shown are made', () => {
  let made = 0;
  const keys = {
    length: 1_000_000,
    *[Symbol.iterator]() {
      for (;;) {
        made++;
        yield reportKey(entityId('key', `k${made}`));
      }
    },
  };
  expect(firstKeys(keys, 10).length).toBe(10);
  expect(firstKeys(keys, 0).length).toBe(0);
  expect(made).toBe(10);
});

describe('words', () => {
  test('lists read like sentences', () =>
    expect([listed([]), listed(['a']), listed(['a', 'b']), listed(['a', 'b', 'c'])]).toEqual(['', 'a', 'a and b', 'a, b and c']));
  test('one and many are told apart', () =>
    expect(kindsCounted({ key: 1, user: 0, client: 2, network: 1, refused: 0, late: 0 })).toBe('1 key, 2 clients and 1 network'));
  test('a day is said once', () => {
    expect(spanText(DAY, DAY + HOUR_MS)).toBe('2026-03-11 00:00 to 01:00');
    expect(spanText(DAY, DAY + DAY_MS)).toBe('2026-03-11 00:00 to 2026-03-12 00:00');
    expect(spanText(DAY, DAY + 59_000)).toBe('2026-03-11 00:00');
  });
});
