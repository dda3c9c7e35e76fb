import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { slackConfig } from '../../../alerts/notify/slack/config.ts';
import { SlackWebhookNotifier } from '../../../alerts/notify/slack/webhook.ts';
import { Secret } from '../../../core/secret.ts';
import { OK } from '../../../core/types.ts';
import { HttpReceiver } from '../../support/http-receiver.ts';
import { T0, incidentNotification } from '../support/build.ts';

const PATH = '/services/T000/B000/very-secret-token';
const never = new AbortController().signal;

let receiver: HttpReceiver;
beforeEach(async () => {
  receiver = await new HttpReceiver().listen();
});
afterEach(async () => {
  await receiver[Symbol.asyncDispose]();
});

function notifier(parts: { readonly timeout?: number; readonly url?: string } = {}): SlackWebhookNotifier {
  return new SlackWebhookNotifier(
    { webhookUrl: new Secret(parts.url ?? `${receiver.origin}${PATH}`), mention: [], timeout: parts.timeout ?? 10_000 },
    { name: 'slack', now: () => T0 },
  );
}

describe('what Slack answers', () => {
  test('200: the post arrived as JSON on the webhook path', async () => {
    expect(await notifier().notify(incidentNotification(), never)).toEqual(OK);
    expect(receiver.posts).toHaveLength(1);
    expect(receiver.posts[0]?.path).toBe(PATH);
    expect(receiver.posts[0]?.headers['content-type']).toBe('application/json');
    expect(JSON.parse(receiver.posts[0]?.body ?? '')).toMatchObject({
      unfurl_links: false,
      text: expect.stringContaining('FIRING · CRITICAL 94 · billing-export'),
    });
  });

  test('200 after a while: waited for', async () => {
    let release = (): void => undefined;
    const asked = new Promise<void>((resolve) => {
      receiver.answer = (response) => {
        release = () => void response.end('ok');
        resolve();
      };
    });
    const outcome = notifier().notify(incidentNotification(), never);
    await asked;
    release();
    expect(await outcome).toEqual(OK);
  });

  const answers: readonly (readonly [number, string, Readonly<Record<string, string>>, object])[] = [
    [400, 'invalid_payload', {}, { retryable: false, reason: 'Slack answered HTTP 400: invalid_payload' }],
    [403, 'invalid_token', {}, { retryable: false, reason: 'Slack answered HTTP 403: invalid_token' }],
    [404, 'no_service', {}, { retryable: false, reason: 'Slack answered HTTP 404: no_service' }],
    [408, '', {}, { retryable: true, reason: 'Slack answered HTTP 408' }],
    [410, 'channel_is_archived', {}, { retryable: false, reason: 'Slack answered HTTP 410: channel_is_archived' }],
    [429, 'rate_limited', {}, { retryable: true, reason: 'Slack answered HTTP 429: rate_limited' }],
    [429, 'rate_limited', { 'retry-after': '30' }, { retryable: true, reason: 'Slack answered HTTP 429: rate_limited', retryAfterMs: 30_000 }],
    [429, '', { 'retry-after': 'Tue, 10 Mar 2026 12:01:00 GMT' }, { retryable: true, reason: 'Slack answered HTTP 429', retryAfterMs: 60_000 }],
    [429, '', { 'retry-after': 'soon' }, { retryable: true, reason: 'Slack answered HTTP 429' }],
    [429, '', { 'retry-after': 'Tue, 10 Mar 2026 11:00:00 GMT' }, { retryable: true, reason: 'Slack answered HTTP 429', retryAfterMs: 0 }],
    [500, 'oops', {}, { retryable: true, reason: 'Slack answered HTTP 500: oops' }],
    [503, '', { 'retry-after': '5' }, { retryable: true, reason: 'Slack answered HTTP 503', retryAfterMs: 5000 }],
  ];
  for (const [status, body, headers, want] of answers) {
    test(`${status} ${body} ${JSON.stringify(headers)}`, async () => {
      receiver.answer = (response) => void response.writeHead(status, headers).end(body);
      expect(await notifier().notify(incidentNotification(), never)).toEqual({ ok: false, ...want });
      expect(receiver.posts).toHaveLength(1);
    });
  }

  test('a connection cut without an answer is tried again later', async () => {
    receiver.answer = (response) => void response.socket?.destroy();
    expect(await notifier().notify(incidentNotification(), never)).toMatchObject({
      ok: false,
      retryable: true,
      reason: expect.stringMatching(/^Slack was not reached: (?:UND_ERR_SOCKET|ECONNRESET)$/),
    });
  });

  test('nobody listening is tried again later', async () => {
    const url = `${receiver.origin}${PATH}`;
    await receiver[Symbol.asyncDispose]();
    expect(await notifier({ url }).notify(incidentNotification(), never)).toEqual({
      ok: false,
      retryable: true,
      reason: 'Slack was not reached: ECONNREFUSED',
    });
  });

  test('no answer at all ends at the deadline', async () => {
    receiver.answer = () => undefined;
    expect(await notifier({ timeout: 100 }).notify(incidentNotification(), never)).toEqual({
      ok: false,
      retryable: true,
      reason: 'Slack was not reached: no answer in time',
    });
  });

  test('an answer whose body never ends ends at the deadline too', async () => {
    receiver.answer = (response) => void response.writeHead(500).write('x');
    expect(await notifier({ timeout: 100 }).notify(incidentNotification(), never)).toMatchObject({ ok: false, retryable: true });
  });

  test('an abort ends the request', async () => {
    const stop = new AbortController();
    receiver.answer = () => stop.abort();
    expect(await notifier().notify(incidentNotification(), stop.signal)).toEqual({ ok: false, retryable: true, reason: 'Slack was not reached: aborted' });
  });

  test('a redirect is not followed: the message goes nowhere else', async () => {
    const other = await new HttpReceiver().listen();
    receiver.answer = (response) => void response.writeHead(307, { location: `${other.origin}/elsewhere` }).end();
    expect(await notifier().notify(incidentNotification(), never)).toMatchObject({ ok: false });
    expect(other.posts).toEqual([]);
    await other[Symbol.asyncDispose]();
  });
});

describe('the webhook URL is a secret', () => {
  test('it is in no reason, whatever the answer repeats', async () => {
    const reasons: string[] = [];
    for (const body of [`unknown hook ${receiver.origin}${PATH}`, `no such path: ${PATH}`]) {
      receiver.answer = (response) => void response.writeHead(404).end(body);
      reasons.push(JSON.stringify(await notifier().notify(incidentNotification(), never)));
    }
    receiver.answer = (response) => void response.writeHead(307, { location: PATH }).end();
    reasons.push(JSON.stringify(await notifier().notify(incidentNotification(), never)));
    expect(reasons.join()).not.toContain('very-secret-token');
  });

  test('the configuration takes https, or http to this machine, and repeats nothing of what it refuses', () => {
    const parse = (url: string) => slackConfig.safeParse({ webhookUrl: new Secret(url) });
    expect(parse('https://hooks.slack.example/services/x').data).toMatchObject({ timeout: 10_000 });
    expect(parse('http://127.0.0.1:8080/x').success).toBe(true);
    for (const url of ['http://hooks.slack.example/secret-part', 'secret-part', 'ftp://h/secret-part', '']) {
      const refused = parse(url);
      expect(refused.success).toBe(false);
      expect(JSON.stringify(refused.error?.issues)).not.toContain('secret-part');
    }
    expect(slackConfig.safeParse({ webhookUrl: 'https://hooks.slack.example/secret-part' }).error?.issues[0]?.message).toBe('give it as {file: …} or {env: …}');
    expect(slackConfig.safeParse({ webhookUrl: new Secret('https://h.example/x'), colour: 'red' }).success).toBe(false);
  });
});
