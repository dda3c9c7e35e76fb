import { hash } from 'node:crypto';
import type { Notification } from '../../../core/alert.ts';
import { safeText } from '../../../core/text.ts';
import { type DurationMs, type EpochMs, SEVERITIES, type Severity, severityRank } from '../../../core/types.ts';
import { shown } from '../../hostile.ts';
import { time, textLines } from '../event.ts';
import { type KeyCard, type KeyCards, incidentNotice, isOverKind, noticeFacts, titleOf } from '../facts.ts';

/** An alert that is not pushed again by then is over for Alertmanager: four pushes may fail, as with Prometheus. */
export const VALID_MS: DurationMs = 4 * 60_000;
const NOTICE_VALID_MS: DurationMs = 60 * 60_000;
const SAMPLE_VALID_MS: DurationMs = 5 * 60_000;
const VALUE_CHARS_MAX = 1000;

export type PostableAlert = {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL?: string;
};

export type AlertmanagerContext = { readonly now: EpochMs; readonly labels: Readonly<Record<string, string>>; readonly cards?: KeyCards | undefined };

/**
 * One Alertmanager alert per incident and severity: labels are what its routes look at, and they are its identity, so
 * nothing that changes by itself is among them. When the severity goes up, the alert of the lower one ends with the same push.
 */
export function alertmanagerAlerts(notification: Notification, context: AlertmanagerContext): readonly PostableAlert[] {
  const notice = incidentNotice(notification);
  if (notice === undefined) return noticeAlerts(notification, context);
  const { incident, alert } = notice;
  const facts = noticeFacts(notice, context.cards);
  const isOver = isOverKind(notification) || incident.state === 'resolved' || incident.state === 'archived';
  const lowest = notification.openedAs ?? incident.severity;
  const severities = SEVERITIES.filter(
    (severity) => severityRank(severity) >= severityRank(lowest) && severityRank(severity) <= severityRank(incident.severity),
  );
  const annotations = defined({
    summary: clean(`${facts.grade} · ${facts.label}: ${facts.short}`),
    description: clean(facts.why),
    observed: clean(facts.facts.map(({ name, value }) => `${name}: ${value}`).join('; ')),
    sources: clean(facts.contributions.map(({ name, value, share }) => `${name} ${value} ${share}`).join('; ')),
    action: clean(facts.action),
    rule: shown(alert.rule),
    score: String(Math.round(incident.score)),
    next: facts.next === undefined ? undefined : clean(facts.next),
    dashboard: facts.links[0]?.url,
    runbook_url: facts.links.find(({ name }) => /runbook/i.test(name))?.url,
  });
  const labelsOf = (severity: Severity): Readonly<Record<string, string>> =>
    defined({
      ...context.labels,
      alertname: incident.kind === 'fleet' ? 'KeywatchFleet' : 'KeywatchKey',
      severity,
      incident: clean(incident.id),
      key: shown(incident.label),
      ...cardLabels(context.cards?.(incident.lineage)),
    });
  return severities.map((severity) => ({
    labels: labelsOf(severity),
    annotations,
    startsAt: time(incident.startedAt),
    // At the end of this push, not of the incident: an end in the past that was already passed once is ignored there.
    endsAt: time(isOver || severity !== incident.severity ? context.now : context.now + VALID_MS),
    ...(facts.links[0] === undefined ? {} : { generatorURL: facts.links[0].url }),
  }));
}

function cardLabels(card: KeyCard | undefined): Readonly<Record<string, string | undefined>> {
  const { owner, team, environment, plan, tier } = card ?? {};
  const named = { owner, team, environment, plan, tier };
  return Object.fromEntries(Object.entries(named).map(([name, value]) => [name, value === undefined ? undefined : shown(value)]));
}

/** What needs a person but has no end that we know: it ends there by itself. Digests are for people, not for it. */
function noticeAlerts(notification: Notification, { now, labels }: AlertmanagerContext): readonly PostableAlert[] {
  const { kind } = notification;
  if (kind !== 'pipeline' && kind !== 'sample' && kind !== 'storm' && kind !== 'summary') return [];
  const lines = textLines(notification.text ?? '');
  return [
    {
      labels: {
        ...labels,
        alertname: kind === 'pipeline' ? 'KeywatchNeedsAttention' : kind === 'sample' ? 'KeywatchSample' : 'KeywatchStorm',
        severity: kind === 'sample' ? 'info' : 'high',
        notice: hash('sha256', notification.id, 'hex').slice(0, 16),
      },
      annotations: defined({ summary: titleOf(notification), description: clean(lines.join(' ')) }),
      startsAt: time(notification.at),
      endsAt: time(now + (kind === 'sample' ? SAMPLE_VALID_MS : NOTICE_VALID_MS)),
    },
  ];
}

function clean(text: string): string {
  return safeText(text, VALUE_CHARS_MAX);
}

/** Alertmanager takes an empty label for none, and so do we. */
function defined(values: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(values).flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, value]])));
}
