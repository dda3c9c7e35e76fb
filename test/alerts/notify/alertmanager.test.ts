import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { alertmanagerConfig } from '../../../alerts/notify/alertmanager/config.ts';
import { AlertmanagerNotifier } from '../../../alerts/notify/alertmanager/notifier.ts';
import { OK } from '../../../core/types.ts';
import { HttpReceiver } from '../../support/http-receiver.ts';
import { T0, alertOf, finding, incidentNotification } from '../support/build.ts';

const never = new AbortController().signal;
type Posted = { readonly labels: Record<string, string>; readonly annotations: Record<string, string>; readonly startsAt: string; readonly endsAt: string };

function notifierFor(
  urls: readonly string[],
  parts: { readonly now?: () => number; readonly problems?: string[]; readonly labels?: Record<string, string> } = {},
): AlertmanagerNotifier {
  const config = alertmanagerConfig.parse({ urls, labels: parts.labels ?? {} });
  return new AlertmanagerNotifier(config, {
    name: 'am',
    now: parts.now ?? (() => T0),
    cards: () => ({ owner: 'billing', environment: 'production' }),
    onProblem: (message) => void parts.problems?.push(message),
  });
}

async function pushed(...notifications: readonly Parameters<AlertmanagerNotifier['notify']>[0][]): Promise<readonly (readonly Posted[])[]> {
  await using receiver = await new HttpReceiver().listen();
  const notifier = notifierFor([`${receiver.origin}/am/`], { labels: { site: 'ams' } });
  for (const notification of notifications) expect(await notifier.notify(notification, never)).toEqual(OK);
  for (const { path } of receiver.posts) expect(path).toBe('/am/api/v2/alerts');
  return receiver.posts.map(({ body }) => JSON.parse(body) as Posted[]);
}

describe('what is pushed', () => {
  test('an incident is one alert, which is over by itself unless it is pushed again within four minutes', async () => {
    const [[alert] = []] = await pushed(incidentNotification());
    expect(alert).toEqual({
      labels: {
        site: 'ams',
        alertname: 'KeywatchKey',
        severity: 'critical',
        incident: 'INC-4821',
        key: 'billing-export',
        owner: 'billing',
        environment: 'production',
      },
      annotations: expect.objectContaining({
        summary: 'CRITICAL 94 · billing-export: 2,310 requests in 1 min, limit 1,000 requests',
        description: '2310 requests in a minute, the limit is 1000.',
        action: 'Apply rate limiting.',
        rule: 'requests-per-minute',
      }),
      startsAt: '2026-03-10T12:00:00.000Z',
      endsAt: '2026-03-10T12:04:00.000Z',
    });
  });

  test('more severe: the alert of the lower severity ends in the same push', async () => {
    const [alerts = []] = await pushed(incidentNotification({ kind: 'severity_up', openedAs: 'medium' }));
    expect(alerts.map(({ labels, endsAt }) => [labels['severity'], endsAt])).toEqual([
      ['medium', '2026-03-10T12:00:00.000Z'],
      ['high', '2026-03-10T12:00:00.000Z'],
      ['critical', '2026-03-10T12:04:00.000Z'],
    ]);
  });

  test('the end has the labels of the beginning, so that it is the same alert', async () => {
    const [[fired] = [], [ended] = []] = await pushed(
      incidentNotification(),
      // Another rule, another score: what changes by itself is no label.
      incidentNotification(
        { kind: 'resolved', openedAs: 'critical', alert: alertOf({ rule: 'other', finding: finding({ minute: 3, severity: 'critical' }) }) },
        { state: 'resolved', score: 99, reopens: 1 },
      ),
    );
    expect(ended?.labels).toEqual(fired?.labels);
    expect(ended?.endsAt).toBe('2026-03-10T12:00:00.000Z');
  });

  test('digests and surveys are for people: nothing is pushed; a fault of Keywatch is', async () => {
    expect(await pushed({ id: 'd', kind: 'digest', at: T0, attempt: 1, text: 'x' }, { id: 's', kind: 'survey', at: T0, attempt: 1, text: 'x' })).toEqual([]);
    expect((await pushed({ id: 'p', kind: 'pipeline', at: T0, attempt: 1, text: 'the store is away' }))[0]?.[0]).toMatchObject({
      labels: { alertname: 'KeywatchNeedsAttention', severity: 'high' },
      annotations: { description: 'the store is away' },
    });
  });
});

describe('several instances', () => {
  test('each is told; one that takes it is enough; one that is away is reported once', async () => {
    await using one = await new HttpReceiver().listen();
    await using two = await new HttpReceiver().listen();
    one.answer = (response) => void response.writeHead(503).end();
    const problems: string[] = [];
    const notifier = notifierFor([one.origin, two.origin], { problems });
    expect(await notifier.notify(incidentNotification(), never)).toEqual(OK);
    expect(await notifier.refresh([incidentNotification({ kind: 'updated' })], never)).toEqual(OK);
    expect([one.posts.length, two.posts.length]).toEqual([2, 2]);
    expect(problems).toEqual([`am: ${new URL(one.origin).host} does not take alerts: Alertmanager answered HTTP 503`]);
    two.answer = (response) => void response.writeHead(400).end();
    expect(await notifier.notify(incidentNotification(), never)).toMatchObject({ ok: false, retryable: true });
  });
});

test('a token is not sent in the clear', () => {
  const parse = (urls: readonly string[]) => alertmanagerConfig.safeParse({ urls, basicAuth: { user: 'x', password: 'no' } }).success;
  expect(parse(['http://alertmanager:9093'])).toBe(false);
  expect(alertmanagerConfig.safeParse({ urls: ['http://alertmanager:9093'] }).success).toBe(true);
  expect(alertmanagerConfig.safeParse({ urls: ['http://user:pw@alertmanager:9093'] }).success).toBe(false);
});

const BINARY = new URL('../../../node_modules/.cache/keywatch/alertmanager-0.34.2/alertmanager', import.meta.url).pathname;
/** Built from the Go module as docs/manual/channels.md says. Only the long run: it waits for timers of Alertmanager. */
const isLong = process.env['KEYWATCH_TEST_LONG'] !== undefined;
if (isLong && !existsSync(BINARY)) console.warn(`SKIPPED: the real Alertmanager is not at ${BINARY}`);

describe.skipIf(!isLong || !existsSync(BINARY))('the real Alertmanager', () => {
  test('takes what we push, tells its receiver, and tells it the end', { timeout: 60_000 }, async () => {
    await using hook = await new HttpReceiver().listen();
    const told: { status: string; alerts: { status: string; labels: Record<string, string> }[] }[] = [];
    let next = Promise.withResolvers<void>();
    hook.answer = (response, { body }) => {
      told.push(JSON.parse(body) as (typeof told)[number]);
      response.end();
      next.resolve();
      next = Promise.withResolvers<void>();
    };
    const folder = mkdtempSync(join(tmpdir(), 'keywatch-am-'));
    writeFileSync(
      join(folder, 'am.yml'),
      `route: { receiver: hook, group_by: [incident], group_wait: 100ms, group_interval: 1s }\nreceivers: [{ name: hook, webhook_configs: [{ url: "${hook.origin}/", send_resolved: true }] }]\n`,
    );
    await using port = await new HttpReceiver().listen();
    const { host } = new URL(port.origin);
    await port[Symbol.asyncDispose]();
    const child = spawn(
      BINARY,
      [`--config.file=${join(folder, 'am.yml')}`, `--storage.path=${join(folder, 'data')}`, `--web.listen-address=${host}`, '--cluster.listen-address='],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    try {
      await new Promise<void>((resolve, reject) => {
        child.stderr.on('data', (chunk: Buffer) => chunk.includes('Listening on') && resolve());
        child.once('exit', (code) => reject(new Error(`alertmanager ended with ${code}`)));
      });
      const now = Date.now();
      const notifier = notifierFor([`http://${host}`], { now: () => Date.now() });
      let wait = next.promise;
      const fired = incidentNotification({}, { startedAt: now - 60_000 });
      expect(await notifier.notify(fired, never)).toEqual(OK);
      await wait;
      expect(told.at(-1)).toMatchObject({ status: 'firing', alerts: [{ status: 'firing', labels: { incident: 'INC-4821', severity: 'critical' } }] });
      expect(await notifier.refresh([{ ...fired, kind: 'updated' }], never)).toEqual(OK);
      wait = next.promise;
      expect(await notifier.notify({ ...fired, kind: 'resolved', openedAs: 'critical' }, never)).toEqual(OK);
      await wait;
      expect(told.at(-1)).toMatchObject({ status: 'resolved', alerts: [{ status: 'resolved', labels: { incident: 'INC-4821' } }] });
      expect(told).toHaveLength(2);
    } finally {
      child.kill();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
