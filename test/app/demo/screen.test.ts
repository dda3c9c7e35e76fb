import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { displayWidth } from '../../../app/cli/text.ts';
import type { Paint } from '../../../app/cli/style.ts';
import { AttackLedger } from '../../../app/demo/ledger.ts';
import { planDemo } from '../../../app/demo/plan.ts';
import { renderScreen } from '../../../app/demo/screen.ts';
import type { FeedAlert, ScreenModel } from '../../../app/demo/screen-model.ts';
import { entityId, SEVERITIES } from '../../../core/types.ts';
import { alertOf } from './alert.ts';

const MINUTE = 60_000;
const plan = planDemo({ seed: 1, end: Date.UTC(2026, 5, 2, 12), spanMs: 60 * MINUTE });
const plain: Paint = (_, text) => text;
const coloured: Paint = (_, text) => `\u001b[31m${text}\u001b[39m`;

const BASE: ScreenModel = {
  speed: 60,
  now: plan.start + 20 * MINUTE,
  start: plan.start,
  end: plan.end,
  stats: { events: 0, rejected: 0, newest: 0, behindBytes: 0, entities: 0, top: [] },
  eventsPerSecond: 0,
  lagMs: 0,
  openAlerts: 0,
  attacks: new AttackLedger(plan.attacks, { speed: 60 }).lines(plan.start + 20 * MINUTE),
  alerts: [],
  messages: [],
  note: undefined,
};

/** Text as an attacker would choose it: escapes, controls, bidi marks, emoji, long words. */
const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.constantFrom('\u001b[2J\u001b[1;1H', 'a\nb', '\u202egnp.exe', '👩‍💻🔴日本語', 'x'.repeat(400), ''),
);

const feedAlert: fc.Arbitrary<FeedAlert> = fc.record({
  at: fc.integer({ min: plan.start, max: plan.end }),
  kind: fc.constantFrom('fired', 'severity_up', 'reopened', 'resolved'),
  severity: fc.constantFrom(...SEVERITIES),
  rule: hostile,
  label: hostile,
  why: hostile,
  afterMs: fc.option(fc.integer({ min: 0, max: 90_000_000 }), { nil: undefined }),
  attack: fc.option(hostile, { nil: undefined }),
});

const moment = fc.record({
  now: fc.integer({ min: plan.start - MINUTE, max: plan.end + MINUTE }),
  speed: fc.constantFrom(1, 24.5, 60, 600),
  events: fc.integer({ min: 0, max: 1e12 }),
  lagMs: fc.integer({ min: 0, max: 1e8 }),
  openAlerts: fc.nat(5_000),
  alerts: fc.array(feedAlert, { maxLength: 70 }),
  messages: fc.array(
    fc.record({ channel: fc.constantFrom('slack', 'email'), at: fc.integer({ min: plan.start, max: plan.end }), subject: hostile, text: hostile }),
    { maxLength: 5 },
  ),
  top: fc.array(
    fc.record({
      label: hostile,
      minutes: fc.array(fc.nat(2_000_000), { maxLength: 150 }),
      errorShare: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
      addresses: fc.nat(9_000_000),
    }),
    { maxLength: 30 },
  ),
  note: fc.option(fc.constantFrom('finishing', 'done'), { nil: undefined }),
});

/** Attacks and times are those of the plan: a counterexample shows only what was drawn at random. */
function modelOf(given: typeof moment extends fc.Arbitrary<infer Moment> ? Moment : never): ScreenModel {
  const { events, top, now, ...rest } = given;
  const stats = { events, rejected: events, newest: now, behindBytes: 3, entities: events, top: top.map((key) => ({ ...key, entity: entityId('key', 'x') })) };
  return { ...BASE, ...rest, now, attacks: new AttackLedger(plan.attacks, { speed: 60 }).lines(now), stats };
}

describe('demo screen', () => {
  test('fills any terminal exactly and never runs over its edge, whatever traffic says', () => {
    fc.assert(
      fc.property(
        moment,
        fc.integer({ min: 1, max: 220 }),
        fc.integer({ min: 1, max: 90 }),
        fc.constantFrom(plain, coloured),
        (given, columns, rows, paint) => {
          const lines = renderScreen(modelOf(given), { columns, rows, paint });
          expect(lines).toHaveLength(rows);
          for (const text of lines) expect(displayWidth(text)).toBeLessThanOrEqual(columns);
        },
      ),
      { numRuns: 100 },
    );
  });

  test('no escape sequence, control or bidi mark of traffic reaches the terminal', () => {
    fc.assert(
      fc.property(moment, (given) => {
        for (const text of renderScreen(modelOf(given), { columns: 120, rows: 40, paint: plain }))
          // oxlint-disable-next-line no-control-regex
          expect(text).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
      }),
      { numRuns: 100 },
    );
  });

  const SIZE = { columns: 120, rows: 40, paint: plain } as const;
  const text = (given: ScreenModel, size: { readonly columns: number; readonly rows: number; readonly paint: Paint } = SIZE): string =>
    renderScreen(given, size).join('\n');

  test('shows the clock, what is left, the rate, the lag and every attack', () => {
    const shown = text({ ...BASE, eventsPerSecond: 1_612, lagMs: 12 });
    for (const part of ['11:20:00Z', '40 s left', '1,612/s', 'lag 12 ms', ...plan.attacks.map((attack) => attack.title)]) expect(shown).toContain(part);
  });

  test('the clock and what is left stay on a narrow terminal', () => {
    expect(text(BASE, { columns: 60, rows: 24, paint: plain })).toMatch(/11:20:00Z.*40 s left/);
  });

  test('says that quiet attacks are not visible to thresholds', () => {
    expect(text({ ...BASE, now: plan.end, attacks: new AttackLedger(plan.attacks, { speed: 60 }).lines(plan.end) })).toContain(
      'not visible to thresholds; later detectors',
    );
  });

  test('a caught attack names its rule and its time, on the event clock and on the wall', () => {
    const ledger = new AttackLedger(plan.attacks, { speed: 60 });
    const storm = plan.attacks.find((attack) => attack.name === 'retry-storm');
    if (storm === undefined) throw new Error('no storm');
    const at = storm.start + 36_000;
    ledger.record(alertOf({ at, entity: entityId('key', storm.credentialIds[0] ?? ''), rule: 'request_rate' }), at);
    expect(text({ ...BASE, attacks: ledger.lines(at) })).toContain('✓ request_rate after 36 s (600 ms here)');
  });

  test('an alert is told by a word, a sentence and how long the attack had lasted', () => {
    const alert: FeedAlert = {
      at: plan.start,
      kind: 'fired',
      severity: 'critical',
      rule: 'request_rate',
      label: 'acme-mobile',
      why: '1,001 requests in the minute from 13:42, limit 1,000.',
      afterMs: 84_000,
      attack: 'retry storm',
    };
    const line = text({ ...BASE, alerts: [alert] })
      .split('\n')
      .find((one) => one.includes('acme-mobile'));
    expect(line).toContain('CRITICAL');
    expect(line).toContain('+1:24');
    expect(line).toContain('1,001 requests in the minute from 13:42, limit 1,000.');
    expect(text({ ...BASE, alerts: [{ ...alert, kind: 'resolved' }] })).toContain('RESOLVED');
  });

  test('the newest message of each channel stands in a frame', () => {
    const shown = text({
      ...BASE,
      messages: [
        { channel: 'slack', at: plan.start, subject: 's', text: 'old slack' },
        { channel: 'slack', at: plan.start, subject: 's', text: 'new slack\nsecond line' },
        { channel: 'email', at: plan.start, subject: 'mail subject', text: 'mail text' },
      ],
    });
    for (const part of ['Slack (2) as received', 'email (1) as received', 'new slack', 'second line', 'mail subject', 'mail text'])
      expect(shown).toContain(part);
    expect(shown).not.toContain('old slack');
  });

  test('the sparkline of a key is as long as there is room, newest on the right', () => {
    const top = [
      { entity: entityId('key', 'x'), label: 'acme-mobile', minutes: [...Array.from({ length: 100 }, () => 1), 8], errorShare: 0.004, addresses: 3 },
    ];
    const line = text({ ...BASE, stats: { ...BASE.stats, top } })
      .split('\n')
      .find((one) => one.includes('acme-mobile'));
    expect(line).toMatch(/▁{50,}█ /);
    expect(line).toContain('0.4 %');
  });
});
