import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type QuietHours, WEEKDAYS, quietUntil } from '../../alerts/quiet-hours.ts';
import { type Route, routerOf } from '../../alerts/route.ts';
import { routeGaps } from '../../alerts/route-gaps.ts';

const NOON = Date.parse('2026-11-23T12:00:00Z');
const route = (name: string, more: Partial<Route> = {}): Route => ({ name, matchers: [], to: [name], ownerless: [], continue: false, ...more });
const team = (value: string): Route['matchers'][number] => ({ label: 'team', op: '=', value });

describe('the list', () => {
  test('the first route that fits decides, and one that says continue lets the next be asked too', () => {
    const ask = routerOf([route('audit', { continue: true }), route('payments', { matchers: [team('payments')] }), route('rest')]);
    expect(ask({ severity: 'high', team: 'payments' }, NOON).channels).toEqual(['audit', 'payments']);
    expect(ask({ severity: 'high', team: 'search' }, NOON).channels).toEqual(['audit', 'rest']);
    expect(ask({ severity: 'high' }, NOON).steps.map(({ fits }) => fits)).toEqual([true, false, true]);
  });

  test('without a word on severity a route takes medium and above; a matcher or minSeverity says otherwise', () => {
    const told = (routes: readonly Route[]): readonly string[] =>
      ['info', 'low', 'medium', 'high', 'critical'].filter((severity) => routerOf(routes)({ severity }, NOON).channels.length > 0);
    expect(told([route('a')])).toEqual(['medium', 'high', 'critical']);
    expect(told([route('a', { minSeverity: 'high' })])).toEqual(['high', 'critical']);
    expect(told([route('a', { matchers: [{ label: 'severity', op: '=~', value: 'low|info' }] })])).toEqual(['info', 'low']);
  });

  test('the answer names the clause that decided', () => {
    const [step] = routerOf([route('payments', { matchers: [team('payments')] })])({ severity: 'high', team: 'search' }, NOON).steps;
    expect(step?.clause).toBe('team="payments" does not fit: it is "search"');
    expect(routerOf([route('a', { minSeverity: 'high' })])({ severity: 'medium' }, NOON).steps[0]?.clause).toBe('less severe than high');
    expect(routerOf([])({ severity: 'high' }, NOON)).toMatchObject({ channels: [], why: 'no route fits' });
  });

  test('owner is told where the inventory has a mail address, else those named instead', () => {
    const ask = routerOf([route('a', { to: ['owner', 'desk'], ownerless: ['fallback', 'desk'] })]);
    expect(ask({ severity: 'high', contact: 'maria@example.com' }, NOON).channels).toEqual(['owner', 'desk']);
    expect(ask({ severity: 'high' }, NOON).channels).toEqual(['desk', 'fallback']);
    expect(ask({ severity: 'high', contact: '#payments' }, NOON).channels).toEqual(['desk', 'fallback']);
    expect(ask({ severity: 'high', contact: 'a@b.example\r\nBcc: x@y.example' }, NOON).channels).toEqual(['desk', 'fallback']);
  });

  test('the labels of hostile keys are compared, never run', () => {
    const ask = routerOf([route('a', { matchers: [{ label: 'key', op: '=~', value: 'billing-.*' }] })]);
    for (const key of ['__proto__', 'constructor', 'billing', '\nbilling-x', 'billing-\u202Ex'.repeat(1000)]) {
      expect(ask({ severity: 'high', key }, NOON).channels).toEqual(key.startsWith('billing-') ? ['a'] : []);
    }
    expect(routerOf([route('a', { matchers: [{ label: 'toString', op: '=', value: '' }] })])({ severity: 'high' }, NOON).channels).toEqual(['a']);
  });
});

describe('quiet hours', () => {
  const night: QuietHours = { from: 20 * 60, to: 7 * 60, days: WEEKDAYS, timezone: 'Europe/Berlin', breakThrough: 'critical' };
  const ask = routerOf([route('office', { quiet: night }), route('rest')]);
  // Berlin is an hour ahead of UTC in November.
  test.each([
    ['2026-11-23T18:59:59Z', undefined],
    ['2026-11-23T19:00:00Z', '2026-11-24T06:00:00Z'],
    ['2026-11-24T05:59:59Z', '2026-11-24T06:00:00Z'],
    ['2026-11-24T06:00:00Z', undefined],
  ])('%s in Berlin, 20:00 to 07:00: quiet until %s', (at, until) => {
    expect(quietUntil(night)(Date.parse(at))).toBe(until === undefined ? undefined : Date.parse(until));
    expect(ask({ severity: 'high' }, Date.parse(at)).channels).toEqual(until === undefined ? ['office'] : []);
    expect(ask({ severity: 'critical' }, Date.parse(at)).channels).toEqual(['office']);
  });

  test('a quiet route holds: what it would tell does not fall through to the next one', () => {
    const decision = ask({ severity: 'high' }, Date.parse('2026-11-24T01:00:00Z'));
    expect(decision).toMatchObject({ channels: [], why: 'route office is quiet now', until: Date.parse('2026-11-24T06:00:00Z') });
    expect(decision.steps[0]?.clause).toContain('until 07:00 (Europe/Berlin)');
  });

  test('over the nights in which the clocks change they end at the local time', () => {
    // 29 March 2026, 02:00 becomes 03:00; 25 October 2026, 03:00 becomes 02:00.
    expect(quietUntil(night)(Date.parse('2026-03-28T22:00:00Z'))).toBe(Date.parse('2026-03-29T05:00:00Z'));
    expect(quietUntil(night)(Date.parse('2026-10-24T21:00:00Z'))).toBe(Date.parse('2026-10-25T06:00:00Z'));
  });

  test('days are those on which they begin, and equal times are a whole day', () => {
    const friday: QuietHours = { ...night, days: ['fri'] };
    expect(quietUntil(friday)(Date.parse('2026-11-28T02:00:00Z'))).toBe(Date.parse('2026-11-28T06:00:00Z'));
    expect(quietUntil(friday)(Date.parse('2026-11-28T22:00:00Z'))).toBeUndefined();
    const weekend: QuietHours = { ...night, from: 0, to: 0, days: ['sat', 'sun'], timezone: 'UTC' };
    expect(quietUntil(weekend)(Date.parse('2026-11-28T00:00:00Z'))).toBe(Date.parse('2026-11-29T00:00:00Z'));
    expect(quietUntil(weekend)(Date.parse('2026-11-30T00:00:00Z'))).toBeUndefined();
  });

  test('within them the end lies ahead, and at the end it is not quiet unless a next one begins', () => {
    const minutes = fc.integer({ min: 0, max: 1439 });
    fc.assert(
      fc.property(
        minutes,
        minutes,
        fc.constantFrom('UTC', 'Asia/Kathmandu', 'America/New_York', 'Australia/Lord_Howe'),
        fc.integer({ min: Date.parse('2026-01-01'), max: Date.parse('2026-12-31') }),
        (from, to, timezone, now) => {
          fc.pre(from !== to);
          const ends = quietUntil({ ...night, from, to, timezone });
          const end = ends(now);
          // Independent: the local time of day as text, compared as numbers.
          const [hour = 0, minute = 0] = new Intl.DateTimeFormat('en-GB', { timeZone: timezone, timeStyle: 'short' }).format(now).split(':').map(Number);
          const at = hour * 60 + minute;
          expect(end !== undefined).toBe(from < to ? at >= from && at < to : at >= from || at < to);
          if (end !== undefined) expect(end).toBeGreaterThan(now - 2 * 3_600_000);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('what a list leaves out', () => {
  test('severities that no route takes, that only conditions take, and routes that are never asked', () => {
    expect(routeGaps([route('a')])).toEqual({ never: [], sometimes: [], unreachable: [] });
    expect(routeGaps([route('a', { minSeverity: 'high' })])).toMatchObject({ never: ['medium'], sometimes: [] });
    expect(routeGaps([route('a', { matchers: [team('x')] })])).toMatchObject({ never: [], sometimes: ['medium', 'high', 'critical'] });
    expect(routeGaps([route('a'), route('b', { matchers: [team('x')] })])).toMatchObject({ unreachable: [{ index: 1, by: 'a' }] });
    expect(routeGaps([route('a', { continue: true }), route('b')])).toMatchObject({ unreachable: [] });
    expect(routeGaps([route('a', { matchers: [{ label: 'severity', op: '=', value: 'sever' }] })]).never).toHaveLength(5);
  });
});
