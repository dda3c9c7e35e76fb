import { describe, expect, test } from 'vitest';
import { RULE, T0 } from './support/build.ts';
import { type Script, play, playAndExpect } from './support/script.ts';
import { entityId } from '../../core/types.ts';
import { HOUR_MS, MINUTE_MS } from '../../core/window.ts';
import { thresholdSpec } from '../../alerts/rule-spec.ts';

const two = [thresholdSpec(RULE), thresholdSpec('data_transfer')];
const family = [
  { ...thresholdSpec('failed_auth'), family: 'auth', rank: 0 },
  { ...thresholdSpec('guessing'), family: 'auth', rank: 1 },
];
const keys = (amount: number, says: string) => Array.from({ length: amount }, (_, index) => ({ says, entity: entityId('key', `k${index}`) }));
const ack = { kind: 'acknowledge', target: 'INC-1' } as const;
const silence = (minutes: number) =>
  ({ kind: 'add_silence', matchers: [{ label: 'rule', op: '=', value: RULE }], endsAt: T0 + minutes * MINUTE_MS, reason: 'known' }) as const;

const TRANSITIONS: readonly Script[] = [
  {
    name: 'one medium minute is pending, and goes away unheard',
    lanes: ['M....'],
    until: 20,
    expect: [],
    moves: ['ok>pending first_breach', 'pending>ok not_confirmed'],
  },
  {
    name: 'two of three confirm; medium is told a minute later, high after 15 s, critical at once',
    lanes: ['MM'],
    until: 10,
    expect: [['fired', 4, 4.2]],
    moves: ['pending>firing confirmed'],
  },
  { name: 'high waits 15 s for company', lanes: ['HH'], until: 10, expect: [['fired', 3.25, 3.4]] },
  { name: 'critical is told at once', lanes: ['C'], until: 10, expect: [['fired', 2, 2.1]] },
  { name: 'low is for the digest', lanes: ['LLL'], until: 30, expect: [] },
  {
    name: 'clear for ten minutes ends it, and whoever was told is told',
    lanes: ['C.'],
    until: 20,
    expect: [
      ['fired', 2, 2.1],
      ['resolved', 12, 13.1],
    ],
    moves: ['firing>recovering cleared', 'recovering>resolved held_clear'],
  },
  {
    name: 'between the limit and the clearing line it stays',
    lanes: ['C---------------'],
    until: 25,
    expect: [
      ['fired', 2, 2.1],
      ['escalated', 12, 12.2],
    ],
  },
  {
    name: 'a breach while it recovers is a dip, and no news',
    lanes: ['C...C.'],
    until: 11,
    expect: [['fired', 2, 2.1]],
    moves: ['firing>recovering cleared', 'recovering>firing breach_again'],
  },
  {
    name: 'an hour after its end it is archived',
    lanes: ['C.'],
    until: 80,
    expect: [
      ['fired', 2, 2.1],
      ['resolved', 12, 13.1],
    ],
    moves: ['recovering>resolved held_clear', 'resolved>archived quiet_hour'],
  },
  {
    name: 'critical within the hour is the same incident again, told',
    lanes: [`C${'.'.repeat(20)}C.`],
    until: 40,
    expect: [
      ['fired', 2, 2.1],
      ['resolved', 12, 13.1],
      ['reopened', 23, 23.2],
      ['resolved', 33, 35],
    ],
    moves: ['resolved>firing reopened'],
  },
  {
    name: 'medium within the hour is the same incident again, not told anew, nor its end',
    lanes: [`MM${'.'.repeat(20)}M.`],
    until: 45,
    expect: [
      ['fired', 4, 4.2],
      ['resolved', 13, 14.1],
    ],
    moves: ['resolved>firing reopened'],
  },
  {
    name: 'more severe is told, less severe is not',
    lanes: ['MMMCMMMMMM'],
    until: 12,
    expect: [
      ['fired', 4, 4.2],
      ['severity_up', 5, 5.1],
    ],
  },
  {
    name: 'an acknowledgement stops escalation and repeats, and the end is told',
    lanes: [`C${'C'.repeat(60)}.`],
    acts: [[5, ack]],
    until: 80,
    expect: [
      ['fired', 2, 2.1],
      ['resolved', 71, 74],
    ],
    moves: ['firing>acknowledged acknowledged', 'acknowledged>recovering cleared', 'recovering>resolved held_clear'],
  },
  {
    name: 'a dip does not take an acknowledgement away',
    lanes: ['CC..CCCC'],
    acts: [[3, ack]],
    until: 30,
    expect: [['fired', 2, 2.1]],
    moves: ['acknowledged>recovering cleared', 'recovering>acknowledged breach_again'],
  },
  {
    name: 'after four hours a critical one is nobody’s again',
    lanes: ['C'],
    acts: [[3, ack]],
    until: 246,
    expect: [
      ['fired', 2, 2.1],
      ['ack_broken', 243, 243.2],
    ],
    moves: ['acknowledged>firing ack_expired'],
  },
  {
    name: 'more severe breaks an acknowledgement',
    lanes: ['HHHHHHHHHHC'],
    acts: [[5, ack]],
    until: 15,
    expect: [
      ['fired', 3.25, 3.4],
      ['ack_broken', 12, 12.2],
    ],
    moves: ['acknowledged>firing ack_broken'],
  },
  {
    name: 'another kind of rule breaks it, the same kind joins it',
    lanes: ['CCCCCCCCCC', { says: '       C', rule: 'data_transfer' }],
    setup: (harness) => void (harness.rules = two),
    acts: [[5, ack]],
    until: 12,
    expect: [
      ['fired', 2, 2.1],
      ['ack_broken', 9, 9.2],
    ],
  },
  {
    name: 'it can be taken back',
    lanes: ['C'],
    acts: [
      [3, ack],
      [5, { kind: 'unacknowledge', target: 'INC-1' }],
    ],
    until: 8,
    expect: [
      ['fired', 2, 2.1],
      ['ack_broken', 5, 5.1],
    ],
    moves: ['acknowledged>firing ack_withdrawn'],
  },
  {
    name: 'a person ends it with a reason; the same breach is quiet for half an hour, then a new incident',
    lanes: ['C'],
    acts: [[5, { kind: 'resolve', target: 'INC-1', reason: 'expected' }]],
    until: 40,
    expect: [
      ['fired', 2, 2.1],
      ['resolved', 5, 5.1],
      ['fired', 35, 36.1],
    ],
    moves: ['firing>resolved manual', 'resolved>archived quiet_hour'],
  },
  {
    name: 'a removed rule ends its alerts with one notice',
    lanes: ['C          '],
    acts: [
      [4, (harness) => void (harness.rules = [thresholdSpec('another')])],
      [4, 'stop'],
      [5, 'stop'],
    ],
    until: 10,
    expect: [
      ['fired', 2, 2.1],
      ['resolved', 4, 4.2],
    ],
    moves: ['firing>resolved rule_removed'],
  },
  {
    name: 'a key that left the registry ends its alerts with one notice',
    lanes: ['C          '],
    acts: [
      [4, (harness) => void (harness.more = { isDeleted: () => true })],
      [4, 'stop'],
      [5, 'stop'],
    ],
    until: 10,
    expect: [
      ['fired', 2, 2.1],
      ['resolved', 4, 4.2],
    ],
    moves: ['firing>resolved key_deleted'],
  },
];

const TELLING: readonly Script[] = [
  {
    name: 'two rules on one key within the wait are one notice',
    lanes: ['MM', { says: 'MM', rule: 'data_transfer' }],
    setup: (harness) => void (harness.rules = two),
    until: 10,
    expect: [['fired', 4, 4.2]],
  },
  {
    name: 'a rule that joins later is told in the same incident',
    lanes: ['MMMMMMMMMMMM', { says: '      MM', rule: 'data_transfer' }],
    setup: (harness) => void (harness.rules = two),
    until: 15,
    expect: [
      ['fired', 4, 4.2],
      ['joined', 9, 9.2],
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

describe('each row of the table of states', () => {
  test.each(TRANSITIONS)('$name', async (script) => playAndExpect(script));
});

describe('grouping, repeats, escalation, and what mutes', () => {
  test.each(TELLING)('$name', async (script) => playAndExpect(script));
});

describe('operators', () => {
  test('a silence that would match everything, one without a reason, one of a year and an unknown id are refused, each with one reason', async () => {
    const refusals: string[] = [];
    const by = { at: T0, actor: { way: 'cli', name: 'maria' } } as const;
    const harness = await play({ name: '', lanes: ['C'], until: 3, expect: [] });
    const ask = async (command: Parameters<typeof harness.desk.obey>[0]): Promise<void> =>
      void refusals.push((await harness.desk.obey(command))?.reason ?? 'applied');
    const all = [
      [],
      [{ label: 'severity', op: '=~', value: '.*' }],
      [{ label: 'rule', op: '!=', value: '' }],
      [{ label: 'team', op: '!=', value: 'nobody' }],
    ] as const;
    for (const [index, matchers] of all.entries()) await ask({ ...by, id: `a${index}`, kind: 'add_silence', matchers, reason: 'x' });
    await ask({ ...by, id: 'b', kind: 'add_silence', matchers: [{ label: 'key', op: '=', value: 'x' }], reason: ' ' });
    await ask({ ...by, id: 'c', kind: 'add_silence', matchers: [{ label: 'key', op: '=', value: 'x' }], endsAt: T0 + 365 * 24 * HOUR_MS, reason: 'x' });
    await ask({ ...by, id: 'd', kind: 'acknowledge', target: 'INC-99' });
    await ask({ ...by, id: 'e', kind: 'add_silence', matchers: [{ label: 'key', op: '=~', value: '(a+)+' }], reason: 'x' });
    expect(refusals.map((text) => text.slice(0, 36))).toEqual([
      ...Array.from({ length: 4 }, () => 'this silence would match every alert'),
      'a reason is required',
      'it lasts at most 30 days',
      'there is no incident or alert INC-99',
      'the expression of key repeats a repe',
    ]);
    expect((await harness.journal.audit({})).every((row) => row.actor.name === 'maria' && row.action.endsWith('_refused'))).toBe(true);
    await harness.stop();
  });

  test('a command that is submitted again, also after a restart, is applied once', async () => {
    const harness = await play({ name: '', lanes: ['C'], until: 3, expect: [] });
    const command = { id: 'once', at: T0, actor: { way: 'api', name: 'bot' }, kind: 'acknowledge', target: 'INC-1' } as const;
    expect((await harness.desk.obey(command))?.status).toBe('applied');
    expect(await harness.desk.obey(command)).toBeUndefined();
    await harness.kill();
    await harness.start();
    expect(await harness.desk.obey(command)).toBeUndefined();
    expect(await harness.journal.commandResult('once')).toMatchObject({ status: 'applied', actor: { name: 'bot' } });
    expect(harness.entries.flatMap((entry) => entry.audit ?? []).filter((note) => note.action === 'acknowledge')).toHaveLength(1);
    await harness.stop();
  });
});
