import { describe, expect, test } from 'vitest';
import { splunkConfig } from '../../../alerts/notify/splunk/config.ts';
import { SplunkNotifier } from '../../../alerts/notify/splunk/notifier.ts';
import type { JournalEntry } from '../../../core/alert.ts';
import { Secret } from '../../../core/secret.ts';
import { OK } from '../../../core/types.ts';
import { HttpReceiver } from '../../support/http-receiver.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { T0, alertOf, incidentNotification, incidentOf } from '../support/build.ts';

const never = new AbortController().signal;
const entry: JournalEntry = {
  seq: 7,
  prevHash: 'aa',
  hash: 'bb',
  at: T0 + 62_000,
  actor: 'keywatch',
  transitions: [{ at: T0 + 62_000, alert: alertOf().id, from: 'pending', to: 'firing', cause: 'confirmed' }],
  alerts: [alertOf()],
  incidents: [incidentOf(alertOf())],
  outbox: [],
  deliveries: [],
  audit: [{ action: 'acknowledge', subject: 'INC-4821', note: 'mine', actor: { way: 'cli', name: 'maria' }, command: 'c1' }],
};

function notifierFor(receiver: HttpReceiver, parts: Readonly<Record<string, unknown>> = {}, clock = new VirtualClock(T0)): SplunkNotifier {
  return new SplunkNotifier(splunkConfig.parse({ url: receiver.origin, token: new Secret('hec-token-0001'), ...parts }), { name: 'splunk', clock });
}

type Line = { readonly sourcetype: string; readonly index?: string; readonly event: Record<string, unknown>; readonly fields: Record<string, string> };
const linesOf = (body: string | undefined): readonly Line[] => (body ?? '').split('\n').map((line) => JSON.parse(line) as Line);

describe('the HTTP Event Collector (contract fake)', () => {
  test('gets finding, alert, incident and audit records, each with the retention label and a stable id', async () => {
    await using receiver = await new HttpReceiver().listen();
    receiver.answer = (response) => void response.end('{"text":"Success","code":0}');
    expect(await notifierFor(receiver, { index: 'security', retention: '7y' }).record([entry], never)).toEqual(OK);
    const [post] = receiver.posts;
    expect([post?.path, post?.headers.authorization]).toEqual(['/services/collector/event', 'Splunk hec-token-0001']);
    const lines = linesOf(post?.body);
    expect(lines.map(({ sourcetype, index, fields }) => [sourcetype, index, fields])).toEqual([
      ['keywatch:finding', 'security', { retention: '7y', record: 'finding', record_id: entry.alerts[0]?.finding.id }],
      ['keywatch:alert', 'security', { retention: '7y', record: 'alert', record_id: `${alertOf().id}@7` }],
      ['keywatch:incident', 'security', { retention: '7y', record: 'incident', record_id: 'INC-4821@7' }],
      ['keywatch:audit', 'security', { retention: '7y', record: 'audit', record_id: 'audit-7-0' }],
    ]);
    expect(lines[1]?.event).toMatchObject({
      transition: { from: 'pending', to: 'firing', cause: 'confirmed' },
      why: '2310 requests in a minute, the limit is 1000.',
    });
    expect(lines[3]?.event).toEqual({
      seq: 7,
      action: 'acknowledge',
      subject: 'INC-4821',
      note: 'mine',
      actor: 'cli:maria',
      command: 'c1',
      entryHash: 'bb',
      previousHash: 'aa',
    });
  });

  test('many records go in several requests of bounded size, none is left out', async () => {
    await using receiver = await new HttpReceiver().listen();
    receiver.answer = (response) => void response.end('{"text":"Success","code":0}');
    const many = Array.from({ length: 500 }, (_, index): JournalEntry => ({ ...entry, seq: index }));
    expect(await notifierFor(receiver).record(many, never)).toEqual(OK);
    expect(receiver.posts.length).toBeGreaterThan(1);
    for (const { body } of receiver.posts) expect(body.length).toBeLessThan(600 * 1024);
    expect(receiver.posts.reduce((sum, { body }) => sum + linesOf(body).length, 0)).toBe(2000);
  });

  test.each([
    [403, '{"text":"Invalid token","code":4}', false, 'Splunk answered HTTP 403: Invalid token (code 4)'],
    [400, '{"text":"Incorrect index","code":7}', false, 'Splunk answered HTTP 400: Incorrect index (code 7)'],
    [503, '{"text":"Server is busy","code":9}', true, 'Splunk answered HTTP 503: Server is busy (code 9)'],
  ])('%i %s', async (status, body, retryable, reason) => {
    await using receiver = await new HttpReceiver().listen();
    receiver.answer = (response) => void response.writeHead(status).end(body);
    expect(await notifierFor(receiver).notify(incidentNotification(), never)).toEqual({ ok: false, retryable, reason });
  });
});

/** The result of `work`, with the clock going on until it is there. */
async function whileTimePasses<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  const state = { isDone: false };
  void work.finally(() => (state.isDone = true));
  while (!state.isDone) await clock.advance(500);
  return work;
}

describe('indexer acknowledgement', () => {
  test('is waited for, on one channel', async () => {
    await using receiver = await new HttpReceiver().listen();
    let polls = 0;
    const clock = new VirtualClock(T0);
    receiver.answer = (response, { path }) =>
      void response.end(path.endsWith('/ack') ? `{"acks":{"3":${++polls >= 2}}}` : '{"text":"Success","code":0,"ackId":3}');
    const outcome = notifierFor(receiver, { acknowledge: true }, clock).notify(incidentNotification(), never);
    expect(await whileTimePasses(clock, outcome)).toEqual(OK);
    expect(polls).toBe(2);
    expect(new Set(receiver.posts.map(({ headers }) => headers['x-splunk-request-channel'])).size).toBe(1);
  });

  test('that never comes is tried again; a token without it is for a person', async () => {
    await using receiver = await new HttpReceiver().listen();
    const clock = new VirtualClock(T0);
    receiver.answer = (response, { path }) => void response.end(path.endsWith('/ack') ? '{"acks":{"3":false}}' : '{"text":"Success","code":0,"ackId":3}');
    const outcome = notifierFor(receiver, { acknowledge: true }, clock).notify(incidentNotification(), never);
    expect(await whileTimePasses(clock, outcome)).toMatchObject({ ok: false, retryable: true, reason: expect.stringContaining('did not acknowledge') });
    receiver.answer = (response) => void response.end('{"text":"Success","code":0}');
    expect(await notifierFor(receiver, { acknowledge: true }).notify(incidentNotification(), never)).toMatchObject({
      ok: false,
      retryable: false,
      reason: expect.stringContaining('switch indexer acknowledgement on'),
    });
  });
});
