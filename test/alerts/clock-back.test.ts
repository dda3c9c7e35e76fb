import { describe, expect, test } from 'vitest';
import { SteadyClock } from '../../alerts/steady-clock.ts';
import type { Clock } from '../../core/clock.ts';
import type { OperatorCommand } from '../../core/operator.ts';
import { failed } from '../../core/types.ts';
import { HOUR_MS, MINUTE_MS } from '../../core/window.ts';
import { T0, breach, quiet } from './support/build.ts';
import { DeskHarness } from './support/desk-harness.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

/** A wall clock that somebody sets, over a clock that only goes on. */
class SetClock implements Clock {
  readonly #base: Clock;
  off = 0;

  constructor(base: Clock) {
    this.#base = base;
  }

  now(): number {
    return this.#base.now() + this.off;
  }

  monotonic(): number {
    return this.#base.monotonic();
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return this.#base.sleep(ms, signal);
  }
}

/** Posts to Slack with the minutes that really passed since T0. */
function posts(harness: DeskHarness): readonly string[] {
  return harness.slack.attempts.map(({ at, notification }) => `${notification.kind} ${Math.floor((at - T0) / MINUTE_MS)}`);
}

async function world(): Promise<{ readonly harness: DeskHarness; readonly clock: SetClock }> {
  const harness = new DeskHarness();
  const clock = new SetClock(harness.clock);
  harness.more = { clock };
  await harness.start();
  return { harness, clock };
}

const silence = (at: number, endsAt: number): OperatorCommand => ({
  id: 's',
  kind: 'add_silence',
  at,
  actor: { way: 'cli', name: 'maria' },
  matchers: [{ label: 'rule', op: '=', value: 'requests-per-minute' }],
  endsAt,
  reason: 'a deployment',
});

describe('a wall clock that is put back an hour', () => {
  test('a first notice that waits comes in seconds, repeats and escalation in minutes, and nothing twice', async () => {
    const { harness, clock } = await world();
    for (let minute = 0; minute < 2; minute++) await harness.closed(minute, [breach({ minute, severity: 'high' })]);
    expect(posts(harness)).toEqual([]);
    clock.off = -HOUR_MS;
    await harness.clock.advance(MINUTE_MS);
    expect(posts(harness)).toEqual(['fired 3']);
    // Mention after 30 minutes, the second channel after 2 hours, a repeat after 2 hours: each at most a third later.
    await harness.clock.advance(29 * MINUTE_MS);
    expect(posts(harness)).toEqual(['fired 3']);
    await harness.clock.advance(11 * MINUTE_MS);
    expect(posts(harness)).toHaveLength(2);
    expect(posts(harness)[1]).toMatch(/^escalated (3[3-9]|4[0-4])$/);
    const ids = harness.slack.attempts.map(({ notification }) => notification.id);
    expect(new Set(ids).size).toBe(ids.length);
    await harness.stop();
  });

  test('a message that failed is tried again in seconds, also after a restart', async () => {
    const { harness, clock } = await world();
    harness.slack.answer = failed('HTTP 500', true);
    for (let minute = 0; minute < 2; minute++) await harness.closed(minute, [breach({ minute, severity: 'critical' })]);
    expect(posts(harness).length).toBeGreaterThan(0);
    clock.off = -HOUR_MS;
    await harness.kill();
    await harness.start();
    harness.slack.script.length = 0;
    harness.slack.answer = { ok: true };
    const before = harness.slack.attempts.length;
    await harness.clock.advance(7 * MINUTE_MS);
    expect(harness.slack.attempts.slice(before).map(({ notification }) => notification.kind)).toEqual(['fired']);
    await harness.stop();
  });

  test('traffic that is stamped by clocks that are right is not taken for old traffic', async () => {
    const { harness, clock } = await world();
    await harness.closed(60, [quiet({ minute: 60 })]);
    clock.off = -HOUR_MS;
    // By the wall clock it is 12:02 again: what is judged now is what was before, and what comes next is new.
    await harness.clock.advance(MINUTE_MS);
    await harness.desk.observe([breach({ minute: 1, severity: 'critical' })]);
    await harness.clock.advance(MINUTE_MS);
    expect(harness.slack.attempts.map(({ notification }) => notification.kind)).toEqual(['fired']);
    await harness.stop();
  });

  test('a silence ends when the wall clock says what its person said', async () => {
    const { harness, clock } = await world();
    clock.off = -HOUR_MS;
    const now = clock.now();
    await harness.desk.obey(silence(now, now + 10 * MINUTE_MS));
    for (let minute = 0; minute < 2; minute++) await harness.closed(minute + 1, [breach({ minute: minute + 1, severity: 'critical' })]);
    await harness.clock.advance(MINUTE_MS);
    expect(posts(harness)).toEqual([]);
    await harness.clock.advance(9 * MINUTE_MS);
    expect(posts(harness)).toEqual(['fired 12']);
    await harness.stop();
  });

  test('time never goes back, runs slower until the wall clock is there, and jumps forward with it', async () => {
    const base = new VirtualClock(T0);
    const clock = new SetClock(base);
    const steady = new SteadyClock(clock, 0);
    clock.off = -HOUR_MS;
    expect(steady.now()).toBe(T0);
    await base.advance(4 * MINUTE_MS);
    expect(steady.now()).toBe(T0 + 3 * MINUTE_MS);
    for (let step = 0; step < 1000; step++) {
      await base.advance(1);
      steady.now();
    }
    expect(steady.now()).toBeGreaterThanOrEqual(T0 + 3 * MINUTE_MS + 749);
    expect(steady.now()).toBeLessThanOrEqual(T0 + 3 * MINUTE_MS + 750);
    await base.advance(4 * HOUR_MS);
    expect(steady.now()).toBe(clock.now());
    clock.off = HOUR_MS;
    expect(steady.now()).toBe(clock.now());
    // What was seen before a restart is not forgotten; what cannot be is.
    expect(new SteadyClock(clock, clock.now() + HOUR_MS).now()).toBe(clock.now() + HOUR_MS);
    expect(new SteadyClock(clock, clock.now() + 1000 * HOUR_MS).now()).toBe(clock.now());
  });
});
