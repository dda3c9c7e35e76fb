import type { Notification, NotificationKind } from '../../../core/alert.ts';
import { T0, alertOf, finding, incidentNotification } from './build.ts';

const MINUTE = 60_000;
/** An hour of about forty requests a minute, then the burst. Written down, not computed: a wrong band would be seen. */
const SERIES = [
  38, 41, 44, 40, 39, 36, 42, 45, 43, 41, 37, 35, 40, 44, 46, 42, 38, 36, 41, 43, 47, 45, 40, 38, 37, 42, 44, 41, 39, 36, 40, 43, 45, 42, 38, 35, 41, 44, 46,
  43, 39, 37, 40, 42, 45, 41, 38, 36, 43, 44, 42, 40, 39, 37, 41, 43, 45, 640, 1480, 2310,
];

const found = {
  ...finding({
    minute: 0,
    severity: 'critical',
    observed: 2310,
    contributions: [
      { dimension: 'address', value: '203.0.113.24', share: 0.91 },
      { dimension: 'route', value: 'GET /v1/export', share: 0.88 },
      { dimension: 'agent', value: 'curl/8.5.0 https://evil.example <!channel>', share: 0.5 },
      { dimension: 'country', value: 'NL', share: 0.4 },
    ],
  }),
  why: '2,310 requests in the minute to 12:01 UTC, limit 1,000: 2.3 times the limit and 51 times what was usual in the hour before.',
  action: 'apply rate limiting',
};
const alert = alertOf({ rule: 'request_rate', finding: found, startedAt: T0 - 2 * MINUTE, findings: 2 });
const second = alertOf({
  id: '77aa0011c07d1b22-29553121',
  rule: 'failed_auth',
  severity: 'medium',
  score: 61,
  finding: {
    ...finding({ minute: 0, rule: 'failed_auth', observed: 14 }),
    unit: 'failures',
    expected: 10,
    why: '14 failed authentications in the hour to 12:01 UTC, limit 10.',
  },
});

/** Owner, environment and plan as an inventory would say. */
export const SAMPLE_CARDS = () => ({ owner: 'billing team', environment: 'production', plan: 'enterprise' });

function about(kind: NotificationKind, parts: Partial<Notification> = {}, incident: Parameters<typeof incidentNotification>[1] = {}): Notification {
  return incidentNotification(
    {
      id: `INC-4821/oncall/${kind}`,
      kind,
      openedAs: 'critical',
      alert,
      alerts: [alert, second],
      series: SERIES,
      links: [
        { name: 'Incident', url: 'https://keywatch.example.com/incidents/INC-4821' },
        { name: 'Runbook', url: 'https://runbooks.example.com/request-rate' },
      ],
      ...parts,
    },
    { risk: 184, alertsTotal: 2, suppressed: 37, ...incident },
  );
}

const maria = { way: 'slack', name: 'U0MARIA' } as const;
const acknowledged = {
  actor: maria,
  at: T0 + 5 * MINUTE,
  until: T0 + 245 * MINUTE,
  seen: { severity: 'critical', score: 94, families: [], origins: [], entities: [], lineages: 1 },
} as const;
const next = { what: 'the on-call is mentioned', at: T0 + 12 * MINUTE };

/** One of every kind of message, as a person or a program gets it. */
export const SAMPLES: Readonly<Record<string, Notification>> = {
  fired: about('fired', { next }),
  joined: about('joined', { text: 'A second rule found the same key.' }),
  severity_up: about('severity_up', { openedAs: 'medium', text: 'It was medium until now.' }),
  reopened: about('reopened', { text: 'It was resolved 12 min ago.' }, { reopens: 1 }),
  ack_broken: about('ack_broken', { text: 'slack:U0MARIA had it, but a second key joined.' }),
  still_firing: about('still_firing', { text: 'The silence `SIL-12` ended.' }),
  repeat: about('repeat', { text: 'Told for the 3rd time; nobody has acknowledged it.', next: { what: 'this is repeated', at: T0 + 122 * MINUTE } }),
  escalated: about('escalated', {
    mentions: true,
    next: { what: 'the channel pager is told', at: T0 + 22 * MINUTE },
    done: ['the channel api-alerts was told at 12:02 UTC', 'the owner was mailed at 12:02 UTC'],
  }),
  flapping: about('flapping', {
    text: 'It fired and ended 4 times within an hour. It is quiet until it has been steady for an hour; a limit of 2,600 would have kept it quiet.',
  }),
  flapping_ended: about('flapping_ended', { text: 'It has been steady for an hour.' }),
  acknowledged: about('acknowledged', {}, { state: 'acknowledged', acknowledged }),
  updated: about('updated', {}, { state: 'recovering' }),
  contained: about(
    'contained',
    { done: ['the key was suspended at 12:08 UTC by cli:maria', 'no request with it was answered since 12:09 UTC'] },
    { state: 'resolved', resolvedAt: T0 + 14 * MINUTE },
  ),
  containment_failed: about('containment_failed', {
    done: ['the key was suspended at 12:08 UTC by cli:maria'],
    text: 'The gateway `eu-1` still answers it with 200.',
  }),
  resolved: about(
    'resolved',
    { alert: { ...alert, excess: 1790, resolvedAt: T0 + 25 * MINUTE, state: 'resolved' } },
    { state: 'resolved', resolvedAt: T0 + 25 * MINUTE },
  ),
  fleet: about(
    'fired',
    { openedAs: 'critical' },
    {
      kind: 'fleet',
      label: '1,204 keys',
      rule: 'request_rate',
      lineages: 1204,
      alertsTotal: 1204,
      shared: [{ dimension: 'network', value: 'AS9009', share: 0.97 }],
    },
  ),
  storm: {
    id: 'storm-1/oncall',
    kind: 'storm',
    at: T0 + 5 * MINUTE,
    attempt: 1,
    text: '38 messages in 10 minutes: until it is calmer there is one summary every 5 minutes. What is critical still comes by itself.\n# The worst\n- critical 94 `billing-export` request_rate, firing since 11:58\n- high 80 `mobile-app` failed_auth, firing since 12:01\n- high 78 `partner-x` request_rate, ended at 12:04\n# In all\n- 31 began, 7 ended\n- request_rate 22, failed_auth 16',
  },
  digest: {
    id: 'digest-2026-03-10/oncall',
    kind: 'digest',
    at: T0,
    attempt: 1,
    text: '3 alerts since yesterday 09:00, 1 still open.\n# Open now\n- high 80 `mobile-app` failed_auth since 07:41 UTC\n# Ended\n- critical 94 `billing-export` request_rate, 27 min\n- medium 58 `partner-x` error_rate, 12 min\n# Not told one by one\n- 37 findings: 30 by the silence `SIL-12`, 7 below the severity of this channel\n# Coverage\n- 1,204 keys judged through 08:59 UTC, 0 gaps, 41,203,377 events counted, 12 lines rejected',
  },
  survey: {
    id: 'survey-1/oncall',
    kind: 'survey',
    at: T0,
    attempt: 1,
    text: 'The first day: limits only report. In the last hour they would have told 4 times.\n- request_rate: `billing-export` 1,310, a limit of 1,500 would be quiet',
  },
  summary: {
    id: 'catch-up/oncall',
    kind: 'summary',
    at: T0,
    attempt: 1,
    text: '12 alerts were found in traffic of 09:00 to 11:00 UTC, which was read late. None of them still breaches.',
  },
  pipeline: { id: 'pipeline-1/oncall', kind: 'pipeline', at: T0, attempt: 1, text: 'Nothing came from `orders` for 12 min. Absence is not judged meanwhile.' },
  sample: {
    id: 'sample-1/oncall',
    kind: 'sample',
    at: T0,
    attempt: 1,
    text: 'This is a test message from keywatch notify test. No key misbehaved; there is nothing to do.',
  },
};
