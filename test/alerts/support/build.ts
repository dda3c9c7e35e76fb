import type { Alert, Notification } from '../../../core/alert.ts';
import type { Incident } from '../../../core/incident.ts';
import { type Contribution, type Evaluation, type Finding, findingId } from '../../../core/finding.ts';
import { type EntityId, type EpochMs, type Severity, entityId, entityName } from '../../../core/types.ts';
import { MINUTE_MS, startOf, windowOf } from '../../../core/window.ts';

/** 2026-03-10 12:00:00 UTC, on a whole minute. */
export const T0: EpochMs = Date.UTC(2026, 2, 10, 12);
export const M0 = T0 / MINUTE_MS;

export const KEY = entityId('key', 'kf1_9f3c12ab');
export const OTHER_KEY = entityId('key', 'kf1_77aa0011');
export const RULE = 'requests-per-minute';

/** A directory that knows nobody by another name. */
export const plainDirectory = { canonical: (entity: EntityId) => entity, label: (entity: EntityId) => `key ${entityName(entity)}` };

type Said = {
  /** Minutes after T0 at which the judged minute begins. */
  readonly minute: number;
  readonly entity?: EntityId;
  readonly rule?: string;
  readonly observed?: number;
  readonly severity?: Severity;
  readonly isLive?: boolean;
  readonly contributions?: readonly Contribution[];
};

const LIMITS = { info: 100, low: 200, medium: 500, high: 800, critical: 1000 } as const;

export function finding(said: Said): Finding {
  const { minute, entity = KEY, rule = RULE, severity = 'medium', isLive = false, contributions = [] } = said;
  const window = windowOf(M0 + minute);
  const expected = LIMITS[severity];
  const observed = said.observed ?? expected + 1;
  return {
    id: findingId(rule, entity, window.start, severity),
    rule,
    entity,
    window,
    severity,
    score: { info: 10, low: 30, medium: 60, high: 80, critical: 94 }[severity],
    why: `${observed} requests in a minute, the limit is ${expected}.`,
    observed,
    expected,
    unit: 'requests',
    action: 'Apply rate limiting.',
    contributions,
    isLive,
  };
}

export function breach(said: Said): Evaluation {
  const found = finding(said);
  return { rule: found.rule, entity: found.entity, window: found.window, observed: found.observed, verdict: 'breach', finding: found };
}

export function quiet(said: Omit<Said, 'severity' | 'isLive'> & { readonly verdict?: 'hold' | 'clear' }): Evaluation {
  const { minute, entity = KEY, rule = RULE, verdict = 'clear' } = said;
  return { rule, entity, window: windowOf(M0 + minute), observed: verdict === 'clear' ? 1 : 450, verdict };
}

/** A firing alert as messages show it. */
export function alertOf(parts: Partial<Alert> = {}): Alert {
  const found = parts.finding ?? finding({ minute: 0, severity: 'critical', observed: 2310 });
  return {
    id: '3f2a91c07d1b22aa-29553120',
    dedupKey: '3f2a91c07d1b22aa',
    episode: 29_553_120,
    rule: RULE,
    entity: KEY,
    label: 'billing-export',
    state: 'firing',
    severity: found.severity,
    score: found.score,
    startedAt: T0,
    firedAt: T0 + 62_000,
    lastBreachAt: T0 + MINUTE_MS,
    peak: found.observed,
    findings: 1,
    reopens: 0,
    dips: 0,
    excess: 0,
    finding: found,
    ...parts,
  };
}

/** The incident of one firing alert as messages show it. */
export function incidentOf(alert: Alert, parts: Partial<Incident> = {}): Incident {
  return {
    id: 'INC-4821',
    kind: 'key',
    lineage: alert.entity,
    label: alert.label,
    state: alert.state === 'pending' ? 'firing' : alert.state,
    severity: alert.severity,
    score: alert.score,
    risk: 0,
    startedAt: alert.startedAt,
    openedAt: alert.firedAt ?? alert.startedAt,
    changedAt: alert.firedAt ?? alert.startedAt,
    ...(alert.resolvedAt === undefined ? {} : { resolvedAt: alert.resolvedAt }),
    reopens: alert.reopens,
    alerts: [alert.id],
    alertsTotal: 1,
    lineages: 1,
    suppressed: 0,
    channels: {},
    ...parts,
  };
}

/** A message about an incident of one alert. */
export function incidentNotification(parts: Partial<Notification> = {}, incident: Partial<Incident> = {}): Notification {
  const alert = parts.alert ?? alertOf();
  return { id: 'INC-4821/slack/1', kind: 'fired', at: startOf(M0 + 2), attempt: 1, alert, alerts: [alert], incident: incidentOf(alert, incident), ...parts };
}
