import type { Alert, Notification } from '../../core/alert.ts';
import type { Severity } from '../../core/types.ts';
import { MINUTE_MS } from '../../core/window.ts';
import { shown } from '../hostile.ts';
import { formatCount, formatDuration, formatObserved, formatQuantity, formatShare, formatUtc, sparkline } from './units.ts';

/** How many contributions a message names. */
const CONTRIBUTIONS_MAX = 3;
const WHY_CHARS_MAX = 300;
const CHART_MINUTES_MAX = 60;

/** `limit` is there when it is one of requests per minute too. */
export type AlertChart = { readonly title: string; readonly values: readonly number[]; readonly spark: string; readonly limit?: number };

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
  /** Requests per minute before the alert, where they are known. */
  readonly chart?: AlertChart;
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
    ...chartOf(notification, alert),
    references: [
      { name: 'Rule', value: shown(alert.rule) },
      { name: 'Alert', value: shown(alert.id) },
      { name: 'Delivery', value: `attempt ${notification.attempt}` },
    ],
  };
}

/** The newest minutes only: a picture, not a record. */
function chartOf({ series }: Notification, { finding }: Alert): { readonly chart?: AlertChart } {
  if (series === undefined || series.length === 0) return {};
  const values = series.slice(-CHART_MINUTES_MAX).map((value) => (Number.isFinite(value) && value > 0 ? value : 0));
  const isComparable = finding.unit === 'requests' && finding.window.end - finding.window.start === MINUTE_MS;
  const limit = isComparable ? finding.expected : undefined;
  const over = limit === undefined ? 0 : values.filter((value) => value > limit).length;
  const title = `Requests per minute, the last ${values.length} min, highest ${formatCount(Math.max(...values))}${over === 0 ? '' : `, ${over} min over the limit`}`;
  return { chart: { title, values, spark: sparkline(values), ...(limit === undefined ? {} : { limit }) } };
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
