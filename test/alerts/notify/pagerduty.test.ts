import { describe, expect, test } from 'vitest';
import { DETAILS_BYTES_MAX, pagerdutyEvent } from '../../../alerts/notify/pagerduty/event.ts';
import type { NotificationKind } from '../../../core/alert.ts';
import { T0, alertOf, finding, incidentNotification } from '../support/build.ts';

describe('an event of PagerDuty', () => {
  test('a firing incident triggers, with everything that the person who is woken needs', () => {
    const contributions = [{ dimension: 'address', value: '203.0.113.24', share: 0.91 }];
    const alert = alertOf({ finding: finding({ minute: 0, severity: 'critical', observed: 2310, contributions }) });
    const links = [{ name: 'Open', url: 'https://keywatch.example.com/incidents/INC-4821' }];
    expect(pagerdutyEvent(incidentNotification({ alert, links }), () => ({ owner: 'billing' }))).toEqual({
      event_action: 'trigger',
      dedup_key: 'keywatch/INC-4821',
      client: 'Keywatch',
      client_url: 'https://keywatch.example.com/incidents/INC-4821',
      links: [{ href: 'https://keywatch.example.com/incidents/INC-4821', text: 'Open' }],
      payload: {
        summary: 'FIRING · CRITICAL 94 · billing-export: 2310 requests in a minute, the limit is 1000. (INC-4821)',
        source: 'billing-export',
        severity: 'critical',
        timestamp: '2026-03-10T12:00:00.000Z',
        component: 'key:kf1_9f3c12ab',
        group: 'key',
        class: 'requests-per-minute',
        custom_details: expect.objectContaining({
          Owner: 'billing',
          Observed: '2,310 requests in 1 min',
          Limit: '1,000 requests',
          sources: ['address 203.0.113.24: 91 %'],
          action: 'Apply rate limiting.',
        }),
      },
    });
  });

  const actions: readonly (readonly [NotificationKind, string | undefined])[] = [
    ['fired', 'trigger'],
    ['severity_up', 'trigger'],
    ['ack_broken', 'trigger'],
    ['escalated', 'trigger'],
    ['containment_failed', 'trigger'],
    ['acknowledged', 'acknowledge'],
    ['resolved', 'resolve'],
    ['contained', 'resolve'],
    ['updated', undefined],
  ];
  test.each(actions)('%s: %s, always under the same key', (kind, action) => {
    const event = pagerdutyEvent(incidentNotification({ kind }));
    expect(event?.event_action).toBe(action);
    if (event !== undefined) expect(event.dedup_key).toBe('keywatch/INC-4821');
  });

  test('severities map to the four that there are', () => {
    const severityOf = (severity: 'info' | 'low' | 'medium' | 'high' | 'critical') => pagerdutyEvent(incidentNotification({}, { severity }))?.payload?.severity;
    expect([severityOf('info'), severityOf('low'), severityOf('medium'), severityOf('high'), severityOf('critical')]).toEqual([
      'info',
      'info',
      'warning',
      'error',
      'critical',
    ]);
  });

  test('a digest wakes nobody, a fault of Keywatch does', () => {
    expect(pagerdutyEvent({ id: 'd', kind: 'digest', at: T0, attempt: 1, text: 'x' })).toBeUndefined();
    expect(pagerdutyEvent({ id: 'p', kind: 'pipeline', at: T0, attempt: 1, text: 'the store is away' })?.payload).toMatchObject({
      summary: 'Keywatch needs attention: the store is away',
      severity: 'error',
    });
  });

  test('details are bounded, whatever the text', () => {
    const event = pagerdutyEvent(
      incidentNotification({
        text: Array.from({ length: 5000 }, (_, index) => `- line ${index} with some words`).join('\n'),
        done: Array.from({ length: 500 }, () => 'x'.repeat(400)),
      }),
    );
    expect(Buffer.byteLength(JSON.stringify(event?.payload?.custom_details))).toBeLessThanOrEqual(DETAILS_BYTES_MAX);
    expect(event?.payload?.custom_details).toMatchObject({ why: '2310 requests in a minute, the limit is 1000.' });
  });
});
