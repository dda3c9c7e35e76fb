import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChannelNotes } from '../../../alerts/notify/channel.ts';
import { SlackBotNotifier } from '../../../alerts/notify/slack/bot.ts';
import { slackConfig } from '../../../alerts/notify/slack/config.ts';
import { parseSlackAction, verifySlackRequest } from '../../../alerts/notify/slack/interactivity.ts';
import { Secret } from '../../../core/secret.ts';
import { OK } from '../../../core/types.ts';
import { HttpReceiver } from '../../support/http-receiver.ts';
import { T0, incidentNotification } from '../support/build.ts';
import { memoryNotes } from './conformance/channels.ts';

const never = new AbortController().signal;

/** A contract fake of Slack's Web API: answers 200 with `ok`, gives each post a `ts`, refuses what is not there. */
let slack: HttpReceiver;
let posts: Set<string>;
let refusals: Record<string, string>;
beforeEach(async () => {
  posts = new Set();
  refusals = {};
  slack = await new HttpReceiver().listen();
  slack.answer = (response, { path, body }) => {
    const method = path.replace('/api/', '');
    const { ts, thread_ts: thread } = JSON.parse(body) as { ts?: string; thread_ts?: string };
    const missing = ts !== undefined && !posts.has(ts) ? 'message_not_found' : thread !== undefined && !posts.has(thread) ? 'thread_not_found' : undefined;
    const error = refusals[method] ?? missing;
    const made = ts ?? `1700000000.00000${posts.size}`;
    if (error === undefined) posts.add(made);
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify(error === undefined ? { ok: true, channel: 'C0123', ts: made, message: JSON.parse(body) } : { ok: false, error }));
  };
});
afterEach(async () => {
  await slack[Symbol.asyncDispose]();
});

function bot(notes: ChannelNotes = memoryNotes(), more: Readonly<Record<string, unknown>> = {}): SlackBotNotifier {
  const { bot: settings, ...rest } = slackConfig.parse({
    bot: { token: new Secret('xoxb-secret'), channel: 'C0123', apiUrl: `${slack.origin}/api`, ...more },
    mention: ['S0ONCALL', 'U0BOSS', 'here'],
  });
  if (settings === undefined) throw new Error('no bot');
  return new SlackBotNotifier({ ...rest, bot: settings }, { name: 'slack', now: () => T0, notes });
}

function calls() {
  return slack.posts.map(({ path, body }) => ({ method: path.replace('/api/', ''), body: JSON.parse(body) as Record<string, unknown> }));
}

describe('with a bot token', () => {
  test('an incident is one post that is kept current, with a thread below it', async () => {
    const notifier = bot();
    expect(await notifier.notify(incidentNotification(), never)).toEqual(OK);
    expect(await notifier.notify(incidentNotification({ id: 'INC-4821/slack/2', kind: 'repeat' }), never)).toEqual(OK);
    expect(await notifier.notify(incidentNotification({ id: 'INC-4821/slack/3', kind: 'updated' }), never)).toEqual(OK);
    expect(
      await notifier.notify(incidentNotification({ id: 'INC-4821/slack/4', kind: 'resolved' }, { state: 'resolved', resolvedAt: T0 + 600_000 }), never),
    ).toEqual(OK);
    const root = '1700000000.000000';
    expect(calls().map(({ method, body }) => [method, body['thread_ts'] ?? body['ts'], body['reply_broadcast']])).toEqual([
      ['chat.postMessage', undefined, undefined],
      ['chat.postMessage', root, undefined],
      ['chat.update', root, undefined],
      ['chat.update', root, undefined],
      ['chat.postMessage', root, true],
      ['chat.update', root, undefined],
    ]);
    expect(String(calls().at(-1)?.body['text'])).toContain('🟢 RESOLVED · CRITICAL 94 · billing-export · over after 10 min');
    expect(slack.posts.every(({ headers }) => headers.authorization === 'Bearer xoxb-secret')).toBe(true);
  });

  test('a restart goes on in the same thread', async () => {
    const notes = memoryNotes();
    await bot(notes).notify(incidentNotification(), never);
    await bot(notes).notify(incidentNotification({ id: 'INC-4821/slack/2', kind: 'severity_up' }), never);
    expect(calls()[1]).toMatchObject({ method: 'chat.postMessage', body: { thread_ts: '1700000000.000000', reply_broadcast: true } });
  });

  test('a post that somebody removed begins a new one', async () => {
    const notifier = bot();
    await notifier.notify(incidentNotification(), never);
    posts.clear();
    expect(await notifier.notify(incidentNotification({ id: 'INC-4821/slack/2', kind: 'repeat' }), never)).toEqual(OK);
    expect(calls().map(({ method, body }) => [method, body['thread_ts']])).toEqual([
      ['chat.postMessage', undefined],
      ['chat.postMessage', '1700000000.000000'],
      ['chat.postMessage', undefined],
    ]);
  });

  test.each([
    ['channel_not_found', false],
    ['invalid_auth', false],
    ['not_in_channel', false],
    ['ratelimited', true],
    ['internal_error', true],
  ])('200 with the error %s: tried again %s', async (error, isRetryable) => {
    refusals = { 'chat.postMessage': error };
    expect(await bot().notify(incidentNotification(), never)).toEqual({
      ok: false,
      retryable: isRetryable,
      reason: `Slack refused chat.postMessage: ${error}`,
    });
  });

  test('an edit that fails does not repeat the news', async () => {
    const notifier = bot();
    await notifier.notify(incidentNotification(), never);
    refusals = { 'chat.update': 'internal_error' };
    expect(await notifier.notify(incidentNotification({ id: 'INC-4821/slack/2', kind: 'repeat' }), never)).toEqual(OK);
    expect(await notifier.notify(incidentNotification({ id: 'INC-4821/slack/3', kind: 'updated' }), never)).toMatchObject({ ok: false, retryable: true });
  });

  test('an escalation calls exactly those who are configured, other messages nobody', async () => {
    const notifier = bot();
    await notifier.notify(incidentNotification(), never);
    await notifier.notify(incidentNotification({ id: 'INC-4821/slack/2', kind: 'escalated', mentions: true }), never);
    const [quiet, loud] = calls();
    expect(JSON.stringify(quiet?.body)).not.toMatch(/<[@!]/);
    expect(String(loud?.body['text'])).toMatch(/^<!subteam\^S0ONCALL> <@U0BOSS> <!here> /);
  });

  test('buttons that act are there only when clicks can be checked, and never on what is over', async () => {
    const acting = (body: unknown): readonly string[] => JSON.stringify(body).match(/keywatch_(?:acknowledge|snooze|expected)/g) ?? [];
    await bot().notify(incidentNotification(), never);
    await bot(memoryNotes(), { signingSecret: new Secret('sign') }).notify(incidentNotification(), never);
    await bot(memoryNotes(), { signingSecret: new Secret('sign') }).notify(incidentNotification({ kind: 'resolved' }, { state: 'resolved' }), never);
    expect(calls().map(({ body }) => acting(body))).toEqual([[], ['keywatch_acknowledge', 'keywatch_snooze', 'keywatch_expected'], []]);
  });
});

describe('clicks', () => {
  const signingSecret = new Secret('8f742231b10e8888abcd99yyyzzz85a5');

  test('the example of the documentation of Slack has the signature that it prints', () => {
    const body =
      'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c';
    const request = { body, timestamp: '1531420618', signature: 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503' };
    expect(verifySlackRequest(request, { signingSecret, now: 1_531_420_618_000 })).toEqual({ ok: true });
    expect(verifySlackRequest(request, { signingSecret, now: 1_531_420_618_000 + 300_000 })).toEqual({ ok: true });
    expect(verifySlackRequest(request, { signingSecret, now: 1_531_420_618_000 + 301_000 }).ok).toBe(false);
    expect(verifySlackRequest(request, { signingSecret, now: 1_531_420_618_000 - 301_000 }).ok).toBe(false);
    expect(verifySlackRequest({ ...request, body: `${body}&x` }, { signingSecret, now: 1_531_420_618_000 }).ok).toBe(false);
    expect(verifySlackRequest({ ...request, signature: undefined }, { signingSecret, now: 1_531_420_618_000 }).ok).toBe(false);
    const other = `v0=${createHmac('sha256', 'other').update(`v0:1531420618:${body}`).digest('hex')}`;
    expect(verifySlackRequest({ ...request, signature: other }, { signingSecret, now: 1_531_420_618_000 }).ok).toBe(false);
  });

  const click = (parts: Readonly<Record<string, unknown>> = {}): string =>
    `payload=${encodeURIComponent(JSON.stringify({ type: 'block_actions', user: { id: 'U0MARIA' }, response_url: 'https://hooks.slack.com/actions/T/1/x', actions: [{ action_id: 'keywatch_acknowledge', value: 'INC-4821', action_ts: '1700000000.1' }], ...parts }))}`;
  const users = { U0MARIA: 'operator', U0VIEW: 'viewer' } as const;

  test('an operator acts, and the same click twice has one id', () => {
    expect(parseSlackAction(click(), users)).toEqual({
      kind: 'ok',
      value: {
        user: 'U0MARIA',
        role: 'operator',
        id: 'slack-U0MARIA-1700000000.1-keywatch_acknowledge',
        incident: 'INC-4821',
        act: { kind: 'acknowledge' },
        responseUrl: 'https://hooks.slack.com/actions/T/1/x',
      },
    });
    expect(parseSlackAction(click(), users)).toEqual(parseSlackAction(click(), users));
  });

  test('viewers and strangers are told that nothing was done', () => {
    expect(parseSlackAction(click({ user: { id: 'U0VIEW' } }), users)).toMatchObject({
      kind: 'reject',
      reason: expect.stringContaining('your role is viewer'),
    });
    expect(parseSlackAction(click({ user: { id: 'U0OTHER' } }), users)).toMatchObject({ kind: 'reject', reason: expect.stringContaining('not listed') });
    expect(parseSlackAction(click({ user: { id: 'U__PROTO__' } }), users)).toMatchObject({ kind: 'reject' });
  });

  test('a link is no act, an answer goes only to Slack, and nonsense is refused', () => {
    expect(parseSlackAction(click({ actions: [{ action_id: 'keywatch_open_0', action_ts: '1' }] }), users).kind).toBe('drop');
    expect(parseSlackAction(click({ response_url: 'https://evil.example/x' }), users)).not.toHaveProperty('value.responseUrl');
    for (const body of [
      '',
      'payload=',
      'payload=%7B',
      'payload=[]',
      click({ actions: [{ action_id: 'keywatch_acknowledge', value: 'INC-1; rm', action_ts: '1' }] }),
    ])
      expect(parseSlackAction(body, users).kind).toBe('reject');
  });
});
