import { describe, expect, test } from 'vitest';
import { MINUTE_MS } from '../../core/window.ts';
import { type EntityId, OK, entityId, failed } from '../../core/types.ts';
import { JournalTakenError } from '../../alerts/desk.ts';
import { thresholdSpec } from '../../alerts/rule-spec.ts';
import { KEY, M0, OTHER_KEY, RULE, T0, breach, quiet } from './support/build.ts';
import { DeskHarness as GroupingHarness, UNGROUPED } from './support/desk-harness.ts';
import { ScriptedNotifier } from './support/scripted-notifier.ts';

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

describe('one journal entry per decision', () => {
  test('transition and outbox row are in the same entry, and it is there before anything is sent', async () => {
    const harness = await new DeskHarness().start();
    let entriesWhenSent = -1;
    harness.slack.answer = () => {
      entriesWhenSent = harness.entries.length;
      return OK;
    };
    await harness.closed(0, [critical(0)]);
    const [entry] = harness.entries;
    expect(entry?.transitions.map((move) => move.cause)).toEqual(['first_breach', 'confirmed']);
    expect(entry?.outbox.map((row) => row.channel)).toEqual(['slack', 'email']);
    expect(entry?.judgedThrough).toBe(M0 + 1);
    expect(entriesWhenSent).toBeGreaterThanOrEqual(1);
    await harness.stop();
  });

  test('a call that changes nothing writes nothing', async () => {
    const harness = await new DeskHarness().open();
    await harness.closed(0, [critical(0)]);
    const before = harness.entries.length;
    await harness.desk.observe([], { judgedThrough: M0 + 1 });
    await harness.desk.observe([quiet({ minute: 0, entity: OTHER_KEY })], {});
    await harness.desk.tick();
    expect(harness.entries.length).toBe(before);
    await harness.closed(1);
    expect(harness.entries.length).toBe(before + 1);
    expect(harness.desk.judgedThrough).toBe(M0 + 2);
  });

  test('a judge whose journal was taken over stops with a clear error and sends nothing more', async () => {
    const harness = await new DeskHarness().start();
    const late = new DeskHarness();
    await harness.closed(0);
    Object.assign(late, { journal: harness.journal });
    await late.open();
    await late.desk.observe([], { judgedThrough: M0 + 50 });
    await expect(harness.closed(1, [critical(1)])).rejects.toThrow(
      'journal entry 2 is taken: another keywatch process judges the same data; stop one of the two, this one ends here',
    );
    await expect(harness.desk.tick()).rejects.toBeInstanceOf(JournalTakenError);
    expect(harness.slack.attempts).toEqual([]);
    await harness.kill();
  });

  test('a sender that finds the journal taken ends the run', async () => {
    const harness = await new DeskHarness().start();
    harness.slack.answer = () => {
      // Another process writes while the message is under way.
      void harness.journal.append(harness.entries.length + 1, { at: 0, actor: 'other', transitions: [], alerts: [], outbox: [], deliveries: [] });
      return OK;
    };
    await harness.closed(0, [critical(0)]);
    await expect(harness.running).rejects.toBeInstanceOf(JournalTakenError);
  });
});

describe('who is told', () => {
  test('warnings go to Slack, criticals to Slack and mail, low ones to the digest only', async () => {
    const harness = await new DeskHarness().start();
    await harness.closed(0, [breach({ minute: 0 }), breach({ minute: 0, entity: OTHER_KEY, severity: 'low', observed: 900 })]);
    await harness.closed(1, [breach({ minute: 1 })]);
    expect(harness.slack.arrived).toEqual([`fired ${A}`]);
    expect(harness.email.arrived).toEqual([]);
    await harness.closed(2, [critical(2, entityId('key', 'third'))]);
    expect(harness.email.arrived).toEqual(['fired key third']);
    expect(harness.slack.arrived).toEqual([`fired ${A}`, 'fired key third']);
    await harness.stop();
  });

  test('a channel that joins when the alert gets worse hears first that it fired; its thread keeps that severity', async () => {
    const harness = await new DeskHarness().start();
    await harness.closed(0, [breach({ minute: 0, observed: 1500 })]);
    await harness.closed(1, [critical(1)]);
    expect(harness.slack.arrived).toEqual([`fired ${A}`, `severity_up ${A}`]);
    expect(harness.email.arrived).toEqual([`fired ${A}`]);
    await clearMinutes(harness, 2, 12);
    expect(harness.email.arrived).toEqual([`fired ${A}`, `resolved ${A}`]);
    expect(harness.email.attempts.map(({ notification }) => notification.openedAs)).toEqual(['critical', 'critical']);
    expect(harness.slack.attempts.map(({ notification }) => notification.openedAs)).toEqual(['medium', 'medium', 'medium']);
    expect(harness.slack.attempts.at(-1)?.notification.durationMs).toBe(13 * MINUTE_MS);
    await harness.stop();
  });

  test('who was told that it fired is told that it ended, though a restart lies between and the channel wants less now', async () => {
    const harness = await new DeskHarness().start();
    await harness.closed(0, [breach({ minute: 0, observed: 1500 })]);
    await harness.stop();
    harness.slackMin = 'critical';
    await harness.start();
    await clearMinutes(harness, 1, 11);
    expect(harness.slack.arrived).toEqual([`fired ${A}`, `resolved ${A}`]);
    await harness.stop();
  });

  test('who was not told that it fired is not told that it ended', async () => {
    const harness = await new DeskHarness().start();
    harness.slack.script.push(failed('HTTP 404', false));
    await harness.closed(0, [breach({ minute: 0, observed: 1500 })]);
    await clearMinutes(harness, 1, 11);
    expect(harness.slack.arrived).toEqual([]);
    await harness.stop();
  });

  test('a message that may have arrived counts as told', async () => {
    const harness = await new DeskHarness().start();
    harness.slack.answer = failed('timeout', true);
    await harness.closed(0, [breach({ minute: 0, observed: 1500 })]);
    await clearMinutes(harness, 1, 11);
    // Two days of failure: the first message is given up, the end is still worth a try.
    harness.slack.answer = (notification) => (notification.kind === 'fired' ? failed('timeout', true) : OK);
    await harness.clock.advance(25 * 60 * MINUTE_MS);
    expect(harness.slack.arrived).toEqual([`resolved ${A}`]);
    await harness.stop();
  });

  test('a rule that left the configuration ends its alerts, and says so once', async () => {
    const harness = await new DeskHarness().start();
    await harness.closed(0, [critical(0)]);
    await harness.stop();
    harness.rules = [thresholdSpec('another')];
    await harness.start();
    await harness.stop();
    await harness.start();
    expect(harness.slack.arrived).toEqual([`fired ${A}`, `resolved ${A}`]);
    expect(harness.slack.attempts.at(-1)?.notification.text).toBe('The rule requests-per-minute was removed from the configuration.');
    await harness.stop();
  });

  test('old traffic is told in one summary per channel', async () => {
    const harness = new DeskHarness();
    await harness.clock.advance(10 * 60 * MINUTE_MS);
    await harness.start();
    for (let minute = 0; minute < 3; minute++)
      await harness.desk.observe(
        keys(40).map((entity) => critical(minute, entity)),
        { judgedThrough: M0 + minute + 1 },
      );
    await harness.desk.observe([], { judgedThrough: M0 + 600 });
    await harness.clock.settle();
    expect(harness.slack.arrived).toEqual(['summary']);
    expect(harness.email.arrived).toEqual(['summary']);
    expect(harness.slack.attempts[0]?.notification.text).toContain(
      '40 alerts found while catching up on old traffic (2026-03-10 12:00:00 UTC to 2026-03-10 12:01:00 UTC): 40 critical.',
    );
    await harness.stop();
  });
});

describe('found by the property tests', () => {
  test('an alert that ends and is archived in one call is still told to have ended', async () => {
    const harness = await new DeskHarness().start();
    await harness.closed(0, [critical(0)]);
    await harness.clock.advance(200 * MINUTE_MS);
    await harness.desk.observe([clear(1)], { judgedThrough: M0 + 200 });
    await harness.clock.settle();
    expect(harness.desk.alerts()).toEqual([]);
    expect(harness.slack.arrived.filter((kind) => /^(fired|resolved)/.test(kind))).toEqual([`fired ${A}`, `resolved ${A}`]);
    await harness.stop();
  });

  test('two catch-ups over the same minutes that end at the same moment are two messages', async () => {
    const harness = new DeskHarness();
    await harness.clock.advance(43 * MINUTE_MS);
    await harness.start();
    await harness.desk.observe([critical(0)]);
    await harness.clock.advance(6 * MINUTE_MS);
    await harness.desk.tick();
    await harness.desk.observe([critical(0, OTHER_KEY)]);
    await harness.desk.observe([], { judgedThrough: M0 + 50 });
    await harness.clock.settle();
    expect(harness.slack.arrived).toEqual(['summary', 'summary']);
    await harness.stop();
  });
});

describe('restart', () => {
  test('a snapshot and the entries after it give the same state as all entries', async () => {
    const harness = await new DeskHarness().start();
    harness.slack.answer = (notification) => (notification.kind === 'fired' ? failed('HTTP 500', true) : OK);
    await harness.closed(0, [critical(0), breach({ minute: 0, entity: OTHER_KEY })]);
    await harness.stop();
    await harness.start();
    await clearMinutes(harness, 1, 5);
    await harness.kill();
    await harness.open();
    await harness.desk[Symbol.asyncDispose]();
    const withSnapshot = await harness.journal.snapshot();
    harness.forgetSnapshot();
    await harness.open();
    await harness.desk[Symbol.asyncDispose]();
    const folded = await harness.journal.snapshot();
    expect(JSON.parse(folded?.state ?? '')).toEqual(JSON.parse(withSnapshot?.state ?? 'null'));
    expect(withSnapshot?.seq).toBe(harness.entries.length);
  });

  test('a channel that was told and then removed is forgotten with the alert', async () => {
    const harness = await new DeskHarness().start();
    await harness.closed(0, [critical(0)]);
    await harness.stop();
    harness.channels = [{ notifier: harness.email, minSeverity: 'high' }];
    await harness.start();
    await clearMinutes(harness, 1, 11);
    const told = async (): Promise<boolean> => {
      await harness.desk[Symbol.asyncDispose]();
      return ((await harness.journal.snapshot())?.state ?? '').includes('"told":["');
    };
    expect(await told()).toBe(true);
    await harness.closed(72);
    expect(await told()).toBe(false);
    await harness.stop();
  });

  test('a snapshot of another version is passed over', async () => {
    const harness = await new DeskHarness().open();
    await harness.closed(0, [critical(0)]);
    await harness.journal.saveSnapshot({ seq: 1, state: '{"version":0}' });
    await harness.open();
    expect(harness.desk.alerts().map((alert) => alert.state)).toEqual(['firing']);
  });

  test('pairs with an open alert are watched, also after a restart; resolved ones are not', async () => {
    const harness = await new DeskHarness().open();
    await harness.closed(0, [critical(0), breach({ minute: 0, entity: OTHER_KEY })]);
    expect(harness.desk.watched()).toEqual(
      new Map([
        [KEY, new Set([RULE])],
        [OTHER_KEY, new Set([RULE])],
      ]),
    );
    await harness.open();
    expect(harness.desk.watched().size).toBe(2);
    expect(harness.desk.judgedThrough).toBe(M0 + 1);
    await clearMinutes(harness, 1, 11, [KEY, OTHER_KEY]);
    expect(harness.desk.watched().size).toBe(0);
  });

  test('two channels of one name, or a fallback that is none, are refused by name', async () => {
    const harness = new DeskHarness();
    harness.channels = [
      { notifier: harness.slack, minSeverity: 'medium' },
      { notifier: new ScriptedNotifier('slack', harness.clock), minSeverity: 'high' },
    ];
    await expect(harness.open()).rejects.toThrow("two notification channels are named 'slack'; give each its own name");
  });
});

describe('digest and announcements', () => {
  const coverage = { active: 12, judged: 12, gaps: 0, events: 1000, rejected: 3, judgedThrough: T0 };

  test('a digest goes out once per name, also when nothing happened and after a restart', async () => {
    const harness = await new DeskHarness().start();
    await harness.desk.digest({ name: '2026-03-10', coverage });
    await harness.desk.digest({ name: '2026-03-10', coverage });
    await harness.stop();
    await harness.start();
    await harness.desk.digest({ name: '2026-03-10', coverage });
    await harness.clock.settle();
    expect(harness.slack.arrived).toEqual(['digest']);
    expect(harness.slack.attempts[0]?.notification.text).toContain('0 alerts since');
    await harness.desk.digest({ name: '2026-03-11', coverage });
    await harness.clock.settle();
    expect(harness.email.arrived).toEqual(['digest', 'digest']);
    await harness.stop();
  });

  test('a digest tells near misses, lost messages and alerts since the one before, and then starts anew', async () => {
    const harness = await new DeskHarness().start();
    harness.slack.script.push(failed('HTTP 404', false));
    await harness.closed(0, [critical(0), breach({ minute: 0, entity: OTHER_KEY })]);
    await clearMinutes(harness, 1, 11);
    await harness.desk.digest({ name: 'one', coverage });
    await harness.desk.digest({ name: 'two', coverage });
    await harness.clock.settle();
    const [one, two] = harness.email.attempts.filter(({ notification }) => notification.kind === 'digest').map(({ notification }) => notification.text ?? '');
    expect(one).toContain('1 alert since 2026-03-10 12:02:00 UTC, 0 open now.');
    expect(one).toContain('- `requests-per-minute`: over its limit 1 time without being confirmed');
    expect(one).toContain('- `slack` 2026-03-10 12:02:00 UTC: fired, critical `key kf1_9f3c12ab`: `HTTP 404`');
    expect(two).not.toContain('HTTP 404');
    expect(two).toContain('0 alerts since');
    await harness.stop();
  });

  test('what the next digest will tell survives a restart from a snapshot', async () => {
    const harness = await new DeskHarness().start();
    await harness.closed(0, [breach({ minute: 0 })]);
    await clearMinutes(harness, 1, 3);
    await harness.stop();
    await harness.start();
    await harness.desk.digest({ name: 'one', coverage });
    await harness.clock.settle();
    expect(harness.slack.attempts[0]?.notification.text).toContain('- `requests-per-minute`: over its limit 1 time without being confirmed');
    await harness.stop();
  });

  test('an announcement is one message per channel, however often it is made', async () => {
    const harness = await new DeskHarness().start();
    for (let i = 0; i < 3; i++) await harness.desk.announce({ name: 'disk-full', text: 'The disk is full.' });
    await harness.clock.settle();
    expect(harness.slack.arrived).toEqual(['pipeline']);
    await harness.stop();
    await harness.start();
    await harness.desk.announce({ name: 'disk-full', text: 'The disk is full.' });
    await harness.clock.settle();
    expect(harness.email.arrived).toEqual(['pipeline']);
    await harness.stop();
  });

  test('every transition and delivery is told to the observer once', async () => {
    const harness = await new DeskHarness().start();
    await harness.closed(0, [critical(0)]);
    await harness.stop();
    expect(harness.events.map((event) => event.kind)).toEqual(['transition', 'transition', 'queued', 'queued', 'delivery', 'delivery']);
  });
});
