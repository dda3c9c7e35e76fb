import type { IncidentTrack } from '../core/alert.ts';
import type { DurationMs, EpochMs } from '../core/types.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../core/window.ts';
import type { RuleSpec } from './rule-spec.ts';

/** The rule that looks at what all others found. */
export const RISK = 'risk';
export const RISK_SPEC: RuleSpec = { rule: RISK, confirm: { m: 1, n: 1 }, clearHoldMs: 10 * MINUTE_MS };

const HALF_LIFE_MS: DurationMs = 6 * HOUR_MS;
/** One loud rule counts twice at most: otherwise it would say the same again and again. */
const CAP = 2;

type Risk = NonNullable<IncidentTrack['risk']>;

/** The risk with more findings of one rule in it. */
export function addRisk(
  risk: IncidentTrack['risk'],
  finding: { readonly rule: string; readonly score: number; readonly amount: number; readonly at: EpochMs },
): Risk {
  const { rule, score, amount } = finding;
  // A clock that was put back changes nothing of what is known.
  const at = Math.max(risk?.at ?? finding.at, finding.at);
  const rules = decayed(risk, at);
  const known = rules[rule] ?? { sum: 0, max: 0 };
  const max = Math.max(known.max, score);
  return { at, rules: { ...rules, [rule]: { sum: Math.min(max * CAP, known.sum + score * amount), max, at } } };
}

/** The risk with many in it. */
export function riskOf(
  risk: IncidentTrack['risk'],
  findings: readonly { readonly rule: string; readonly score: number; readonly amount: number }[],
  at: EpochMs,
): IncidentTrack['risk'] {
  return findings.reduce<IncidentTrack['risk']>((sum, finding) => addRisk(sum, { ...finding, at }), risk);
}

/** Over all rules, at a time. */
export function riskAt(risk: IncidentTrack['risk'], now: EpochMs): number {
  return Object.values(ruleRisks(risk, now)).reduce((sum, points) => sum + points, 0);
}

/** What each rule has in it at a time. */
export function ruleRisks(risk: IncidentTrack['risk'], now: EpochMs): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(decayed(risk, now)).map(([rule, { sum }]) => [rule, sum]));
}

/** The kinds of rules that have something in it at a time, by name. */
export function familiesOf(risk: IncidentTrack['risk'], now: EpochMs, familyOf: (rule: string) => string): readonly string[] {
  return [...new Set(Object.keys(decayed(risk, now)).map(familyOf))].sort();
}

function decayed(risk: IncidentTrack['risk'], now: EpochMs): Risk['rules'] {
  if (risk === undefined) return {};
  const left = 0.5 ** (Math.max(0, now - risk.at) / HALF_LIFE_MS);
  const alive = Object.entries(risk.rules).filter(([, { at }]) => now - at < DAY_MS);
  return Object.fromEntries(alive.map(([rule, { sum, max, at }]) => [rule, { sum: sum * left, max, at }]));
}
