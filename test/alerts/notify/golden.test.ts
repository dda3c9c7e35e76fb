import { describe, expect, test } from 'vitest';
import { alertmanagerAlerts } from '../../../alerts/notify/alertmanager/alerts.ts';
import { HTML_BYTES_MAX, mailMessage } from '../../../alerts/notify/email/message.ts';
import { pagerdutyEvent } from '../../../alerts/notify/pagerduty/event.ts';
import { slackMessage, slackReply } from '../../../alerts/notify/slack/message.ts';
import { notificationRecord } from '../../../alerts/notify/splunk/records.ts';
import { webhookBody } from '../../../alerts/notify/webhook/notifier.ts';
import type { Notification } from '../../../core/alert.ts';
import { SAMPLES, SAMPLE_CARDS as cards } from '../support/samples.ts';
import { T0 } from '../support/build.ts';

const look = { mention: ['S0ONCALL'], hasButtons: true, cards };
const mail = (notification: Notification) => mailMessage(notification, { channel: 'oncall', domain: 'example.com', minSeverity: 'high', cards });

/** Slack as people read it: one text or button a line. */
function read(post: unknown): string {
  const lines: string[] = [];
  JSON.stringify(post, (name: string, value: unknown) => {
    if ((name === 'text' || name === 'url') && typeof value === 'string') lines.push(name === 'url' ? `-> ${value}` : value);
    return value;
  });
  return `${lines.join('\n')}\n`;
}

const WRITERS: Readonly<Record<string, (notification: Notification) => string>> = {
  'slack.txt': (notification) => read(slackMessage(notification, look)),
  'slack-thread.txt': (notification) => read(slackReply(notification, look)),
  'email.txt': (notification) => {
    const { subject, messageId, threadRoot, headers, text } = mail(notification);
    const top = [
      `Subject: ${subject}`,
      `Message-ID: ${messageId}`,
      ...(threadRoot === undefined ? [] : [`In-Reply-To: ${threadRoot}`]),
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ];
    return `${top.join('\n')}\n\n${text}`;
  },
  'webhook.json': (notification) => `${JSON.stringify(JSON.parse(webhookBody(notification)), null, 2)}\n`,
  'pagerduty.json': (notification) => `${JSON.stringify(pagerdutyEvent(notification, cards) ?? null, null, 2)}\n`,
  'alertmanager.json': (notification) => `${JSON.stringify(alertmanagerAlerts(notification, { now: T0, labels: {}, cards }), null, 2)}\n`,
  'splunk.json': (notification) => `${JSON.stringify(notificationRecord(notification), null, 2)}\n`,
};

/** Reviewed by eye when they change: `vitest run test/alerts/notify/golden.test.ts -u`, then read the difference. */
describe.each(Object.entries(SAMPLES))('%s', (name, notification) => {
  test.each(Object.entries(WRITERS))('as %s', async (file, write) => {
    await expect(write(notification)).toMatchFileSnapshot(`../../fixtures/alerts/${name}/${file}`);
  });
});

test('what every message about an incident must say is in every channel that people read', () => {
  for (const [name, notification] of Object.entries(SAMPLES)) {
    if (notification.incident === undefined) continue;
    for (const file of ['slack.txt', 'email.txt']) {
      const said = (WRITERS[file]?.(notification) ?? '').replaceAll('`', '').replaceAll('*', '');
      for (const each of [
        '2,310 requests in the minute to 12:01 UTC, limit 1,000',
        'INC-4821',
        'billing team',
        '203.0.113.24',
        '91 %',
        'request_rate',
        'https://keywatch.example.com/incidents/INC-4821',
      ])
        expect(`${name} ${file}: ${said}`).toContain(each);
      // The tenth and the ninetieth of a hundred of the 57 minutes before, counted by hand.
      expect(said).toContain('usual 36–45 · now 2,310');
      expect(said).not.toContain('https://evil');
      // In a plain text it is only a word; Slack would call everybody.
      if (file === 'slack.txt') expect(said).not.toContain('<!channel>');
    }
  }
});

test('the HTML of every mail is small and loads nothing', () => {
  for (const notification of Object.values(SAMPLES)) {
    const { html } = mail(notification);
    expect(Buffer.byteLength(html)).toBeLessThan(HTML_BYTES_MAX);
    expect(html).not.toMatch(/<(?:img|script|link|iframe|form|object|svg|base)\b|\bsrc=|url\(|@import/i);
    for (const [, href = ''] of html.matchAll(/href="([^"]*)"/g)) expect(href).toMatch(/^https:\/\/(?:keywatch|runbooks)\.example\.com\//);
  }
});
