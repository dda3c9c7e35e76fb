import { describe, test } from 'vitest';
import { RULE, T0 } from './support/build.ts';
import { type Script, playAndExpect } from './support/script.ts';
import { entityId } from '../../core/types.ts';
import { HOUR_MS, MINUTE_MS } from '../../core/window.ts';
import { thresholdSpec } from '../../alerts/rule-spec.ts';

const two = [thresholdSpec(RULE), thresholdSpec('data_transfer')];
const family = [
  { ...thresholdSpec('failed_auth'), family: 'auth', rank: 0 },
  { ...thresholdSpec('guessing'), family: 'auth', rank: 1 },
];
const keys = (amount: number, says: string) => Array.from({ length: amount }, (_, index) => ({ says, entity: entityId('key', `k${index}`) }));
const silence = (minutes: number) =>
  ({ kind: 'add_silence', matchers: [{ label: 'rule', op: '=', value: RULE }], endsAt: T0 + minutes * MINUTE_MS, reason: 'known' }) as const;

const TELLING: readonly Script[] = [
  {
    // 60 twice of each: a risk of 240, and high waits for fifteen seconds.
    name: 'two rules on one key within the wait are one notice',
    lanes: ['MM', { says: 'MM', rule: 'data_transfer' }],
    setup: (harness) => void (harness.rules = two),
    until: 10,
    expect: [['fired', 3.2, 3.4]],
  },
  {
    name: 'a rule that joins later is told in the same incident, as severe as both together are',
    lanes: ['MMMMMMMMMMMM', { says: '      MM', rule: 'data_transfer' }],
    setup: (harness) => void (harness.rules = two),
    until: 15,
    expect: [
      ['fired', 4, 4.2],
      ['severity_up', 9, 9.2],
    ],
  },
  {
    name: 'a rule that joins what is as severe is told as that, and the risk of both is no message of its own',
    lanes: ['CCCCCCCC', { says: '   CCCCC', rule: 'data_transfer' }],
    setup: (harness) => void (harness.rules = two),
    until: 10,
    expect: [
      ['fired', 2, 2.1],
      ['joined', 5, 5.2],
    ],
  },
  {
    name: 'it ends when all its alerts have ended',
    lanes: ['C.', { says: 'CCCCCC.', rule: 'data_transfer' }],
    setup: (harness) => void (harness.rules = two),
    until: 30,
    expect: [
      ['fired', 2, 2.1],
      ['resolved', 17, 19],
    ],
  },
  { name: 'five keys on one rule are one fleet incident', lanes: keys(5, 'MM'), until: 10, expect: [['fired', 4, 4.2]] },
  {
    name: 'four keys are four',
    lanes: keys(4, 'MM'),
    until: 10,
    expect: [
      ['fired', 4, 4.2],
      ['fired', 4, 4.2],
      ['fired', 4, 4.2],
      ['fired', 4, 4.2],
    ],
  },
  {
    name: 'a critical key of a fleet is told by itself, too',
    lanes: [...keys(6, 'MM'), { says: 'C', entity: entityId('key', 'worst') }],
    until: 10,
    expect: [
      ['fired', 2, 2.1],
      ['fired', 3, 4.2],
    ],
  },
  {
    name: 'critical repeats after 30 min, 1 h and 2 h, counted from what arrived',
    lanes: ['C'],
    setup: (harness) => void (harness.more = { escalation: { critical: [] } }),
    until: 230,
    expect: [
      ['fired', 2, 2.1],
      ['repeat', 32, 32.2],
      ['repeat', 92, 92.3],
      ['repeat', 212, 212.4],
    ],
  },
  {
    name: 'a restart neither resets nor hurries a repeat',
    lanes: ['C'],
    setup: (harness) => void (harness.more = { escalation: { critical: [] } }),
    acts: [
      [20, 'stop'],
      [31, 'kill'],
      [60, 'stop'],
    ],
    until: 100,
    expect: [
      ['fired', 2, 2.1],
      ['repeat', 32, 32.2],
      ['repeat', 92, 92.4],
    ],
  },
  {
    name: 'repeats count from the send that succeeded',
    lanes: ['C'],
    setup: (harness) => void (harness.more = { escalation: { critical: [] } }),
    acts: [
      [1, 'slack fails'],
      [12, 'slack works'],
    ],
    until: 50,
    expect: [
      ['fired', 12, 17],
      ['repeat', 42, 47.2],
    ],
  },
  {
    name: 'nobody acknowledges: the steps come in time, also over a restart',
    lanes: ['C'],
    setup: (harness) =>
      void (harness.more = {
        escalation: {
          critical: [
            { afterMs: 10 * MINUTE_MS, mentions: true },
            { afterMs: 20 * MINUTE_MS, channels: ['email'] },
          ],
        },
      }),
    acts: [[8, 'kill']],
    until: 28,
    expect: [
      ['fired', 2, 2.1],
      ['escalated', 12, 12.2],
    ],
  },
  {
    name: 'a silence keeps quiet, and at its end what still fires is told to who knew',
    lanes: ['M'],
    acts: [[6, silence(30)]],
    until: 40,
    expect: [
      ['fired', 4, 4.2],
      ['still_firing', 30, 30.2],
    ],
  },
  {
    name: 'a silence from before: at its end it is told for the first time',
    lanes: ['  M'],
    acts: [[1, silence(30)]],
    until: 40,
    expect: [['fired', 30, 30.2]],
  },
  {
    name: 'what ends under a silence is told to who was told',
    lanes: ['MMMMMM.'],
    acts: [[6, silence(60)]],
    until: 30,
    expect: [
      ['fired', 4, 4.2],
      ['resolved', 17, 19],
    ],
  },
  {
    name: 'a silence ends early for what gets more severe',
    lanes: ['MMMMMMMMMMC'],
    acts: [[6, silence(60)]],
    until: 15,
    expect: [
      ['fired', 4, 4.2],
      ['severity_up', 12, 12.2],
    ],
  },
  {
    name: 'maintenance mutes, and ends by itself',
    lanes: ['M'],
    acts: [[1, { kind: 'add_maintenance', matchers: [], startsAt: T0, endsAt: T0 + 20 * MINUTE_MS, reason: 'move' }]],
    until: 30,
    expect: [['fired', 20, 20.2]],
  },
  {
    name: 'an exception covers up to its value, and not more',
    lanes: ['MMMMMMMMX'],
    acts: [[1, { kind: 'add_exception', entity: entityId('key', 'kf1_9f3c12ab'), rule: RULE, upTo: 2000, until: T0 + 24 * HOUR_MS, reason: 'export' }]],
    until: 12,
    expect: [['fired', 10, 10.2]],
  },
  {
    name: 'the higher rule of a family speaks',
    lanes: [
      { says: 'CC', rule: 'failed_auth' },
      { says: 'CC', rule: 'guessing' },
    ],
    setup: (harness) => void (harness.rules = family),
    until: 8,
    expect: [['fired', 2, 2.1]],
  },
  {
    name: 'a new installation only looks; far over a critical limit is told at once',
    lanes: ['C', { says: '     X', entity: entityId('key', 'far') }],
    setup: (harness) => void (harness.more = { surveyMs: 2 * HOUR_MS, escalation: { critical: [] } }),
    until: 125,
    expect: [
      ['fired', 7, 7.2],
      ['repeat', 37, 37.2],
      ['survey', 62, 63],
      ['repeat', 97, 97.4],
      ['fired', 120, 123],
      ['survey', 122, 123],
    ],
  },
  {
    name: 'while the data is behind nothing ends because it is silent, and that is told once',
    lanes: ['C.'],
    acts: [
      [4, 'stale'],
      [9, 'fresh'],
    ],
    until: 10,
    expect: [
      ['fired', 2, 2.1],
      ['pipeline', 4, 4.3],
      ['pipeline', 9, 9.3],
    ],
  },
  {
    name: 'what comes and goes four times an hour is said once, and then its end',
    lanes: [`${'CC...........'.repeat(4)}.`],
    until: 130,
    setup: (harness) => void (harness.more = { escalation: { critical: [] } }),
    expect: [
      ['fired', 2, 2.1],
      ['resolved', 13, 15],
      ['reopened', 15, 15.2],
      ['resolved', 26, 28],
      ['flapping', 28, 28.2],
      ['resolved', 100, 105],
    ],
  },
];

describe('grouping, repeats, escalation, and what mutes', () => {
  test.each(TELLING)('$name', async (script) => playAndExpect(script));
});
