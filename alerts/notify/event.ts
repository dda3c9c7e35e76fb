import type { Alert, Notification } from '../../core/alert.ts';
import type { Incident } from '../../core/incident.ts';
import { actorText } from '../../core/operator.ts';
import { safeText } from '../../core/text.ts';
import type { EpochMs } from '../../core/types.ts';
import { plainText, parseProse } from '../prose.ts';
import { safeLinks, titleOf } from './facts.ts';

const ALERTS_MAX = 20;
const CONTRIBUTIONS_MAX = 10;
const TEXT_CHARS_MAX = 300;
const PROSE_LINES_MAX = 200;

/**
 * A message for programs: the same object in every channel that programs read. Unknown is absent, times are RFC 3339
 * in UTC, and texts from traffic are cleaned and cut, but not rewritten: whoever shows them escapes them.
 */
export function noticeJson(notification: Notification): Readonly<Record<string, unknown>> {
  const { incident, alerts = [], alert } = notification;
  const shownAlerts = alerts.length > 0 ? alerts : alert === undefined ? [] : [alert];
  return {
    id: notification.id,
    kind: notification.kind,
    at: time(notification.at),
    attempt: notification.attempt,
    ...(incident === undefined ? { title: titleOf(notification) } : { incident: incidentJson(incident) }),
    ...(alert === undefined ? {} : { cause: alert.id }),
    ...(shownAlerts.length === 0 ? {} : { alerts: shownAlerts.slice(0, ALERTS_MAX).map(alertJson) }),
    ...(notification.durationMs === undefined ? {} : { durationMs: notification.durationMs }),
    ...(notification.text === undefined ? {} : { text: textLines(notification.text) }),
    ...(notification.done === undefined ? {} : { done: notification.done.map((text) => safeText(text, TEXT_CHARS_MAX)) }),
    ...(notification.next === undefined ? {} : { next: { what: safeText(notification.next.what, TEXT_CHARS_MAX), at: time(notification.next.at) } }),
    ...(notification.links === undefined ? {} : { links: safeLinks(notification.links) }),
    ...(notification.series === undefined ? {} : { requestsPerMinute: notification.series }),
  };
}

export function incidentJson(incident: Incident): Readonly<Record<string, unknown>> {
  return {
    id: incident.id,
    kind: incident.kind,
    lineage: safeText(incident.lineage),
    label: safeText(incident.label),
    ...(incident.rule === undefined ? {} : { rule: incident.rule }),
    state: incident.state,
    severity: incident.severity,
    score: incident.score,
    risk: incident.risk,
    startedAt: time(incident.startedAt),
    openedAt: time(incident.openedAt),
    ...(incident.resolvedAt === undefined ? {} : { resolvedAt: time(incident.resolvedAt) }),
    reopens: incident.reopens,
    alertsTotal: incident.alertsTotal,
    keys: incident.lineages,
    suppressed: incident.suppressed,
    ...(incident.shared === undefined
      ? {}
      : {
          shared: incident.shared
            .slice(0, CONTRIBUTIONS_MAX)
            .map(({ dimension, value, share }) => ({ dimension: safeText(dimension), value: safeText(value), share })),
        }),
    ...(incident.acknowledged === undefined
      ? {}
      : {
          acknowledged: { by: safeText(actorText(incident.acknowledged.actor)), at: time(incident.acknowledged.at), until: time(incident.acknowledged.until) },
        }),
    ...(incident.resolution === undefined
      ? {}
      : { resolution: { cause: incident.resolution.cause, ...(incident.resolution.reason === undefined ? {} : { reason: incident.resolution.reason }) } }),
  };
}

export function alertJson(alert: Alert): Readonly<Record<string, unknown>> {
  const { finding } = alert;
  return {
    id: alert.id,
    rule: safeText(alert.rule),
    entity: safeText(alert.entity),
    label: safeText(alert.label),
    state: alert.state,
    severity: alert.severity,
    score: alert.score,
    startedAt: time(alert.startedAt),
    ...(alert.firedAt === undefined ? {} : { firedAt: time(alert.firedAt) }),
    ...(alert.resolvedAt === undefined ? {} : { resolvedAt: time(alert.resolvedAt) }),
    peak: alert.peak,
    findings: alert.findings,
    finding: findingJson(alert),
    why: safeText(finding.why, TEXT_CHARS_MAX),
    action: safeText(finding.action, TEXT_CHARS_MAX),
  };
}

export function findingJson({ finding }: Alert): Readonly<Record<string, unknown>> {
  return {
    id: safeText(finding.id, TEXT_CHARS_MAX),
    window: { start: time(finding.window.start), end: time(finding.window.end) },
    severity: finding.severity,
    score: finding.score,
    observed: finding.observed,
    expected: finding.expected,
    unit: finding.unit,
    contributions: finding.contributions
      .slice(0, CONTRIBUTIONS_MAX)
      .map(({ dimension, value, share }) => ({ dimension: safeText(dimension), value: safeText(value), share })),
  };
}

/** Ready text as lines, without its markup. */
export function textLines(text: string): readonly string[] {
  const lines = parseProse(text);
  const plain = lines.slice(0, PROSE_LINES_MAX).map(({ spans }) => plainText(spans));
  return lines.length <= PROSE_LINES_MAX ? plain : [...plain, `and ${lines.length - PROSE_LINES_MAX} lines more`];
}

export function time(at: EpochMs): string {
  return new Date(at).toISOString();
}
