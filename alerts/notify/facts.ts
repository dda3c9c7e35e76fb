import type { Alert, Notification } from '../../core/alert.ts';
import type { Severity } from '../../core/types.ts';
import { shown } from '../hostile.ts';
import { formatDuration, formatObserved, formatQuantity, formatShare, formatUtc, sparkline } from './units.ts';

/** How many contributions a message names. */
const CONTRIBUTIONS_MAX = 3;
const WHY_CHARS_MAX = 300;

/** The content of a message about an alert, the same for every channel; still to be escaped for its format. */
export type AlertFacts = {
  /** FIRING, MORE SEVERE, FIRING AGAIN or RESOLVED: the status in words. */
  readonly status: string;
  readonly symbol: string;
  /** `CRITICAL 94`. */
  readonly grade: string;
  readonly label: string;
  /** The numbers in short: `2,310 requests in 1 min, limit 1,000 requests`. */
  readonly short: string;
  readonly why: string;
  readonly facts: readonly { readonly name: string; readonly value: string }[];
  readonly contributions: readonly { readonly name: string; readonly value: string; readonly share: string }[];
  readonly contributionsLeft: number;
  readonly action: string;
  readonly note?: string;
  readonly series?: readonly number[];
  readonly spark?: string;
  /** Rule, alert, delivery. */
  readonly references: readonly { readonly name: string; readonly value: string }[];
};

const SYMBOLS: Readonly<Record<Severity, string>> = { critical: '🔴', high: '🟠', medium: '🟡', low: '🔵', info: '⚪' };

export function alertFacts(notification: Notification, alert: Alert): AlertFacts {
  const { finding } = alert;
  const isResolved = notification.kind === 'resolved';
  const top = finding.contributions.toSorted((a, b) => b.share - a.share);
  const limit = formatQuantity(finding.expected, finding.unit);
  return {
    status: statusWord(notification),
    symbol: isResolved ? '🟢' : SYMBOLS[alert.severity],
    grade: `${alert.severity.toUpperCase()} ${Math.round(alert.score)}`,
    label: shown(alert.label),
    short: isResolved ? `over after ${formatDuration(durationOf(notification, alert))}` : `${formatObserved(finding)}, limit ${limit}`,
    why: shown(finding.why, WHY_CHARS_MAX),
    facts: isResolved ? resolvedFacts(notification, alert, limit) : firingFacts(notification, alert, limit),
    contributions: top
      .slice(0, CONTRIBUTIONS_MAX)
      .map(({ dimension, value, share }) => ({ name: shown(dimension), value: shown(value), share: formatShare(share) })),
    contributionsLeft: Math.max(0, top.length - CONTRIBUTIONS_MAX),
    action: shown(finding.action, WHY_CHARS_MAX),
    ...(notification.text === undefined ? {} : { note: notification.text }),
    ...(notification.series === undefined || notification.series.length === 0 ? {} : { series: notification.series, spark: sparkline(notification.series) }),
    references: [
      { name: 'Rule', value: shown(alert.rule) },
      { name: 'Alert', value: shown(alert.id) },
      { name: 'Delivery', value: `attempt ${notification.attempt}` },
    ],
  };
}

/** How long the breach lasted, from its first window to the end. */
function durationOf(notification: Notification, alert: Alert): number {
  return notification.durationMs ?? Math.max(0, (alert.resolvedAt ?? notification.at) - alert.startedAt);
}

function firingFacts(notification: Notification, alert: Alert, limit: string): AlertFacts['facts'] {
  const { finding } = alert;
  return [
    { name: 'Observed', value: formatObserved(finding) },
    { name: 'Limit', value: limit },
    ...(alert.peak > finding.observed ? [{ name: 'Peak', value: formatQuantity(alert.peak, finding.unit) }] : []),
    { name: 'Started', value: formatUtc(alert.startedAt) },
    ...(alert.firedAt === undefined ? [] : [{ name: 'Detected', value: formatUtc(alert.firedAt) }]),
    { name: 'Now', value: formatUtc(notification.at) },
    ...(alert.reopens > 0 ? [{ name: 'Came back', value: alert.reopens === 1 ? 'once' : `${alert.reopens} times` }] : []),
  ];
}

function resolvedFacts(notification: Notification, alert: Alert, limit: string): AlertFacts['facts'] {
  return [
    { name: 'Duration', value: formatDuration(durationOf(notification, alert)) },
    { name: 'Peak', value: formatQuantity(alert.peak, alert.finding.unit) },
    { name: 'Limit', value: limit },
    { name: 'Started', value: formatUtc(alert.startedAt) },
    ...(alert.firedAt === undefined ? [] : [{ name: 'Detected', value: formatUtc(alert.firedAt) }]),
    { name: 'Ended', value: formatUtc(alert.resolvedAt ?? notification.at) },
    { name: 'Windows over the limit', value: String(alert.findings) },
    ...(alert.reopens > 0 ? [{ name: 'Came back', value: alert.reopens === 1 ? 'once' : `${alert.reopens} times` }] : []),
  ];
}

function statusWord(notification: Notification): string {
  switch (notification.kind) {
    case 'resolved':
      return 'RESOLVED';
    case 'severity_up':
      return 'MORE SEVERE';
    case 'reopened':
      return 'FIRING AGAIN';
    case 'sample':
      return 'SAMPLE';
    default:
      return 'FIRING';
  }
}

/** Name of a message that is not about one alert. */
export function titleOf(notification: Notification): string {
  switch (notification.kind) {
    case 'digest':
      return 'Daily digest';
    case 'summary':
      return 'Several alerts in one message';
    case 'pipeline':
      return 'Keywatch needs attention';
    case 'sample':
      return 'Test message';
    default:
      return 'Keywatch';
  }
}
