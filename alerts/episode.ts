import type { Alert, AlertTrack } from '../core/alert.ts';
import type { Finding } from '../core/finding.ts';
import { type DurationMs, type EpochMs, severityRank } from '../core/types.ts';
import { MINUTE_MS } from '../core/window.ts';
import { IMMEDIATE_RATIO, IMMEDIATE_SEVERITY, type RuleSpec } from './rule-spec.ts';

/** An alert and what the machine remembers of it. */
export type Tracked = { readonly alert: Alert; readonly track: AlertTrack };

/** Windows remembered per alert: enough for any m-of-n in use and for 15 minutes of late data. */
const BREACHES_MAX = 20;

/** Distance between the ends of two windows of a rule. */
export function stepOf(spec: RuleSpec): DurationMs {
  return spec.stepMs ?? MINUTE_MS;
}

/** The alert with one more breaching window in it. Severity never drops; the finding shown is the most severe, newest among equals. */
export function absorb({ alert, track }: Tracked, end: EpochMs, finding: Finding): Tracked {
  const isKnown = track.breaches.includes(end);
  const rank = severityRank(finding.severity);
  const shownRank = severityRank(alert.severity);
  const isShown = rank > shownRank || (rank === shownRank && finding.window.end >= alert.finding.window.end);
  return {
    alert: {
      ...alert,
      ...(isShown ? { severity: finding.severity, score: finding.score, finding } : {}),
      startedAt: Math.min(alert.startedAt, breachStart(finding)),
      lastBreachAt: Math.max(alert.lastBreachAt, end),
      peak: Math.max(alert.peak, finding.observed),
      findings: alert.findings + (isKnown ? 0 : 1),
      excess: alert.excess + (isKnown ? 0 : Math.max(0, finding.observed - finding.expected)),
    },
    track: isKnown
      ? track
      : { ...track, breaches: [...track.breaches, end].sort((a, b) => a - b).slice(-BREACHES_MAX), origins: withOrigins(track.origins, finding) },
  };
}

/** Dimensions of a finding that say where its traffic comes from. */
const ORIGIN_DIMENSIONS = new Set(['country', 'asn']);
const ORIGINS_MAX = 100;

function withOrigins(origins: readonly string[], finding: Finding): readonly string[] {
  const found = finding.contributions.filter(({ dimension }) => ORIGIN_DIMENSIONS.has(dimension)).map(({ dimension, value }) => `${dimension} ${value}`);
  const fresh = found.filter((origin) => !origins.includes(origin));
  return fresh.length === 0 ? origins : [...origins, ...fresh].slice(0, ORIGINS_MAX);
}

/** The minute in which a breach came about: a sliding hour breaches in its last minute, not an hour before. */
export function breachStart({ window }: Pick<Finding, 'window'>): EpochMs {
  return Math.max(window.start, window.end - MINUTE_MS);
}

/** Whether one finding is enough. */
export function isImmediate(finding: Finding, spec: RuleSpec): boolean {
  if (finding.isLive || severityRank(finding.severity) >= severityRank(spec.immediateSeverity ?? IMMEDIATE_SEVERITY)) return true;
  return finding.expected > 0 && finding.observed >= finding.expected * (spec.immediateRatio ?? IMMEDIATE_RATIO);
}

/** Whether `m` of any `n` windows in a row breach. */
export function isConfirmed(breaches: readonly EpochMs[], spec: RuleSpec): boolean {
  const spanMs = spec.confirm.n * stepOf(spec);
  return breaches.some((end) => breaches.filter((other) => other > end - spanMs && other <= end).length >= spec.confirm.m);
}

/** What people must hear of a firing alert, given what they were told; undefined when they know it all. */
export function noticeKind(alert: Alert, announced: AlertTrack['announced']): 'fired' | 'severity_up' | 'reopened' | undefined {
  if (announced === undefined) return 'fired';
  if (alert.reopens > announced.reopens && severityRank(alert.severity) >= severityRank('high')) return 'reopened';
  return severityRank(alert.severity) > severityRank(announced.severity) ? 'severity_up' : undefined;
}

/** The track at a change of state. `clearSince` lives in `recovering` only, and so does `isAcknowledged`. */
export function enter(track: AlertTrack, since: EpochMs, recovering?: { readonly clearSince: EpochMs; readonly isAcknowledged: boolean }): AlertTrack {
  const { id, breaches, announced, origins } = track;
  return {
    id,
    breaches,
    since,
    origins,
    ...(announced === undefined ? {} : { announced }),
    ...(recovering === undefined ? {} : { clearSince: recovering.clearSince }),
    ...(recovering?.isAcknowledged === true ? { isAcknowledged: true } : {}),
  };
}

/** The alert as it fires again. */
export function reopen(alert: Alert): Alert {
  const again: { -readonly [K in keyof Alert]: Alert[K] } = { ...alert, state: 'firing', reopens: alert.reopens + 1 };
  delete again.resolvedAt;
  delete again.resolution;
  return again;
}
