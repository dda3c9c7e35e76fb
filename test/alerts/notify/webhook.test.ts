import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { webhookConfig } from '../../../alerts/notify/webhook/config.ts';
import { WebhookNotifier, signedHeaders } from '../../../alerts/notify/webhook/notifier.ts';
import { Secret } from '../../../core/secret.ts';
import { HttpReceiver } from '../../support/http-receiver.ts';
import { incidentNotification } from '../support/build.ts';

const never = new AbortController().signal;
const FIRST = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
const SECOND = `whsec_${Buffer.alloc(32, 2).toString('base64')}`;
/** The reference library reads the real clock, so these posts are made at the real time. */
const now = Date.now();

async function posted(secret: string, at = now) {
  await using receiver = await new HttpReceiver().listen();
  const config = webhookConfig.parse({ url: new Secret(`${receiver.origin}/hook`), secret: new Secret(secret) });
  const notifier = new WebhookNotifier(config, { name: 'hook', now: () => at });
  await notifier.notify(incidentNotification(), never);
  await notifier.notify(incidentNotification({ attempt: 2 }), never);
  return receiver.posts.map(({ headers, body }) => ({
    body,
    headers: {
      'webhook-id': String(headers['webhook-id']),
      'webhook-timestamp': String(headers['webhook-timestamp']),
      'webhook-signature': String(headers['webhook-signature']),
    },
  }));
}

describe('signed posts, as the reference library of Standard Webhooks checks them', () => {
  test('are taken with the right secret, and hold the incident', async () => {
    const [post] = await posted(FIRST);
    expect(new Webhook(FIRST).verify(post?.body ?? '', post?.headers ?? {})).toMatchObject({
      type: 'keywatch.incident.fired',
      timestamp: '2026-03-10T12:02:00.000Z',
      data: {
        kind: 'fired',
        incident: { id: 'INC-4821', label: 'billing-export', severity: 'critical', state: 'firing' },
        alerts: [{ rule: 'requests-per-minute', finding: { observed: 2310, expected: 1000 } }],
      },
    });
  });

  test('are refused with another secret, with a changed body, id or time', async () => {
    const [post] = await posted(FIRST);
    const { body = '', headers = { 'webhook-id': '', 'webhook-timestamp': '', 'webhook-signature': '' } } = post ?? {};
    expect(() => new Webhook(SECOND).verify(body, headers)).toThrow('No matching signature');
    expect(() => new Webhook(FIRST).verify(`${body} `, headers)).toThrow('No matching signature');
    expect(() => new Webhook(FIRST).verify(body, { ...headers, 'webhook-id': 'msg_0' })).toThrow('No matching signature');
    expect(() => new Webhook(FIRST).verify(body, { ...headers, 'webhook-timestamp': String(Number(headers['webhook-timestamp']) + 1) })).toThrow(
      'No matching signature',
    );
  });

  test('are refused once they are old: the time of the attempt is signed', async () => {
    const [post] = await posted(FIRST, now - 600_000);
    expect(() => new Webhook(FIRST).verify(post?.body ?? '', post?.headers ?? {})).toThrow('too old');
  });

  test('a repeat has the same id, so that a receiver can drop it', async () => {
    const [first, second] = await posted(FIRST);
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
    expect(first?.headers['webhook-id']).toMatch(/^msg_[0-9a-f]{32}$/);
  });

  test('with two secrets both sign: a receiver may know either', async () => {
    const [post] = await posted(`${FIRST} ${SECOND}`);
    for (const secret of [FIRST, SECOND]) expect(() => new Webhook(secret).verify(post?.body ?? '', post?.headers ?? {})).not.toThrow();
  });

  test('the example of the specification has the signature that it prints', () => {
    const key = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64');
    const headers = signedHeaders({ id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', at: 1_614_265_330_000, body: '{"test": 2432232314}', keys: [key] });
    expect(headers['webhook-signature']).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  });

  test.each(['', 'whsec_', 'whsec_c2hvcnQ=', Buffer.alloc(32).toString('base64'), `${FIRST} ${FIRST} ${FIRST}`, 'whsec_!!!'])(
    'the secret %j is refused without repeating it',
    (secret) => {
      const parsed = webhookConfig.safeParse({ url: new Secret('https://example.com/x'), secret: new Secret(secret) });
      expect(parsed.error?.issues[0]?.message).toContain('expected whsec_ and base64');
      if (secret.length > 10) expect(JSON.stringify(parsed.error?.issues)).not.toContain(secret);
    },
  );
});
