import { describe, expect, test } from 'vitest';
import type { Alert, JournalBody } from '../../core/alert.ts';
import type { Evaluation } from '../../core/finding.ts';
import { type EntityId, type EpochMs, entityId } from '../../core/types.ts';
import { MINUTE_MS, startOf } from '../../core/window.ts';
import { DeskState } from '../../alerts/desk-state.ts';
import type { Tracked } from '../../alerts/episode.ts';
import { Lifecycle, type Step } from '../../alerts/lifecycle.ts';
import { type RuleSpec, thresholdSpec } from '../../alerts/rule-spec.ts';
import { KEY, M0, OTHER_KEY, RULE, T0, breach, plainDirectory, quiet } from './support/build.ts';

/** Judges one minute after another a minute after it ended, unless a scenario says otherwise. */
class Machine {
  readonly state = new DeskState();
  readonly moves: string[] = [];
  readonly told: string[] = [];
  #lifecycle: Lifecycle;
  readonly #directory: { canonical(entity: EntityId): EntityId; label(entity: EntityId): string };

  constructor(
    rules: readonly RuleSpec[] = [thresholdSpec(RULE)],
    directory: { canonical(entity: EntityId): EntityId; label(entity: EntityId): string } = plainDirectory,
  ) {
    this.#directory = directory;
    this.#lifecycle = this.#with(rules);
  }

  #with(rules: readonly RuleSpec[]): Lifecycle {
    return new Lifecycle({ tenant: 'default', rules: new Map(rules.map((spec) => [spec.rule, spec])), directory: this.#directory });
  }

  /** All windows up to and with `minute` are judged; `evaluations` are what was said of them. */
  closed(minute: number, evaluations: readonly Evaluation[] = [], at: EpochMs = T0 + (minute + 2) * MINUTE_MS): this {
    const judgedThrough = M0 + minute + 1;
    return this.#take(this.#lifecycle.observe(this.state, { evaluations, judgedThrough, now: at }), at, judgedThrough);
  }

  live(evaluations: readonly Evaluation[], at: EpochMs): this {
    return this.#take(this.#lifecycle.observe(this.state, { evaluations, judgedThrough: this.state.judgedThrough, now: at }), at);
  }

  tick(at: EpochMs): this {
    return this.#take(this.#lifecycle.tick(this.state, at), at);
  }

  reconfigured(rules: readonly RuleSpec[], at: EpochMs): this {
    this.#lifecycle = this.#with(rules);
    return this.#take(this.#lifecycle.retire(this.state, at), at);
  }

  #take(step: Step, at: EpochMs, judgedThrough?: number): this {
    this.moves.push(...step.transitions.map(({ from, to, cause }) => `${from}>${to} ${cause}`));
    this.told.push(...step.changed.flatMap((tracked) => wordsOf(this.state.alerts.get(tracked.alert.dedupKey), tracked)));
    if (step.summary !== undefined) this.told.push(`summary ${step.summary.alerts}`);
    const body: JournalBody = {
      at,
      actor: 'test',
      transitions: step.transitions,
      alerts: step.changed.map((tracked) => tracked.alert),
      tracks: step.changed.map((tracked) => tracked.track),
      archived: step.archived,
      outbox: [],
      deliveries: [],
      ...(step.catchUp === undefined ? {} : { catchUp: step.catchUp }),
      ...(judgedThrough === undefined ? {} : { judgedThrough }),
    };
    this.state.apply(JSON.parse(JSON.stringify(body)) as JournalBody);
    return this;
  }

  get alert() {
    return [...this.state.alerts.values()][0]?.alert;
  }
}

function wordsOf(before: Tracked | undefined, { alert, track }: Tracked): readonly string[] {
  const known = before?.alert.id === alert.id ? before : undefined;
  const [was, is] = [known?.track.announced, track.announced];
  const words: string[] = [];
  if (is !== undefined && was === undefined) words.push(`fired ${is.severity}`);
  else if (is !== undefined && is.reopens !== was?.reopens) words.push(`reopened ${is.severity}`);
  else if (is !== undefined && is.severity !== was?.severity) words.push(`severity_up ${is.severity}`);
  const isOver = (each: Alert | undefined): boolean => each?.state === 'resolved' || each?.state === 'archived';
  if (isOver(alert) && !isOver(known?.alert) && alert.firedAt !== undefined) words.push(`resolved ${alert.severity}`);
  return words;
}

const medium = (minute: number): Evaluation => breach({ minute });
const critical = (minute: number): Evaluation => breach({ minute, severity: 'critical' });
const clear = (minute: number): Evaluation => quiet({ minute });
const hold = (minute: number): Evaluation => quiet({ minute, verdict: 'hold' });

function allClear(machine: Machine, from: number, to: number): Machine {
  for (let minute = from; minute <= to; minute++) machine.closed(minute, [clear(minute)]);
  return machine;
}

describe('confirmation', () => {
  test('a warning fires on the second of two breaching minutes in three', () => {
    expect(new Machine().closed(0, [medium(0)]).told).toEqual([]);
    expect(new Machine().closed(0, [medium(0)]).closed(1, [medium(1)]).told).toEqual(['fired medium']);
    const gap = new Machine()
      .closed(0, [medium(0)])
      .closed(1, [clear(1)])
      .closed(2, [medium(2)]);
    expect(gap.moves).toEqual(['ok>pending first_breach', 'pending>firing confirmed']);
    expect(gap.alert).toMatchObject({ state: 'firing', startedAt: T0, findings: 2, firedAt: T0 + 4 * MINUTE_MS });
  });

  test('a warning that is alone in three minutes goes away, counted as a near miss, and nobody hears of it', () => {
    const machine = new Machine()
      .closed(0, [medium(0)])
      .closed(1, [clear(1)])
      .closed(2, [clear(2)]);
    expect(machine.moves).toEqual(['ok>pending first_breach', 'pending>ok not_confirmed']);
    expect(machine.told).toEqual([]);
    expect(machine.alert).toBeUndefined();
    expect(machine.state.sinceDigest.nearMisses).toEqual({ [RULE]: 1 });
  });

  test('breaches three minutes apart never confirm each other', () => {
    const machine = new Machine();
    for (const minute of [0, 3, 6, 9]) machine.closed(minute, [medium(minute)]);
    expect(machine.told).toEqual([]);
    expect(machine.moves.filter((move) => move.startsWith('pending>ok'))).toHaveLength(3);
  });

  test('one call that holds many minutes decides as many calls do', () => {
    const evaluations = [medium(0), clear(1), clear(2), medium(3), clear(4), medium(5)];
    const at = T0 + 8 * MINUTE_MS;
    const many = new Machine();
    for (const [minute, evaluation] of evaluations.entries()) many.closed(minute, [evaluation], at);
    const one = new Machine().closed(5, evaluations.toReversed(), at);
    expect(one.moves).toEqual(many.moves);
    expect(one.told).toEqual(['fired medium']);
    expect(one.alert).toEqual(many.alert);
  });

  const atOnce: readonly (readonly [string, Evaluation])[] = [
    ['a critical value', critical(0)],
    ['a live finding', breach({ minute: 0, isLive: true })],
    ['three times the limit', breach({ minute: 0, observed: 1500 })],
  ];
  for (const [what, evaluation] of atOnce) {
    test(`${what} fires at once`, () => {
      expect(new Machine().closed(0, [evaluation]).told).toEqual([`fired ${evaluation.finding?.severity}`]);
    });
  }

  test('a little less than three times the limit does not', () => {
    expect(new Machine().closed(0, [breach({ minute: 0, observed: 1499 })]).told).toEqual([]);
  });

  test('m of n, the holding time and the immediate severity come from the rule spec', () => {
    const spec: RuleSpec = { rule: RULE, confirm: { m: 3, n: 5 }, clearHoldMs: 20 * MINUTE_MS, immediateSeverity: 'high', immediateRatio: 10 };
    const machine = new Machine([spec])
      .closed(0, [breach({ minute: 0, observed: 4999 })])
      .closed(1, [clear(1)])
      .closed(2, [medium(2)])
      .closed(3, [clear(3)]);
    expect(machine.told).toEqual([]);
    expect(machine.closed(4, [medium(4)]).told).toEqual(['fired medium']);
    expect(allClear(machine, 5, 24).told).toEqual(['fired medium']);
    expect(machine.closed(25, [clear(25)]).told).toEqual(['fired medium', 'resolved medium']);
    expect(new Machine([spec]).closed(0, [breach({ minute: 0, severity: 'high' })]).told).toEqual(['fired high']);
  });

  test('a live breach and the same minute judged again at its close are one finding', () => {
    const machine = new Machine().live([breach({ minute: 0, severity: 'critical', isLive: true, observed: 1001 })], T0 + 30_000);
    machine.closed(0, [breach({ minute: 0, severity: 'critical', observed: 4000 })]);
    expect(machine.told).toEqual(['fired critical']);
    expect(machine.alert).toMatchObject({ findings: 1, peak: 4000 });
  });

  test('a breach without a rule spec is a bug, named', () => {
    expect(() => new Machine([]).closed(0, [medium(0)])).toThrow("BUG: an evaluation of rule 'requests-per-minute', which has no rule spec");
  });
});

describe('severity', () => {
  test('a rise is told once, a fall never happens', () => {
    const machine = new Machine()
      .closed(0, [medium(0)])
      .closed(1, [medium(1)])
      .closed(2, [critical(2)])
      .closed(3, [medium(3)])
      .closed(4, [critical(4)]);
    expect(machine.told).toEqual(['fired medium', 'severity_up critical']);
    expect(machine.alert).toMatchObject({ severity: 'critical', score: 94 });
  });

  test('the message explains the most severe finding, the newest among equals', () => {
    const machine = new Machine().closed(0, [breach({ minute: 0, severity: 'critical', observed: 5000 })]).closed(1, [medium(1)]);
    expect(machine.alert?.finding).toMatchObject({ severity: 'critical', observed: 5000 });
    machine.closed(2, [breach({ minute: 2, severity: 'critical', observed: 1100 })]);
    expect(machine.alert).toMatchObject({ peak: 5000, finding: { observed: 1100 } });
  });

  test('firing and rising within one call is one message', () => {
    expect(new Machine().closed(2, [medium(0), medium(1), critical(2)]).told).toEqual(['fired critical']);
  });
});

describe('clearing', () => {
  const fired = (): Machine => new Machine().closed(0, [critical(0)]);

  test('ten clear minutes resolve, nine do not', () => {
    const machine = allClear(fired(), 1, 10);
    expect(machine.moves.at(-1)).toBe('firing>recovering cleared');
    machine.closed(11, [clear(11)]);
    expect(machine.told).toEqual(['fired critical', 'resolved critical']);
    // Clear from the end of minute 1 on, held for ten minutes.
    expect(machine.alert).toMatchObject({ state: 'resolved', resolvedAt: T0 + 12 * MINUTE_MS });
  });

  test('a value between the clearing line and the limit neither clears nor lets the hold go on', () => {
    const held = fired().closed(1, [hold(1)]);
    expect(held.alert?.state).toBe('firing');
    const machine = allClear(held, 2, 10).closed(11, [hold(11)]);
    allClear(machine, 12, 20);
    expect(machine.told).toEqual(['fired critical']);
    allClear(machine, 21, 21);
    expect(machine.told).toEqual(['fired critical', 'resolved critical']);
  });

  test('a breach before the hold ends goes back to firing and nobody is told again', () => {
    const machine = allClear(fired(), 1, 5).closed(6, [medium(6)]);
    expect(machine.moves.at(-1)).toBe('recovering>firing breach_again');
    expect(machine.told).toEqual(['fired critical']);
    expect(machine.alert).toMatchObject({ state: 'firing', severity: 'critical' });
  });

  test('a key that falls silent resolves by the windows of others', () => {
    const machine = fired().closed(1, [clear(1)]);
    for (let minute = 2; minute <= 11; minute++) machine.closed(minute);
    expect(machine.told).toEqual(['fired critical', 'resolved critical']);
  });

  test('when no window closes any more the wall clock resolves', () => {
    const machine = fired().closed(1, [clear(1)], T0 + 3 * MINUTE_MS);
    expect(machine.tick(T0 + 13 * MINUTE_MS - 1).told).toEqual(['fired critical']);
    expect(machine.tick(T0 + 13 * MINUTE_MS).told).toEqual(['fired critical', 'resolved critical']);
  });

  test('while windows close the wall clock decides nothing', () => {
    const machine = fired().closed(1, [clear(1)], T0 + 3 * MINUTE_MS);
    // Judging is slow: one minute of traffic takes two.
    for (let minute = 2; minute <= 8; minute++)
      machine.closed(minute, [clear(minute)], T0 + (2 * minute + 1) * MINUTE_MS).tick(T0 + (2 * minute + 2) * MINUTE_MS);
    expect(machine.alert?.state).toBe('recovering');
    expect(machine.closed(9, [medium(9)], T0 + 20 * MINUTE_MS).alert?.state).toBe('firing');
  });

  test('an alert that breaches stays open while nothing is judged', () => {
    expect(fired().tick(T0 + 300 * MINUTE_MS).alert?.state).toBe('firing');
  });

  test('a breaching minute that is judged again says nothing new: it clears on', () => {
    const machine = fired()
      .closed(1, [clear(1)])
      .live([critical(0)], T0 + 4 * MINUTE_MS);
    expect(machine.alert).toMatchObject({ state: 'recovering', findings: 1 });
    allClear(machine, 2, 11).live([critical(0)], T0 + 14 * MINUTE_MS);
    expect(machine.alert).toMatchObject({ state: 'resolved', reopens: 0 });
    // Unless it turns out worse than anything before.
    const worse = allClear(new Machine().closed(0, [breach({ minute: 0, observed: 1500 })]), 1, 11).live([critical(0)], T0 + 14 * MINUTE_MS);
    expect(worse.told).toEqual(['fired medium', 'resolved medium', 'reopened critical']);
  });

  test('a late verdict of clear about an old minute changes nothing', () => {
    const machine = fired().closed(3, [medium(3), clear(2)]);
    expect(machine.alert?.state).toBe('firing');
  });
});

describe('episodes', () => {
  /** Fired at minute 0, resolved at the end of minute 11. */
  const resolved = (evaluation = critical(0)): Machine => allClear(new Machine().closed(0, [evaluation]), 1, 11);

  test('a breach within an hour of the end is the same episode, and high ones are told again', () => {
    const machine = resolved();
    const { id } = machine.alert ?? {};
    machine.closed(60, [medium(60)]);
    expect(machine.alert).toMatchObject({ id, state: 'firing', reopens: 1 });
    expect(machine.alert).not.toHaveProperty('resolvedAt');
    expect(machine.told).toEqual(['fired critical', 'resolved critical', 'reopened critical']);
  });

  test('a warning that comes back is recorded, not told again', () => {
    const machine = resolved(breach({ minute: 0, observed: 1500 })).closed(40, [medium(40)]);
    expect(machine.told).toEqual(['fired medium', 'resolved medium']);
    expect(machine.alert).toMatchObject({ state: 'firing', reopens: 1 });
    expect(machine.closed(41, [critical(41)]).told.at(-1)).toBe('reopened critical');
  });

  test('an hour after the end the next breach is another episode with an id of its own', () => {
    const machine = resolved();
    const { id } = machine.alert ?? {};
    // Resolved at minute 12; the window 71 ends at 72, one hour later: still the old one.
    expect(resolved().closed(71, [critical(71)]).alert).toMatchObject({ id, reopens: 1 });
    machine.closed(72, [critical(72)]);
    expect(machine.alert?.id).not.toBe(id);
    expect(machine.alert).toMatchObject({ reopens: 0, findings: 1, state: 'firing' });
    expect(machine.told).toEqual(['fired critical', 'resolved critical', 'fired critical']);
  });

  test('the wall clock archives too when no window closes', () => {
    const machine = resolved();
    machine.tick(T0 + (13 + 60) * MINUTE_MS - 1);
    expect(machine.alert).toBeDefined();
    machine.tick(T0 + (13 + 60) * MINUTE_MS);
    expect(machine.alert).toBeUndefined();
  });

  test('entities and rules have alerts of their own', () => {
    const other = thresholdSpec('failed-authentication');
    const machine = new Machine([thresholdSpec(RULE), other]);
    machine.closed(0, [
      critical(0),
      breach({ minute: 0, severity: 'critical', entity: OTHER_KEY }),
      breach({ minute: 0, severity: 'critical', rule: other.rule }),
    ]);
    expect(new Set([...machine.state.alerts.values()].map(({ alert }) => alert.id)).size).toBe(3);
  });

  test('a key that turns out to be another one carries its open alert along', () => {
    let name: EntityId = KEY;
    const directory = { canonical: (entity: EntityId) => (entity === KEY ? name : entity), label: () => 'x' };
    const machine = new Machine([thresholdSpec(RULE)], directory).closed(0, [critical(0)]);
    name = entityId('key', 'consumer-7');
    machine.closed(1, [{ ...critical(1), entity: name }]);
    expect(machine.told).toEqual(['fired critical']);
    expect(machine.state.alerts.size).toBe(1);
    for (let minute = 2; minute <= 12; minute++) machine.closed(minute, [{ ...clear(minute), entity: name }]);
    expect(machine.told).toEqual(['fired critical', 'resolved critical']);
  });

  test('a removed rule ends its alerts, with one notice for those that fired', () => {
    const other = thresholdSpec('failed-authentication');
    const machine = new Machine([thresholdSpec(RULE), other]).closed(0, [
      critical(0),
      breach({ minute: 0, entity: OTHER_KEY }),
      breach({ minute: 0, rule: other.rule, severity: 'critical' }),
    ]);
    machine.reconfigured([other], T0 + 3 * MINUTE_MS);
    expect(machine.moves.slice(-2)).toEqual(['firing>resolved rule_removed', 'pending>ok rule_removed']);
    expect(machine.told).toEqual(['fired critical', 'fired critical', 'resolved critical']);
  });
});

describe('catching up', () => {
  /** `now` is this long after the traffic. */
  const hoursLater = (hours: number): EpochMs => T0 + hours * 60 * MINUTE_MS;

  test('old breaches are recorded, and told in one summary when the windows are current again', () => {
    const machine = new Machine();
    const now = hoursLater(5);
    machine.closed(0, [critical(0), breach({ minute: 0, entity: OTHER_KEY, severity: 'critical' })], now);
    for (let minute = 1; minute <= 12; minute++) machine.closed(minute, [clear(minute), quiet({ minute, entity: OTHER_KEY })], now);
    machine.closed(100, [critical(100)], now);
    for (let minute = 101; minute <= 111; minute++) machine.closed(minute, [clear(minute)], now);
    expect(machine.told.filter((told) => !told.startsWith('resolved'))).toEqual([]);
    // 270 = 300 - 30: the first minute boundary that is not more than half an hour ago.
    machine.closed(268, [], now);
    expect(machine.told.filter((told) => told.startsWith('summary'))).toEqual([]);
    machine.closed(269, [], now);
    expect(machine.told.filter((told) => told.startsWith('summary'))).toEqual(['summary 3']);
    expect(machine.state.sinceDigest.summedUp).toBe(3);
    expect(machine.state.catchUp).toBeUndefined();
  });

  test('an old breach that goes on is told as soon as it is seen in a current window', () => {
    const machine = new Machine();
    const now = hoursLater(2);
    machine.closed(0, [critical(0)], now).closed(1, [critical(1)], now);
    expect(machine.told).toEqual([]);
    machine.closed(100, [critical(100)], now);
    expect(machine.told).toEqual(['fired critical', 'summary 1']);
  });

  test('a breach that ended exactly half an hour ago is still told on its own', () => {
    expect(new Machine().closed(0, [critical(0)], startOf(M0 + 31)).told).toEqual(['fired critical']);
    expect(new Machine().closed(0, [critical(0)], startOf(M0 + 31) + 1).told).toEqual([]);
  });

  test('a catch-up that stops advancing is summed up after five minutes', () => {
    const now = hoursLater(5);
    const machine = new Machine().closed(0, [critical(0)], now);
    expect(machine.tick(now + 5 * MINUTE_MS - 1).told).toEqual([]);
    expect(machine.tick(now + 5 * MINUTE_MS).told).toEqual(['summary 1']);
    expect(machine.tick(now + 10 * MINUTE_MS).told).toEqual(['summary 1']);
  });

  test('who was told before an outage is told that it ended, however late', () => {
    const machine = new Machine().closed(0, [critical(0)]);
    for (let minute = 1; minute <= 12; minute++) machine.closed(minute, [clear(minute)], hoursLater(9));
    expect(machine.told).toEqual(['fired critical', 'resolved critical']);
    expect(machine.alert).toMatchObject({ resolvedAt: T0 + 12 * MINUTE_MS });
  });
});
