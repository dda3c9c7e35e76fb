import { describe, expect, test } from 'vitest';
import { mailMessage } from '../../../../alerts/notify/email/message.ts';
import type { Notification } from '../../../../core/alert.ts';
import { HttpReceiver } from '../../../support/http-receiver.ts';
import { alertOf, finding, incidentNotification } from '../../support/build.ts';
import { HOSTILE_TEXTS, unseenIn } from '../../support/hostile-texts.ts';
import { HTTP_CHANNELS, openChannel } from './channels.ts';

const never = new AbortController().signal;
const LONG = `${'n'.repeat(10_000)}<!channel>`;
const BODY_BYTES_MAX = 64 * 1024;

/** Everything that can come from traffic or from names is hostile at once. */
function hostileNotification(text: string): Notification {
  const found = { ...finding({ minute: 0, severity: 'critical', contributions: [{ dimension: text, value: text, share: 1 }] }), why: text, action: text };
  const alert = alertOf({ finding: found, label: text, rule: text });
  return incidentNotification(
    { alert, done: [text], next: { what: text, at: 0 }, links: [{ name: text, url: 'javascript:alert(1)' }] },
    { label: text, shared: [{ dimension: text, value: text, share: 1 }] },
  );
}

function textsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.entries(value).flatMap(([key, item]) => [key, ...textsOf(item)]) : [];
}

describe.each(HTTP_CHANNELS)('$what', (channel) => {
  test.each([...HOSTILE_TEXTS, LONG].map((text) => [text.slice(0, 40), text]))('%j stays text and small', async (_name, text) => {
    await using receiver = await new HttpReceiver().listen();
    receiver.answer = (response) => void response.end(channel.yes);
    await openChannel(channel, receiver.origin).notify(hostileNotification(text), never);
    const [post] = receiver.posts;
    expect(Buffer.byteLength(post?.body ?? '')).toBeLessThan(BODY_BYTES_MAX);
    // Splunk takes several records in one body, each a line.
    for (const said of (post?.body ?? '').split('\n').flatMap((line) => textsOf(JSON.parse(line)))) {
      expect(unseenIn(said)).toEqual([]);
      expect(said).not.toBe('javascript:alert(1)');
      // Programs that read JSON get the text as it is; what people read directly has no mention and no link in it.
      if (channel.kind === 'webhook' || channel.kind === 'splunk') continue;
      expect(said).not.toMatch(channel.kind === 'slack' ? /<[!@#]|@(?:here|channel|everyone)/ : /@(?:here|channel|everyone)/);
      if (!said.startsWith('http://127.0.0.1')) expect(said.replaceAll('[:]//', '')).not.toMatch(/https?:\/\/[^\s]*evil/);
    }
  });
});

test('email: the attached file is bounded too, and its name is ours', () => {
  for (const text of [...HOSTILE_TEXTS, LONG]) {
    const { attachments } = mailMessage(hostileNotification(text), { channel: 'email', domain: 'example.com', minSeverity: 'high' });
    expect(attachments.map(({ filename }) => filename)).toEqual(['INC-4821.json']);
    expect(attachments[0]?.content.length).toBeLessThan(BODY_BYTES_MAX);
    expect(unseenIn((attachments[0]?.content ?? '').replaceAll('\n', ''))).toEqual([]);
  }
});
