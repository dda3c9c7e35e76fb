import type { IncidentTrack } from '../core/alert.ts';
import type { DurationMs, EpochMs } from '../core/types.ts';
import { DAY_MS, HOUR_MS } from '../core/window.ts';

const HALF_LIFE_MS: DurationMs = 6 * HOUR_MS;
/** One loud rule counts twice at most: otherwise it would say the same again and again. */
const CAP = 2;

type Risk = NonNullable<IncidentTrack['risk']>;

/** The risk with more findings of one rule in it. */
export function addRisk(
  risk: IncidentTrack['risk'],
  finding: { readonly rule: string; readonly score: number; readonly amount: number; readonly at: EpochMs },
): Risk {
  const { rule, score, amount, at } = finding;
  const rules = decayed(risk, at);
  const known = rules[rule] ?? { sum: 0, max: 0 };
  const max = Math.max(known.max, score);
  return { at: Math.max(risk?.at ?? at, at), rules: { ...rules, [rule]: { sum: Math.min(max * CAP, known.sum + score * amount), max } } };
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
  return Object.values(decayed(risk, now)).reduce((sum, rule) => sum + rule.sum, 0);
}

function decayed(risk: IncidentTrack['risk'], now: EpochMs): Risk['rules'] {
  if (risk === undefined || now - risk.at >= DAY_MS) return {};
  const left = 0.5 ** (Math.max(0, now - risk.at) / HALF_LIFE_MS);
  return Object.fromEntries(Object.entries(risk.rules).map(([rule, { sum, max }]) => [rule, { sum: sum * left, max }]));
}
