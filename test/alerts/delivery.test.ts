import { describe, expect, test } from 'vitest';
import { MINUTE_MS } from '../../core/window.ts';
import { type EntityId, OK, entityId, failed } from '../../core/types.ts';
import { KEY, OTHER_KEY, T0, breach, quiet } from './support/build.ts';
import { DeskHarness as GroupingHarness, UNGROUPED } from './support/desk-harness.ts';

class DeskHarness extends GroupingHarness {
  override more = { grouping: UNGROUPED };
}

const critical = (minute: number, entity: EntityId = KEY) => breach({ minute, entity, severity: 'critical' });
const clear = (minute: number, entity: EntityId = KEY) => quiet({ minute, entity });
const A = 'key kf1_9f3c12ab';

async function clearMinutes(harness: DeskHarness, from: number, to: number, entities: readonly EntityId[] = [KEY]): Promise<void> {
  for (let minute = from; minute <= to; minute++)
    await harness.closed(
      minute,
      entities.map((entity) => clear(minute, entity)),
    );
}

const keys = (amount: number): readonly EntityId[] => Array.from({ length: amount }, (_, index) => entityId('key', `k${index}`));

describe('delivery', () => {
  test('a channel that hangs delays no other', async () => {
    const harness = await new DeskHarness().start();
    harness.slack.answer = 'hangs';
    await harness.closed(0, [critical(0)]);
    await harness.closed(1, [critical(1, OTHER_KEY)]);
    expect(harness.email.arrived).toHaveLength(2);
    expect(harness.slack.attempts.length).toBeGreaterThanOrEqual(1);
    harness.slack.answer = OK;
    await harness.clock.advance(5 * MINUTE_MS);
    expect([...harness.slack.arrived].sort()).toEqual([`fired key kf1_77aa0011`, `fired ${A}`]);
    expect(harness.slack.attempts[0]?.notification.id).toBe(harness.slack.attempts.find(({ outcome }) => outcome === OK)?.notification.id);
    await harness.stop();
  });

  test('a failed message is tried again under the same id, later each time, up to five minutes apart', async () => {
    const harness = await new DeskHarness().start();
    harness.slack.answer = failed('HTTP 500', true);
    await harness.closed(0, [breach({ minute: 0, observed: 1500 })]);
    await harness.clock.advance(60 * MINUTE_MS);
    const { attempts } = harness.slack;
    const gaps = attempts.slice(1).map((attempt, index) => attempt.at - (attempts[index]?.at ?? 0));
    expect(new Set(attempts.map(({ notification }) => notification.id)).size).toBe(1);
    expect(attempts.map(({ notification }) => notification.attempt)).toEqual(attempts.map((_, index) => index + 1));
    // 1 s, 2 s, 4 s … 256 s, then 300 s, each up to a quarter shorter.
    for (const [index, gap] of gaps.entries()) {
      const whole = Math.min(300_000, 1000 * 2 ** index);
      expect(gap).toBeLessThanOrEqual(whole);
      expect(gap).toBeGreaterThanOrEqual(whole * 0.75);
    }
    expect(gaps.length).toBeGreaterThan(15);
    await harness.stop();
  });

  test('Retry-After is obeyed for the whole channel, also after a restart', async () => {
    const harness = await new DeskHarness().start();
    harness.slack.script.push(failed('HTTP 429', true, 90_000));
    await harness.closed(0, [breach({ minute: 0, observed: 1500 })]);
    const at = harness.clock.now();
    await harness.desk.observe([breach({ minute: 0, entity: OTHER_KEY, observed: 1500 })]);
    await harness.stop();
    await harness.start();
    await harness.clock.advance(89_999);
    expect(harness.slack.attempts).toHaveLength(1);
    await harness.clock.advance(1);
    expect(harness.slack.attempts.map((attempt) => attempt.at - at)).toEqual([0, 90_000, 90_000]);
    await harness.stop();
  });

  test('one message that always fails holds nobody else up', async () => {
    const harness = await new DeskHarness().start();
    harness.slack.answer = (notification) => (notification.alert?.entity === KEY ? failed('HTTP 500', true) : OK);
    await harness.closed(0, [breach({ minute: 0, observed: 1500 })]);
    await harness.closed(3, [breach({ minute: 3, entity: OTHER_KEY, observed: 1500 })]);
    await harness.clock.advance(10_000);
    expect(harness.slack.arrived).toEqual(['fired key kf1_77aa0011']);
    await harness.stop();
  });

  test('the end of an alert never overtakes its beginning', async () => {
    const harness = await new DeskHarness().start();
    harness.slack.answer = failed('HTTP 503', true);
    await harness.closed(0, [breach({ minute: 0, observed: 1500 })]);
    await clearMinutes(harness, 1, 11);
    harness.slack.answer = OK;
    await harness.clock.advance(10 * MINUTE_MS);
    expect(harness.slack.arrived).toEqual([`fired ${A}`, `resolved ${A}`]);
    await harness.stop();
  });

  test('a channel takes a burst and then one message a second', async () => {
    const harness = await new DeskHarness().start();
    const entities = keys(12);
    await harness.closed(
      0,
      entities.map((entity) => critical(0, entity)),
    );
    const at = harness.clock.now();
    expect(harness.slack.arrived).toHaveLength(5);
    await harness.clock.advance(20_000);
    expect(harness.slack.attempts.map((attempt) => attempt.at - at)).toEqual([0, 0, 0, 0, 0, 1000, 2000, 3000, 4000, 5000, 6000, 7000]);
    await harness.stop();
  });

  test('more than twenty at once become a few and one that names how many, and each of them is told the end', async () => {
    const harness = await new DeskHarness().start();
    const entities = keys(60);
    await harness.closed(
      0,
      entities.map((entity, index) => (index === 41 ? critical(0, entity) : breach({ minute: 0, entity, observed: 1500 }))),
    );
    await harness.clock.advance(MINUTE_MS);
    const { attempts } = harness.slack;
    expect(attempts).toHaveLength(6);
    // The critical one is among those that keep a message of their own.
    expect(harness.slack.arrived).toContain('fired key k41');
    expect(attempts.filter(({ notification }) => notification.kind === 'summary').map(({ notification }) => notification.text?.split('\n', 1)[0])).toEqual([
      '55 messages for this channel are told here in one: 55 incidents fired or worse, 0 resolved.',
    ]);
    await harness.stop();
    await harness.start();
    await clearMinutes(harness, 1, 11, entities);
    await harness.clock.advance(MINUTE_MS);
    expect(harness.slack.attempts.at(-1)?.notification.text).toContain(
      '60 messages for this channel are told here in one: 0 incidents fired or worse, 60 resolved.',
    );
    const ended = harness.entries.flatMap((entry) => entry.outbox).flatMap((row) => (row.channel === 'slack' ? (row.covers?.ended ?? []) : []));
    expect(new Set(ended).size).toBe(60);
    expect(harness.desk.health()[0]).toMatchObject({ channel: 'slack', queued: 0 });
    await harness.stop();
  });

  test('what piles up while a channel is down is told in few messages when it is back, sums of sums included', async () => {
    const harness = await new DeskHarness().start();
    harness.slack.answer = failed('HTTP 503', true);
    const entities = keys(90);
    for (const [minute, entity] of entities.entries()) await harness.closed(minute, [breach({ minute, entity, observed: 1500 })]);
    harness.slack.answer = OK;
    await harness.clock.advance(10 * MINUTE_MS);
    const { arrived } = harness.slack;
    const sums = harness.slack.attempts
      .filter(({ notification, outcome }) => outcome === OK && notification.kind === 'summary')
      .map(({ notification }) => Number(notification.text?.split(' ', 1)[0]));
    const alone = arrived.filter((what) => what.startsWith('fired')).length;
    expect(alone + sums.reduce((sum, each) => sum + each, 0)).toBe(90);
    expect(arrived.length).toBeLessThanOrEqual(21);
    // One clear minute for all of them, held: each end is told, alone or in a sum.
    await clearMinutes(harness, 110, 121, entities);
    await harness.clock.advance(10 * MINUTE_MS);
    const rows = harness.entries.flatMap((entry) => entry.outbox).filter((row) => row.channel === 'slack');
    const ended = new Set(rows.flatMap((row) => row.covers?.ended ?? (row.kind === 'resolved' && row.alert !== undefined ? [row.alert.id] : [])));
    expect(ended.size).toBe(90);
    await harness.stop();
  });

  test('a storm of thousands is several entries and few messages', async () => {
    const harness = await new DeskHarness().start();
    await harness.closed(
      0,
      keys(4500).map((entity) => critical(0, entity)),
    );
    await harness.clock.advance(MINUTE_MS);
    const firing = harness.entries.filter((entry) => entry.alerts.length > 0);
    expect(firing.map((entry) => entry.alerts.length)).toEqual(Array<number>(9).fill(500));
    expect(firing.map((entry) => entry.judgedThrough !== undefined)).toEqual([...Array<boolean>(8).fill(false), true]);
    expect(firing.map((entry) => entry.outbox.length)).toEqual(Array<number>(9).fill(12));
    expect(harness.slack.arrived.length).toBeLessThanOrEqual(30);
    expect(harness.desk.alerts()).toHaveLength(4500);
    await harness.stop();
  });

  test('a crash between the entries of a storm loses no alert and no message', async () => {
    const harness = await new DeskHarness().open();
    const entities = keys(4500);
    await harness.closed(
      0,
      entities.map((entity) => critical(0, entity)),
    );
    const { entries, snapshot } = harness.journal.capture();
    harness.journal.restore({ entries: entries.slice(0, 1), snapshot });
    const before = harness.entries.length;
    await harness.start();
    expect(harness.desk.alerts()).toHaveLength(500);
    expect(harness.desk.judgedThrough).toBe(0);
    // Nothing says that the minute was judged: it is judged again.
    await harness.closed(
      0,
      entities.map((entity) => critical(0, entity)),
    );
    await harness.clock.advance(MINUTE_MS);
    expect(harness.desk.alerts().filter((alert) => alert.findings === 1)).toHaveLength(4500);
    const told = [...harness.entries.slice(0, 1), ...harness.entries.slice(before)]
      .flatMap((entry) => entry.outbox)
      .filter((row) => row.channel === 'slack')
      .flatMap((row) => row.covers?.firing ?? (row.incident === undefined ? [] : [row.incident.id]));
    expect(new Set(told).size).toBe(4500);
    await harness.stop();
  });

  test('what a channel refuses for good is told on the fallback channel, the end included', async () => {
    const harness = await new DeskHarness().start();
    harness.slack.answer = failed('HTTP 410', false);
    await harness.closed(0, [breach({ minute: 0, observed: 1500 })]);
    expect(harness.slack.attempts).toHaveLength(1);
    expect(harness.email.arrived).toEqual([`fired ${A}`]);
    expect(harness.email.attempts[0]?.notification.text).toBe('Sent here because the channel `slack` did not take a message and it is given up: `HTTP 410`.');
    await clearMinutes(harness, 1, 11);
    expect(harness.email.arrived).toEqual([`fired ${A}`, `resolved ${A}`]);
    await harness.stop();
  });

  test('a refused message about an alert that the fallback knows already is reported in one line', async () => {
    const harness = await new DeskHarness().start();
    harness.slack.script.push(failed('HTTP 404: no_service', false));
    await harness.closed(0, [critical(0)]);
    expect(harness.email.arrived).toEqual([`fired ${A}`, 'pipeline']);
    expect(harness.email.attempts[1]?.notification.text).toContain(
      'did not take a message and it is given up: `HTTP 404: no_service`.\nIt was: fired, critical, `key kf1_9f3c12ab` `requests-per-minute`',
    );
    await harness.stop();
  });

  test('reports of lost messages do not go in circles', async () => {
    const harness = await new DeskHarness().start();
    harness.slack.answer = failed('HTTP 404', false);
    harness.email.answer = failed('550 no', false);
    await harness.closed(0, [critical(0)]);
    await harness.clock.advance(9 * MINUTE_MS);
    expect(harness.slack.attempts.length + harness.email.attempts.length).toBeLessThanOrEqual(6);
    expect(harness.desk.health().map((each) => each.queued)).toEqual([0, 0]);
    await harness.stop();
  });

  test('a channel that fails for ten minutes is reported on the fallback channel, once, while it is tried on', async () => {
    const harness = await new DeskHarness().start();
    harness.slack.answer = failed('HTTP 502', true);
    await harness.closed(0, [breach({ minute: 0, observed: 1500 })]);
    await harness.clock.advance(9 * MINUTE_MS);
    expect(harness.email.arrived).toEqual([]);
    await harness.clock.advance(120 * MINUTE_MS);
    expect(harness.email.arrived).toEqual(['pipeline']);
    expect(harness.email.attempts[0]?.notification.text).toContain(
      'The channel `slack` has taken no message since 2026-03-10 12:02:00 UTC: `HTTP 502`. 1 wait and are tried again for a day.',
    );
    harness.slack.answer = OK;
    await harness.clock.advance(10 * MINUTE_MS);
    expect(harness.slack.arrived).toEqual([`fired ${A}`]);
    await harness.stop();
  });

  test('after a day a message is given up', async () => {
    const harness = await new DeskHarness().start();
    harness.slack.answer = failed('HTTP 500', true);
    await harness.closed(0, [breach({ minute: 0, observed: 1500 })]);
    await harness.clock.advance(24 * 60 * MINUTE_MS);
    const last = harness.slack.attempts.at(-1)?.at ?? 0;
    expect(last - T0).toBeGreaterThan(23.8 * 60 * MINUTE_MS);
    await harness.clock.advance(24 * 60 * MINUTE_MS);
    const first = harness.slack.attempts[0]?.notification.id;
    expect(harness.slack.attempts.findLast(({ notification }) => notification.id === first)?.at).toBe(last);
    expect(harness.email.arrived).toContain(`fired ${A}`);
    await harness.stop();
  });

  test('a notifier that throws loses its message, not the process, and no word of the error is repeated', async () => {
    const harness = await new DeskHarness().start();
    harness.slack.answer = 'throws';
    await harness.closed(0, [critical(0)]);
    expect(harness.email.arrived).toEqual([`fired ${A}`, 'pipeline']);
    expect(JSON.stringify(harness.entries)).toContain('BUG in the notifier slack: TypeError');
    expect(JSON.stringify(harness.entries)).not.toContain('secret-token');
    await harness.stop();
  });

  test('a message under way at a crash is sent again under the same id', async () => {
    const harness = await new DeskHarness().start();
    harness.slack.answer = 'hangs';
    await harness.closed(0, [breach({ minute: 0, observed: 1500 })]);
    await harness.kill();
    harness.slack.answer = OK;
    await harness.start();
    expect(harness.slack.attempts.map(({ notification }) => [notification.id, notification.attempt])).toEqual(
      Array.from({ length: 2 }, () => [harness.slack.attempts[0]?.notification.id, 1]),
    );
    await harness.stop();
  });

  test('drain sends what waits and ends when nothing is left, or when its time is up', async () => {
    const harness = await new DeskHarness().open();
    await harness.closed(0, [critical(0)]);
    await harness.desk.drain(new AbortController().signal);
    expect([harness.slack.arrived, harness.email.arrived]).toEqual([[`fired ${A}`], [`fired ${A}`]]);
    harness.slack.answer = failed('HTTP 500', true);
    await harness.closed(1, [critical(1, OTHER_KEY)]);
    const stop = new AbortController();
    const drained = harness.desk.drain(stop.signal);
    await harness.clock.advance(5000);
    expect(harness.email.arrived).toHaveLength(2);
    stop.abort();
    await drained;
    expect(harness.desk.health()[0]).toMatchObject({ queued: 1, failures: 3 });
  });

  test('drain beside a running sender waits for it and sends nothing twice', async () => {
    const harness = await new DeskHarness().start();
    await harness.desk.observe(
      keys(8).map((entity) => critical(0, entity)),
      {},
    );
    const drained = harness.desk.drain(new AbortController().signal);
    await harness.clock.advance(10_000);
    await drained;
    expect(harness.slack.attempts).toHaveLength(8);
    await harness.stop();
  });

  test('drain beside a running sender ends when its time is up', async () => {
    const harness = await new DeskHarness().start();
    harness.slack.answer = failed('HTTP 500', true);
    await harness.closed(0, [critical(0)]);
    const stop = new AbortController();
    const drained = harness.desk.drain(stop.signal);
    await harness.clock.advance(5000);
    stop.abort();
    await drained;
    expect(harness.desk.health().map((each) => each.queued)).toEqual([1, 0]);
    await harness.stop();
  });

  test('a channel that is no longer configured is cleared, and its messages count as lost', async () => {
    const harness = await new DeskHarness().start();
    harness.slack.answer = failed('HTTP 500', true);
    await harness.closed(0, [critical(0)]);
    await harness.stop();
    harness.channels = [{ notifier: harness.email, minSeverity: 'high' }];
    await harness.start();
    await clearMinutes(harness, 1, 11);
    const rows = harness.entries.flatMap((entry) => entry.outbox).filter((row) => row.channel === 'slack');
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(harness.entries)).toContain('the channel slack is no longer configured');
    await harness.stop();
  });

  test('a sparkline that does not come is not waited for', async () => {
    const harness = new DeskHarness();
    harness.series = async (alert) => (alert.entity === KEY ? new Promise(() => undefined) : [1, 2, 3]);
    await harness.start();
    await harness.closed(0, [breach({ minute: 0, observed: 1500 }), breach({ minute: 0, entity: OTHER_KEY, observed: 1500 })]);
    await harness.clock.advance(3000);
    expect(harness.slack.attempts.map(({ notification }) => notification.series)).toEqual([undefined, [1, 2, 3]]);
    await harness.stop();
  });
});
