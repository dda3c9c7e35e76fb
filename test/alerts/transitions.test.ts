import { describe, test } from 'vitest';
import { RULE } from './support/build.ts';
import { type Script, playAndExpect } from './support/script.ts';
import { thresholdSpec } from '../../alerts/rule-spec.ts';

const two = [thresholdSpec(RULE), thresholdSpec('data_transfer')];
const ack = { kind: 'acknowledge', target: 'INC-1' } as const;

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

describe('each row of the table of states', () => {
  test.each(TRANSITIONS)('$name', async (script) => playAndExpect(script));
});
