import { describe, expect, test } from 'vitest';
import { mailMessage } from '../../../alerts/notify/email/message.ts';
import type { Notification } from '../../../core/alert.ts';
import { T0, alertOf, finding, incidentNotification } from '../support/build.ts';
import { HOSTILE_TEXTS, unseenIn } from '../support/hostile-texts.ts';

const context = { channel: 'email', domain: 'example.com', minSeverity: 'high' };
const ALERT = '3f2a91c07d1b22aa-29553120';

/** What a person reads in the HTML, line breaks aside. */
function read(html: string): string {
  return html
    .replace(/<style>[\s\S]*?<\/style>/g, '')
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&nbsp;', ' ')
    .replaceAll('&amp;', '&')
    .replace(/\s+/g, ' ');
}

describe('a mail about an alert', () => {
  const contributions = [{ dimension: 'address', value: '203.0.113.24', share: 0.91 }];
  const fired = incidentNotification({
    openedAs: 'critical',
    series: [10, 20, 2310],
    alert: alertOf({ finding: finding({ minute: 0, severity: 'critical', observed: 2310, contributions }) }),
  });

  test('text and HTML say the same', () => {
    const { text, html } = mailMessage(fired, context);
    const said = [
      'FIRING',
      'CRITICAL 94',
      'billing-export',
      '2,310 requests in 1 min, limit 1,000 requests',
      '2310 requests in a minute, the limit is 1000.',
      '2026-03-10 12:00:00 UTC',
      '2026-03-10 12:01:02 UTC',
      '2026-03-10 12:02:00 UTC',
      'Requests per minute, the last 3 min, highest 2,310, 1 min over the limit',
      '203.0.113.24',
      '91 %',
      'Apply rate limiting.',
      'requests-per-minute',
      ALERT,
      'attempt 1',
      'You get this because your address is in the Keywatch channel "email" (alerts of severity high and above).',
    ];
    for (const each of said) {
      expect(text).toContain(each);
      expect(read(html)).toContain(each);
    }
    expect(text.split('\n')[0]).toBe('FIRING: CRITICAL 94');
    expect(text).toContain('▁▁█');
  });

  test('the mails of one episode are one thread: same subject, the later ones answer the first', () => {
    const first = mailMessage(fired, context);
    const worse = mailMessage(incidentNotification({ id: `INC-4821/email/2`, kind: 'severity_up', openedAs: 'high' }), context);
    const end = mailMessage(
      incidentNotification({
        id: `INC-4821/email/3`,
        kind: 'resolved',
        openedAs: 'critical',
        alert: alertOf({ state: 'resolved', resolvedAt: T0 + 60_000 }),
      }),
      context,
    );
    expect(first.subject).toBe('[API-KEY CRITICAL] billing-export (INC-4821)');
    expect(end.subject).toBe(first.subject);
    expect(worse.subject).toContain('[API-KEY HIGH]');
    expect(first.messageId).toBe('<keywatch.INC-4821.email@example.com>');
    expect(first).not.toHaveProperty('threadRoot');
    expect([worse.threadRoot, end.threadRoot]).toEqual([first.messageId, first.messageId]);
    expect(new Set([first.messageId, worse.messageId, end.messageId]).size).toBe(3);
    expect(mailMessage({ ...fired, attempt: 9, at: T0 + 999_999 }, context).messageId).toBe(first.messageId);
  });

  test('headers keep automatic answers away and let filters work', () => {
    expect(mailMessage(fired, context).headers).toEqual({
      'Auto-Submitted': 'auto-generated',
      'X-Auto-Response-Suppress': 'All',
      'List-Id': 'Keywatch alerts <email.keywatch.example.com>',
      'X-Keywatch-Notification': 'INC-4821.slack.1',
      'X-Incident-Id': 'INC-4821',
      'X-Severity': 'critical',
      'X-Incident-State': 'firing',
    });
  });

  test('the HTML loads nothing, links nothing, runs nothing, and is small', () => {
    const { html } = mailMessage(incidentNotification({ series: Array.from({ length: 500 }, (_, index) => index) }), context);
    expect(html).not.toMatch(/<(?:a|img|script|link|iframe|form|object|svg|base)\b|\bhref=|\bsrc=|url\(|@import|https?:/i);
    expect(Buffer.byteLength(html)).toBeLessThan(80_000);
    expect(html).toContain('prefers-color-scheme:dark');
  });

  test('a note stands in both parts', () => {
    const { text, html } = mailMessage(
      incidentNotification({ text: 'Sent here because the channel `slack` did not take a message and it is given up: `HTTP 410`.' }),
      context,
    );
    expect(text).toContain('Sent here because the channel slack did not take a message');
    expect(read(html)).toContain('HTTP 410');
  });
});

describe('hostile text', () => {
  for (const hostile of HOSTILE_TEXTS) {
    test(`stays text: ${JSON.stringify(hostile.slice(0, 40))}`, () => {
      const found = {
        ...finding({ minute: 0, severity: 'critical', contributions: [{ dimension: hostile, value: hostile, share: 1 }] }),
        why: hostile,
        action: hostile,
      };
      const notification = incidentNotification({ alert: alertOf({ finding: found, label: hostile, rule: hostile }) });
      const { subject, text, html, headers } = mailMessage(notification, { ...context, channel: 'team "x" <b>' });
      const plain = mailMessage(incidentNotification(), context).html;
      expect(subject).not.toContain('\n');
      for (const each of [subject, text, html]) expect(unseenIn(each)).toEqual([]);
      for (const value of Object.values(headers)) expect(value).toMatch(/^[\x20-\x7e]+$/);
      for (const each of [subject, text, read(html)]) expect(each).not.toMatch(/:\/\/|\bwww\.|mailto:\S|@(?:here|channel)/);
      // Only our own tags are in the HTML, and the same kinds as without an attack.
      const tags = new Set(html.match(/<\/?[a-z!][a-z0-9]*/gi));
      for (const tag of tags) expect([...(plain.match(/<\/?[a-z!][a-z0-9]*/gi) ?? []), '<code', '</code', '<p', '</p', '<td', '</td']).toContain(tag);
      for (const tag of html.match(/<[^>]*>/g) ?? []) expect(tag).not.toMatch(/\b(?:href|src|on\w+)=/);
      expect(Buffer.byteLength(html)).toBeLessThan(80_000);
    });
  }

  test('ten thousand characters of everything are cut to a line', () => {
    const hostile = HOSTILE_TEXTS.find((text) => text.length >= 10_000) ?? '';
    expect(hostile.length).toBeGreaterThanOrEqual(9_900);
    const { subject, text } = mailMessage(incidentNotification({ alert: alertOf({ label: hostile }) }), context);
    expect(subject.length).toBeLessThan(200);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThan(200);
  });
});

describe('mails of ready text', () => {
  const digest: Notification = {
    id: 'digest-2026-03-10/email',
    kind: 'digest',
    at: T0,
    attempt: 1,
    text: '1 alert.\n# Open now\n- critical `<b>x</b>` since 12:00',
  };

  test('headings, items and code are shown as such in both parts', () => {
    const { subject, text, html } = mailMessage(digest, context);
    expect(subject).toBe('[Keywatch] Daily digest 2026-03-10');
    expect(text).toContain('\n\nOPEN NOW\n- critical <b>x</b> since 12:00\n');
    expect(html).toContain('&lt;b&gt;x&lt;/b&gt;');
    expect(read(html)).toContain('Open now • critical <b>x</b> since 12:00');
  });

  test('every mail has an id of its own and no thread', () => {
    const message = mailMessage(digest, context);
    expect(message.messageId).toBe('<keywatch.digest-2026-03-10.email@example.com>');
    expect(message).not.toHaveProperty('threadRoot');
  });
});
