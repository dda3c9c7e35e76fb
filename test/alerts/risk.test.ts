import { describe, expect, test } from 'vitest';
import { thresholdSpec } from '../../alerts/rule-spec.ts';
import { addRisk, familiesOf, riskAt } from '../../alerts/risk.ts';
import { entityId } from '../../core/types.ts';
import { HOUR_MS, MINUTE_MS } from '../../core/window.ts';
import { RULE, T0, breach, quiet } from './support/build.ts';
import { DeskHarness, UNGROUPED } from './support/desk-harness.ts';

/** Scores of the samples: low 30, medium 60, high 80, critical 94. */
const SECOND = 'bytes-per-minute';
const THIRD = 'errors-per-minute';
const SPECS = [RULE, SECOND, THIRD].map((rule) => ({ ...thresholdSpec(rule), confirm: { m: 1, n: 1 } }));

async function world(): Promise<DeskHarness> {
  const harness = new DeskHarness();
  harness.rules = SPECS;
  harness.more = { grouping: UNGROUPED };
  return harness.start();
}

function risksOf(harness: DeskHarness): readonly string[] {
  return harness.desk
    .alerts()
    .filter(({ rule }) => rule === 'risk')
    .map(({ state, severity, peak }) => `${state} ${severity} ${peak}`);
}

function told(harness: DeskHarness): readonly string[] {
  return harness.slack.attempts.map(({ notification }) => `${notification.kind} ${notification.incident?.severity ?? ''}`);
}

describe('the risk of a key', () => {
  test('halves in six hours, counts a rule twice at most, and forgets what is a day old', () => {
    let risk = addRisk(undefined, { rule: RULE, score: 40, amount: 5, at: T0 });
    expect(riskAt(risk, T0)).toBe(80);
    expect(riskAt(risk, T0 + 6 * HOUR_MS)).toBe(40);
    risk = addRisk(risk, { rule: SECOND, score: 30, amount: 1, at: T0 + 12 * HOUR_MS });
    expect(riskAt(risk, T0 + 12 * HOUR_MS)).toBe(50);
    // The first rule is a day old, although the second one is not.
    expect(riskAt(risk, T0 + 24 * HOUR_MS)).toBeCloseTo(7.5);
    expect(familiesOf(risk, T0 + 24 * HOUR_MS, (rule) => rule)).toEqual([SECOND]);
  });

  test('one loud rule raises no alert of risk, however loud', async () => {
    const harness = await world();
    for (let minute = 0; minute < 30; minute++) await harness.closed(minute, [breach({ minute, severity: 'critical' })]);
    expect(harness.desk.incidents()[0]?.risk).toBeGreaterThanOrEqual(180);
    expect(risksOf(harness)).toEqual([]);
    await harness.stop();
  });

  test('two kinds of rules raise one at 100, 200 and 300, in the incident of the key, in the same message as what raised it', async () => {
    const harness = await world();
    await harness.closed(0, [breach({ minute: 0, severity: 'low' }), breach({ minute: 0, rule: SECOND, severity: 'low' })]);
    // 30 + 30.
    expect(risksOf(harness)).toEqual([]);
    await harness.closed(1, [breach({ minute: 1, severity: 'low' }), breach({ minute: 1, rule: SECOND, severity: 'low' })]);
    // 60 + 60, a minute's decay aside: one channel wants medium and above, and hears of the key for the first time.
    expect(risksOf(harness)).toEqual(['firing medium 119']);
    expect(told(harness)).toEqual(['fired medium']);
    expect(harness.slack.attempts[0]?.notification.alert?.finding.why).toMatch(
      /^What 2 kinds of rules found within a day adds up to a risk of 119, 100 is medium: /,
    );
    await harness.closed(2, [breach({ minute: 2, rule: THIRD, severity: 'high' })]);
    // 119 + 80, below 200: another kind of rule is told with its own alert, and is in the sum.
    expect(risksOf(harness)).toEqual(['firing medium 199']);
    await harness.closed(3, [breach({ minute: 3, rule: THIRD, severity: 'high' })]);
    expect(risksOf(harness)).toEqual(['firing high 279']);
    // The third rule is at its cap of 160: 94 of another in place of 60.
    await harness.closed(4, [breach({ minute: 4, severity: 'critical' })]);
    expect(risksOf(harness)).toEqual(['firing critical 372']);
    expect(told(harness)).toEqual(['fired medium', 'severity_up high', 'severity_up critical']);
    expect(harness.desk.incidents()).toHaveLength(1);
    await harness.stop();
  });

  test('it is not told again for less than fifty points more, also after it fell below the level and rose again', async () => {
    const harness = await world();
    await harness.closed(0, [breach({ minute: 0, severity: 'high' }), breach({ minute: 0, rule: SECOND, severity: 'high' })]);
    expect(risksOf(harness)).toEqual(['firing medium 160']);
    // Everything ends, and the incident with it.
    for (let minute = 1; minute <= 75; minute++) await harness.closed(minute, [quiet({ minute }), quiet({ minute, rule: SECOND })]);
    expect(harness.desk.incidents()).toEqual([]);
    // Six hours after that 80 points are left; 30 more reach the level, and are not fifty more.
    await harness.closed(361, [breach({ minute: 361, severity: 'low' })]);
    expect(harness.desk.incidents()[0]?.risk).toBe(110);
    expect(risksOf(harness)).toEqual([]);
    await harness.closed(362, [breach({ minute: 362, rule: SECOND, severity: 'low' })]);
    expect(risksOf(harness)).toEqual(['firing medium 139']);
    await harness.stop();
  });

  test('fifty points more count although the level is the same, and are no message: the incident shows them', async () => {
    const harness = await world();
    await harness.closed(0, [breach({ minute: 0 }), breach({ minute: 0, rule: SECOND, severity: 'low' })]);
    // 60 + 30.
    expect(risksOf(harness)).toEqual([]);
    await harness.closed(1, [breach({ minute: 1, rule: SECOND, severity: 'low' })]);
    expect(risksOf(harness)).toEqual(['firing medium 119']);
    await harness.closed(2, [breach({ minute: 2, severity: 'medium' })]);
    expect(risksOf(harness)).toEqual(['firing medium 179']);
    expect(told(harness)).toEqual(['fired medium']);
    await harness.stop();
  });

  test('it ends with what made it, and a restart knows the same', async () => {
    const harness = await world();
    await harness.closed(0, [breach({ minute: 0, severity: 'high' }), breach({ minute: 0, rule: SECOND, severity: 'high' })]);
    await harness.kill();
    harness.forgetSnapshot();
    await harness.start();
    expect(risksOf(harness)).toEqual(['firing medium 160']);
    await harness.closed(1, [quiet({ minute: 1 }), breach({ minute: 1, rule: SECOND, severity: 'high' })]);
    await harness.closed(2, [quiet({ minute: 2 }), quiet({ minute: 2, rule: SECOND })]);
    expect(risksOf(harness)[0]).toMatch(/^recovering high/);
    for (let minute = 3; minute <= 14; minute++) await harness.closed(minute, [quiet({ minute }), quiet({ minute, rule: SECOND })]);
    expect(harness.desk.incidents().map(({ state }) => state)).toEqual(['resolved']);
    expect(told(harness).filter((kind) => kind.startsWith('resolved'))).toHaveLength(1);
    // Detectors are not asked for it.
    expect(harness.desk.watched().size).toBe(0);
    await harness.stop();
  });

  test('in the summary of many keys it is one of the many, also where it is critical', async () => {
    const harness = new DeskHarness();
    harness.rules = SPECS;
    await harness.start();
    const keys = Array.from({ length: 40 }, (_, index) => entityId('key', `k${index}`));
    for (let minute = 0; minute < 3; minute++)
      await harness.closed(
        minute,
        keys.flatMap((entity) => [breach({ minute, entity, severity: 'high' }), breach({ minute, entity, rule: SECOND, severity: 'high' })]),
      );
    await harness.clock.advance(2 * MINUTE_MS);
    expect(harness.desk.alerts().filter(({ rule, severity }) => rule === 'risk' && severity === 'critical')).toHaveLength(40);
    expect(harness.slack.attempts.filter(({ notification }) => notification.incident?.kind === 'key')).toEqual([]);
    await harness.stop();
  });
});
