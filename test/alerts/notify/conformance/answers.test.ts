import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { CHANNEL_KINDS } from '../../../../alerts/notify/registry.ts';
import { OK } from '../../../../core/types.ts';
import { HttpReceiver } from '../../../support/http-receiver.ts';
import { selfSigned } from '../../../support/self-signed.ts';
import { incidentNotification } from '../../support/build.ts';
import { HTTP_CHANNELS, type HttpChannel, SECRETS, openChannel } from './channels.ts';

const never = new AbortController().signal;

function secretsOf({ secrets }: HttpChannel): readonly string[] {
  return secrets.flatMap((index) => SECRETS[index] ?? []);
}

async function answered(channel: HttpChannel, answer: HttpReceiver['answer'], more: Readonly<Record<string, unknown>> = {}) {
  await using receiver = await new HttpReceiver().listen();
  receiver.answer = answer;
  const outcome = await openChannel(channel, receiver.origin, more).notify(incidentNotification(), never);
  for (const secret of secretsOf(channel)) expect(JSON.stringify(outcome)).not.toContain(secret);
  return { outcome, posts: receiver.posts };
}

test('every kind of channel that speaks HTTP is in this suite', () => {
  const here = new Set(HTTP_CHANNELS.map(({ kind }) => kind));
  expect(CHANNEL_KINDS.map(({ kind }) => kind).filter((kind) => !here.has(kind))).toEqual(['email']);
});

describe.each(HTTP_CHANNELS)('$what', (channel) => {
  test('200: sent, in one request', async () => {
    const { outcome, posts } = await answered(channel, (response) => void response.end(channel.yes));
    expect(outcome).toEqual(OK);
    expect(posts).toHaveLength(1);
    expect(posts[0]?.headers['content-type']).toMatch(/^application\/json/);
    expect(JSON.stringify(JSON.parse(posts[0]?.body ?? ''))).toContain('billing-export');
  });

  test('200 after a while: waited for', async () => {
    const { outcome } = await answered(channel, (response) => void setImmediate(() => setImmediate(() => response.end(channel.yes))));
    expect(outcome).toEqual(OK);
  });

  const answers: readonly (readonly [number, Readonly<Record<string, string>>, boolean, number | undefined])[] = [
    [400, {}, false, undefined],
    [401, {}, false, undefined],
    [403, {}, false, undefined],
    [404, {}, false, undefined],
    [410, {}, false, undefined],
    [408, {}, true, undefined],
    [429, {}, true, undefined],
    [429, { 'retry-after': '30' }, true, 30_000],
    [429, { 'retry-after': 'Tue, 10 Mar 2026 12:01:00 GMT' }, true, 60_000],
    [500, {}, true, undefined],
    [503, { 'retry-after': '5' }, true, 5000],
  ];
  for (const [status, headers, isRetryable, wait] of answers) {
    test(`${status} ${JSON.stringify(headers)}: ${isRetryable ? 'tried again' : 'given up'}${wait === undefined ? '' : ` after ${wait / 1000} s`}`, async () => {
      const repeats = `no: ${secretsOf(channel).join(' ')}`;
      const { outcome } = await answered(channel, (response) => void response.writeHead(status, headers).end(repeats));
      expect(outcome).toMatchObject({ ok: false, retryable: isRetryable, reason: expect.stringContaining(`answered HTTP ${status}`) });
      expect(outcome.ok ? undefined : outcome.retryAfterMs).toBe(wait);
    });
  }

  test('a redirect is not followed, and needs a person', async () => {
    await using other = await new HttpReceiver().listen();
    const { outcome } = await answered(channel, (response) => void response.writeHead(307, { location: `${other.origin}/${SECRETS[0] ?? ''}` }).end());
    expect(outcome).toMatchObject({ ok: false, retryable: false, reason: expect.stringContaining('HTTP 307, a redirect, which is not followed') });
    expect(other.posts).toEqual([]);
  });

  test('a connection cut without an answer is tried again', async () => {
    const { outcome } = await answered(channel, (response) => void response.socket?.destroy());
    expect(outcome).toMatchObject({ ok: false, retryable: true, reason: expect.stringMatching(/ was not reached: ECONNRESET$/) });
  });

  test('no answer at all ends at the deadline, and so does one that never ends', async () => {
    const silent = await answered(channel, () => undefined, { timeout: 100 });
    expect(silent.outcome).toMatchObject({ ok: false, retryable: true, reason: expect.stringContaining('no answer in time') });
    const endless = await answered(channel, (response) => void response.writeHead(500).write('x'), { timeout: 100 });
    expect(endless.outcome).toMatchObject({ ok: false, retryable: true });
  });

  test('an abort ends the request', async () => {
    await using receiver = await new HttpReceiver().listen();
    const stop = new AbortController();
    receiver.answer = () => stop.abort();
    expect(await openChannel(channel, receiver.origin).notify(incidentNotification(), stop.signal)).toMatchObject({
      ok: false,
      reason: expect.stringContaining('aborted'),
    });
  });

  test('a certificate that has expired is named, and nothing is sent', async () => {
    const { key, cert } = selfSigned({ notAfter: '210101000000Z' });
    const { outcome, requests } = await overTls({ key, cert }, channel, { ca: cert });
    expect(outcome).toMatchObject({ ok: false, retryable: true, reason: expect.stringContaining('its certificate has expired') });
    expect(requests).toBe(0);
  });

  test('a certificate that nobody vouches for is named; with its authority by ca it is taken', async () => {
    const { key, cert } = selfSigned();
    const refused = await overTls({ key, cert }, channel, {});
    expect(refused.outcome).toMatchObject({
      ok: false,
      retryable: true,
      reason: expect.stringContaining('its certificate signed itself; name its authority by ca'),
    });
    expect(refused.requests).toBe(0);
    expect((await overTls({ key, cert }, channel, { ca: cert })).outcome).toEqual(OK);
  });
});

async function overTls(pair: { readonly key: string; readonly cert: string }, channel: HttpChannel, more: Readonly<Record<string, unknown>>) {
  let requests = 0;
  const server = createServer(pair, (_request, response) => {
    requests++;
    response.end(channel.yes);
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const origin = `https://localhost:${(server.address() as AddressInfo).port}`;
    return { outcome: await openChannel(channel, origin, more).notify(incidentNotification(), never), requests };
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}
