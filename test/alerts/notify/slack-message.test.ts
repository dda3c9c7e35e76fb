import { describe, expect, test } from 'vitest';
import { BLOCKS_MAX, MESSAGE_BYTES_MAX, slackMessage } from '../../../alerts/notify/slack/message.ts';
import type { Notification } from '../../../core/alert.ts';
import { T0, alertOf, finding, incidentNotification } from '../support/build.ts';
import { HOSTILE_TEXTS, unseenIn } from '../support/hostile-texts.ts';

const contributions = [
  { dimension: 'route', value: '/v1/export', share: 0.2 },
  { dimension: 'address', value: '203.0.113.24', share: 0.91 },
  { dimension: 'agent', value: 'curl/8.5.0', share: 0.5 },
  { dimension: 'country', value: 'NL', share: 0.1 },
];

/** Every text of a post, in reading order. */
function textsOf(notification: Notification): readonly string[] {
  const texts: string[] = [];
  JSON.stringify(slackMessage(notification), (name: string, value: unknown) => {
    if (name === 'text' && typeof value === 'string') texts.push(value);
    return value;
  });
  return texts;
}

/** As people see it: markup away. */
function read(notification: Notification): string {
  return textsOf(notification).slice(1).join('\n').replaceAll('*', '').replaceAll('`', '');
}

describe('a post about an alert', () => {
  test('says in words what, how bad, who, why, how much, since when, from where and what to do', () => {
    const found = { ...finding({ minute: 0, severity: 'critical', observed: 2310, contributions }) };
    const text = read(incidentNotification({ alert: alertOf({ finding: found }), attempt: 3, series: [10, 20, 2310] }));
    expect(text.split('\n')).toEqual([
      '🔴 FIRING · CRITICAL 94 · billing-export · 2,310 requests in 1 min, limit 1,000 requests',
      '2310 requests in a minute, the limit is 1000.',
      'Observed',
      '2,310 requests in 1 min',
      'Limit',
      '1,000 requests',
      'Started',
      '2026-03-10 12:00:00 UTC, 2 min ago',
      'Detected',
      '2026-03-10 12:01:02 UTC',
      'Now',
      '2026-03-10 12:02:00 UTC',
      '▁▁█',
      'now 2,310',
      'Requests per minute, the last 3 min, highest 2,310, 1 min over the limit',
      'Where it comes from',
      '• address 203.0.113.24 91 %',
      '• agent curl/8.5.0 50 %',
      '• route /v1/export 20 %',
      'and 1 more',
      'What to do: Apply rate limiting.',
      'All as it should be? keywatch exceptions add --key key:kf1_9f3c12ab --rule requests-per-minute --up-to 2600 --until 2026-04-09 --reason "as agreed with the owner"',
      'Incident INC-4821',
      'Rule requests-per-minute',
      'Alert 3f2a91c07d1b22aa-29553120',
      'Delivery attempt 3',
    ]);
  });

  test('the end says how long it took and how high it went', () => {
    const alert = alertOf({ state: 'resolved', resolvedAt: T0 + 25 * 60_000, peak: 4120, findings: 14, reopens: 2 });
    const text = read(incidentNotification({ kind: 'resolved', alert, durationMs: 25 * 60_000 }));
    expect(text).toContain('🟢 RESOLVED · CRITICAL 94 · billing-export · over after 25 min');
    for (const line of ['Duration\n25 min', 'Peak\n4,120 requests', 'Ended\n2026-03-10 12:25:00 UTC', 'Windows over the limit\n14', 'Came back\n2 times'])
      expect(text).toContain(line);
    expect(text).not.toContain('What to do');
  });

  const words: readonly (readonly [Notification['kind'], string])[] = [
    ['severity_up', 'MORE SEVERE'],
    ['reopened', 'FIRING AGAIN'],
    ['sample', 'SAMPLE'],
  ];
  for (const [kind, word] of words) {
    test(`${kind} begins with ${word}`, () => {
      expect(textsOf(incidentNotification({ kind }))[0]).toContain(`${word} · CRITICAL`);
    });
  }

  test('the text for push and screen readers says what the header says, and no link is unfolded', () => {
    const post = slackMessage(incidentNotification());
    expect(post).toMatchObject({ unfurl_links: false, unfurl_media: false });
    expect(textsOf(incidentNotification())[0]).toBe(textsOf(incidentNotification())[1]);
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
      const alert = alertOf({ finding: found, label: hostile, rule: hostile });
      const post = slackMessage(incidentNotification({ alert }));
      const texts = textsOf(incidentNotification({ alert }));
      for (const text of texts) {
        expect(text).not.toMatch(/[<>]/);
        expect(text).not.toMatch(/@(?:here|channel|everyone)|:\/\/|www\./);
        expect(unseenIn(text)).toEqual([]);
        // Code spans come in pairs, so that none runs on.
        expect((text.split('`').length - 1) % 2).toBe(0);
      }
      for (const text of [texts[0] ?? '', ...texts.slice(2)]) expect(text.replace(/&(?:amp|lt|gt);/g, '')).not.toContain('&');
      for (const block of JSON.parse(JSON.stringify(post.blocks)) as { text?: { type: string; verbatim?: boolean } }[])
        if (block.text?.type === 'mrkdwn') expect(block.text.verbatim).toBe(true);
      expectWithinBudget({ ...incidentNotification(), alert });
    });
  }
});

describe('budget', () => {
  test('a digest of a thousand lines is cut at the end, says so, and keeps its beginning', () => {
    const lines = Array.from({ length: 1000 }, (_, index) => `- line ${index} \`${'ж'.repeat(60)}\``);
    const notification: Notification = { id: 'digest-x/slack', kind: 'digest', at: T0, attempt: 1, text: ['# All', ...lines].join('\n') };
    expectWithinBudget(notification);
    expect(read(notification)).toContain('• line 0 ');
    expect(read(notification)).toContain('The message was cut here.');
    expect(read(notification)).not.toContain('line 999 ');
  });

  test('fifty headings fit the blocks', () => {
    expectWithinBudget({
      id: 'x/slack',
      kind: 'pipeline',
      at: T0,
      attempt: 1,
      text: Array.from({ length: 50 }, (_, index) => `# Heading ${index}\n- item`).join('\n'),
    });
  });

  test('one endless line is cut without breaking an entity', () => {
    const notification: Notification = { id: 'x/slack', kind: 'pipeline', at: T0, attempt: 1, text: '<&>'.repeat(4000) };
    expectWithinBudget(notification);
    for (const text of textsOf(notification)) expect(text.replace(/&(?:amp|lt|gt);/g, '')).not.toContain('&');
  });

  test('an empty text is still a post', () => {
    expect(read({ id: 'x/slack', kind: 'sample', at: T0, attempt: 1, text: '' })).toContain('Keywatch · Test message');
  });
});

function expectWithinBudget(notification: Notification): void {
  const post = slackMessage(notification);
  expect(Buffer.byteLength(JSON.stringify(post))).toBeLessThanOrEqual(MESSAGE_BYTES_MAX);
  expect(post.blocks?.length).toBeLessThanOrEqual(BLOCKS_MAX);
  for (const block of JSON.parse(JSON.stringify(post.blocks)) as { type: string; text?: { text: string }; fields?: unknown[] }[]) {
    expect(block.text?.text.length ?? 1).toBeGreaterThan(0);
    if (block.type === 'header') expect(block.text?.text.length).toBeLessThanOrEqual(150);
    expect(block.text?.text.length ?? 0).toBeLessThanOrEqual(3000);
    expect(block.fields?.length ?? 1).toBeLessThanOrEqual(10);
  }
}
