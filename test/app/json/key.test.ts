import { describe, expect, test } from 'vitest';
import { compareKeys, keyJson, keySchema, keySummary } from '../../../app/json/key.ts';
import { alertJson, alertSchema } from '../../../app/json/alert.ts';
import { stringify } from '../../../app/json/stringify.ts';
import { C, emptyCounters } from '../../../core/counters.ts';
import { entityId } from '../../../core/types.ts';
import { DAY, sampleAlert } from '../report/sample.ts';

describe('a key as JSON', () => {
  test('every counter of the contract arrives under its name', () => {
    const counters = emptyCounters();
    counters[C.requests] = 100;
    counters[C.s2xx] = 70;
    counters[C.s3xx] = 5;
    counters[C.s4xx] = 20;
    counters[C.s5xx] = 3;
    counters[C.aborted] = 2;
    counters[C.s401] = 6;
    counters[C.s403] = 4;
    counters[C.s429] = 1;
    counters[C.failedAuth] = 10;
    counters[C.bytesOut] = 12_345;
    counters[C.bytesOutKnown] = 100;
    counters[C.first] = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
    counters[C.last] = Date.UTC(2026, 0, 2, 4, 0, 0);
    const json = keyJson(keySummary({ entity: entityId('key', 'k1'), counters, addresses: 3 }));
    expect(json).toEqual({
      id: 'key:k1',
      kind: 'key',
      requests: 100,
      status: { '1xx': 0, '2xx': 70, '3xx': 5, '4xx': 20, '5xx': 3 },
      errors: 12,
      failedAuth: 10,
      bytesIn: null,
      bytesOut: 12_345,
      clients: 3,
      first: '2026-01-02T03:04:05.678Z',
      last: '2026-01-02T04:00:00.000Z',
    });
    expect(keySchema.safeParse(json).success).toBe(true);
  });

  test('a size that was seen and is zero is 0, one that was never seen is null', () => {
    const counters = emptyCounters();
    counters[C.requests] = 2;
    counters[C.bytesInKnown] = 2;
    const key = keySummary({ entity: entityId('client', '192.0.2.1 curl'), counters, addresses: 0 });
    expect([key.bytesIn, key.bytesOut, key.clients]).toEqual([0, null, null]);
  });

  test('an owner without events has no times', () => {
    const json = keyJson(keySummary({ entity: entityId('user', 'eve'), counters: emptyCounters(), addresses: 0 }));
    expect([json.first, json.last]).toEqual([null, null]);
  });

  test('lists are ordered by requests, then by id', () => {
    const keys = [
      { requests: 1, id: entityId('key', 'b') },
      { requests: 7, id: entityId('key', 'z') },
      { requests: 1, id: entityId('key', 'a') },
    ];
    expect(keys.sort(compareKeys).map((key) => key.id)).toEqual(['key:z', 'key:a', 'key:b']);
  });
});

describe('an alert as JSON', () => {
  const alert = sampleAlert({
    rule: 'request_rate',
    entity: entityId('key', 'k1'),
    label: 'billing',
    severity: 'critical',
    score: 91,
    from: Date.UTC(2026, 0, 2, 3, 4),
    minutes: 6,
    why: 'Too many.',
    observed: 1320,
    expected: 1000,
    action: 'apply rate limiting',
  });

  test('a resolved alert has both ends', () => {
    const json = alertJson(alert);
    expect(json).toEqual({
      id: alert.id,
      rule: 'request_rate',
      entity: 'key:k1',
      severity: 'critical',
      score: 91,
      start: '2026-01-02T03:04:00.000Z',
      end: '2026-01-02T03:10:00.000Z',
      state: 'resolved',
      why: 'Too many.',
      observed: 1320,
      expected: 1000,
    });
    expect(alertSchema.safeParse(json).success).toBe(true);
  });

  test('an open alert has no end', () => {
    const open = sampleAlert({
      rule: 'r',
      entity: entityId('key', 'k1'),
      label: 'k1',
      severity: 'low',
      from: DAY,
      minutes: 2,
      state: 'firing',
      why: 'W.',
      observed: 2,
      expected: 1,
      action: 'a',
    });
    expect(alertJson(open).end).toBeNull();
  });
});

test('JSON of hostile text is pure to a terminal and the same to a parser', () => {
  const hostile = 'a\u202eb\u200bc\u0007d\u009be\u2028f\ud800g"\\';
  const text = stringify({ hostile });
  expect(/[\p{Cc}\u200b-\u200f\u2028-\u202e]/u.test(text)).toBe(false);
  expect(JSON.parse(text)).toEqual({ hostile });
});
