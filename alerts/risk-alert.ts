import type { Alert, IncidentTrack } from '../core/alert.ts';
import { type Evaluation, type Finding, findingId } from '../core/finding.ts';
import type { Incident } from '../core/incident.ts';
import { type EntityId, type EpochMs, type Severity, severityRank } from '../core/types.ts';
import { MINUTE_MS } from '../core/window.ts';
import type { Cases } from './cases.ts';
import { dedupKey } from './dedup.ts';
import type { DeskState } from './desk-state.ts';
import type { Tracked } from './episode.ts';
import type { IncidentDraft } from './incident-draft.ts';
import { LATE_AFTER_MS, type Lifecycle, type LifecycleView } from './lifecycle.ts';
import { RISK, RISK_SPEC, familiesOf, riskAt, ruleRisks } from './risk.ts';

/** The risk at which an alert of each severity opens, highest first. */
const LEVELS: readonly { readonly from: number; readonly severity: Severity; readonly score: number }[] = [
  { from: 300, severity: 'critical', score: 90 },
  { from: 200, severity: 'high', score: 75 },
  { from: 100, severity: 'medium', score: 50 },
];
/** One loud rule has an alert of its own, and must not raise a second one. */
const FAMILIES_MIN = 2;
/** Told again after so much more. */
const STEP = 50;
const NAMED_MAX = 5;

export { RISK, RISK_SPEC };

type Told = NonNullable<IncidentTrack['riskTold']>;

/** What the risk rule says of one key, and what it remembers of that. */
export type RiskWord = { readonly evaluation: Evaluation; readonly told?: Told };

/**
 * The risk of a key, as a rule judges a window: a breach when it reaches a level, and again only with 50 points more
 * than what is left of the risk that was told, or with another family of rules. Clear once no other alert of the key
 * fires: it is the sum of them and ends with them, not hours later by its half-life.
 */
export function riskWord(input: {
  readonly incident: Incident;
  readonly track: IncidentTrack;
  readonly members: readonly Tracked[];
  readonly familyOf: (rule: string) => string;
  readonly entity: EntityId;
  readonly now: EpochMs;
  readonly wall: EpochMs;
}): RiskWord | undefined {
  const { track, members, entity, now } = input;
  const isOn = ({ state }: Alert): boolean => state === 'firing' || state === 'acknowledged';
  const others = members.filter(({ alert }) => alert.rule !== RISK);
  const known = members.find(({ alert }) => alert.rule === RISK && isOn(alert));
  if (!others.some(({ alert }) => isOn(alert))) {
    if (known === undefined) return undefined;
    const end = Math.max(known.alert.lastBreachAt + MINUTE_MS, ...others.map((other) => other.track.clearSince ?? 0));
    return { evaluation: { rule: RISK, entity, window: { start: end - MINUTE_MS, end }, observed: 0, verdict: 'clear' } };
  }
  const amount = riskAt(track.risk, now);
  const families = familiesOf(track.risk, now, input.familyOf);
  const level = LEVELS.find(({ from }) => amount >= from);
  const end = Math.max(...others.map(({ alert }) => alert.lastBreachAt));
  if (level === undefined || families.length < FAMILIES_MIN || end < input.wall - LATE_AFTER_MS) return undefined;
  const { riskTold: before } = track;
  const isMore = before === undefined || amount >= riskAt(before, now) + STEP || families.some((family) => !before.families.includes(family));
  if (!isMore) return undefined;
  const finding = findingOf({ ...input, amount, level, kinds: families.length, end });
  return {
    evaluation: { rule: RISK, entity, window: finding.window, observed: finding.observed, verdict: 'breach', finding },
    told: { at: now, rules: track.risk?.rules ?? {}, families },
  };
}

function findingOf(input: {
  readonly track: IncidentTrack;
  readonly entity: EntityId;
  readonly now: EpochMs;
  readonly amount: number;
  readonly level: (typeof LEVELS)[number];
  readonly kinds: number;
  readonly end: EpochMs;
}): Finding {
  const { track, entity, now, amount, level, kinds, end } = input;
  const parts = Object.entries(ruleRisks(track.risk, now)).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  const named = parts.slice(0, NAMED_MAX).map(([rule, points]) => `${rule} ${Math.round(points)}`);
  const window = { start: end - MINUTE_MS, end };
  const observed = Math.floor(amount);
  return {
    id: findingId(RISK, entity, window.start, level.severity),
    rule: RISK,
    entity,
    window,
    severity: level.severity,
    score: Math.min(100, level.score + Math.floor(((amount - level.from) / 100) * (severityRank(level.severity) === severityRank('medium') ? 25 : 15))),
    why: `What ${kinds} kinds of rules found within a day adds up to a risk of ${observed}, ${level.from} is ${level.severity}: ${named.join(', ')}.`,
    observed,
    expected: level.from,
    unit: 'points',
    action: 'Look at everything that this key did today before each finding by itself.',
    contributions: parts.slice(0, NAMED_MAX).map(([value, points]) => ({ dimension: 'rule', value, share: points / amount })),
    isLive: false,
  };
}

/** Breaches of the members that the state does not have in this incident yet, by rule. */
export function freshFindings(
  members: readonly Tracked[],
  cases: Cases,
  state: DeskState,
): readonly { readonly rule: string; readonly score: number; readonly amount: number }[] {
  return members.flatMap(({ alert }) => {
    // Of its own findings it is made already.
    if (alert.rule === RISK || !cases.alerts.has(alert.id)) return [];
    const before = state.alerts.get(alert.dedupKey)?.alert;
    const amount = alert.findings - (before?.id === alert.id && before.incident === alert.incident ? before.findings : 0);
    return amount > 0 ? [{ rule: alert.rule, score: alert.score, amount }] : [];
  });
}

/**
 * What the state machine makes of the words of the risk rule, in the entry in which the risk rose. It sees the risk
 * alerts of these keys as they will be. One that ended in an earlier incident is over: the new one has its own.
 */
export function takeRisks(input: {
  readonly draft: IncidentDraft;
  readonly lifecycle: Lifecycle;
  readonly state: DeskState;
  readonly tenant: string;
  readonly now: EpochMs;
  readonly wall: EpochMs;
}): void {
  const { draft, lifecycle, state, tenant, now, wall } = input;
  const words = draft.risks(wall);
  if (words.length === 0) return;
  const alerts = new Map<string, Tracked>();
  const earlier: Tracked[] = [];
  for (const { evaluation, incident } of words) {
    const key = dedupKey({ tenant, rule: RISK, lineage: evaluation.entity, dimension: '' });
    const own = draft.cases.membersOf(incident).find(({ alert }) => alert.rule === RISK);
    const known = draft.cases.current.has(key) ? draft.cases.current.get(key) : state.alerts.get(key);
    if (own !== undefined) alerts.set(own.alert.dedupKey, own);
    else if (known?.alert.state === 'resolved') earlier.push({ alert: { ...known.alert, state: 'archived', archivedAt: now }, track: known.track });
    else if (known !== undefined) alerts.set(key, known);
  }
  if (earlier.length > 0)
    draft.take({
      transitions: earlier.map(({ alert }) => ({ at: now, alert: alert.id, from: 'resolved', to: 'archived', cause: 'quiet_hour' })),
      changed: earlier,
      archived: earlier.map(({ alert }) => alert.id),
      quieted: {},
    });
  const view: LifecycleView = {
    alerts,
    judgedThrough: state.judgedThrough,
    advancedAt: state.advancedAt,
    catchUp: undefined,
    quietUntil: (key) => state.quietUntil(key),
    isFlapping: (key) => draft.isFlapping(key),
    isStale: state.isStale,
  };
  const evaluations = words.map(({ evaluation }) => evaluation);
  // Later windows may still settle what these open.
  draft.take(lifecycle.observe(view, { evaluations, judgedThrough: state.judgedThrough, now, wall, isPartial: true }));
  for (const { incident, told } of words) draft.setRiskTold(incident, told);
}
