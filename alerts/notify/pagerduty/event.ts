import { hash } from 'node:crypto';
import type { Notification } from '../../../core/alert.ts';
import { safeText } from '../../../core/text.ts';
import type { Severity } from '../../../core/types.ts';
import { shown } from '../../hostile.ts';
import { time, textLines } from '../event.ts';
import { type KeyCards, incidentNotice, noticeFacts, titleOf } from '../facts.ts';

/** PagerDuty refuses an event of more than 512 KiB; what a person reads there is much less. */
export const DETAILS_BYTES_MAX = 16_000;
const SUMMARY_CHARS_MAX = 1024;

/** `high` is an error there, `medium` a warning; PagerDuty knows four. */
const SEVERITIES: Readonly<Record<Severity, 'critical' | 'error' | 'warning' | 'info'>> = {
  critical: 'critical',
  high: 'error',
  medium: 'warning',
  low: 'info',
  info: 'info',
};

export type PagerdutyEvent = {
  readonly event_action: 'trigger' | 'acknowledge' | 'resolve';
  readonly dedup_key: string;
  readonly client?: string;
  readonly client_url?: string;
  readonly links?: readonly { readonly href: string; readonly text: string }[];
  readonly payload?: {
    readonly summary: string;
    readonly source: string;
    readonly severity: 'critical' | 'error' | 'warning' | 'info';
    readonly timestamp: string;
    readonly component: string;
    readonly group: string;
    readonly class: string;
    readonly custom_details: Readonly<Record<string, unknown>>;
  };
};

/** What PagerDuty is told. Undefined for what would only wake somebody for nothing: a digest, an edit, news of a flapping that is over. */
export function pagerdutyEvent(notification: Notification, cards?: KeyCards): PagerdutyEvent | undefined {
  const notice = incidentNotice(notification);
  if (notice === undefined) return noticeEvent(notification);
  const { incident, alert } = notice;
  const dedupKey = `keywatch/${incident.id}`;
  switch (notification.kind) {
    case 'resolved':
    case 'contained':
      return { event_action: 'resolve', dedup_key: dedupKey };
    case 'acknowledged':
      return { event_action: 'acknowledge', dedup_key: dedupKey };
    case 'updated':
    case 'flapping_ended':
      return undefined;
    default:
      break;
  }
  const facts = noticeFacts(notice, cards);
  const details = {
    why: facts.why,
    status: facts.status,
    ...Object.fromEntries(facts.facts.map(({ name, value }) => [name, value])),
    sources: facts.contributions.map(({ name, value, share }) => `${name} ${value}: ${share}`),
    ...(facts.shared.length === 0 ? {} : { shared: facts.shared }),
    ...(facts.others.length === 0 ? {} : { alerts: facts.others.map(({ grade, rule, why }) => `${grade} ${rule}: ${why}`) }),
    action: facts.action,
    ...(facts.note === undefined ? {} : { note: textLines(facts.note) }),
    ...(facts.done.length === 0 ? {} : { done: facts.done }),
    ...(facts.next === undefined ? {} : { next: facts.next }),
    ...(facts.exception === undefined ? {} : { expected: facts.exception }),
    alert: alert.id,
  };
  return {
    event_action: 'trigger',
    dedup_key: dedupKey,
    client: 'Keywatch',
    ...(facts.links[0] === undefined ? {} : { client_url: facts.links[0].url, links: facts.links.map(({ name, url }) => ({ href: url, text: name })) }),
    payload: {
      summary: cut(`${facts.status} · ${facts.grade} · ${facts.label}: ${facts.why} (${facts.incident})`),
      source: shown(incident.label),
      severity: SEVERITIES[incident.severity],
      timestamp: time(incident.startedAt),
      component: shown(incident.lineage),
      group: incident.kind,
      class: shown(alert.rule),
      custom_details: bounded(details),
    },
  };
}

/** A fault of Keywatch pages; that it is over is not told by such a message, so a person closes it. */
function noticeEvent(notification: Notification): PagerdutyEvent | undefined {
  if (notification.kind !== 'pipeline' && notification.kind !== 'sample' && notification.kind !== 'storm' && notification.kind !== 'summary') return undefined;
  const lines = textLines(notification.text ?? '');
  const title = titleOf(notification);
  return {
    event_action: 'trigger',
    dedup_key: `keywatch/${notification.kind}/${hash('sha256', notification.id, 'hex').slice(0, 16)}`,
    client: 'Keywatch',
    payload: {
      summary: cut(`${title}${lines[0] === undefined ? '' : `: ${lines[0]}`}`),
      source: 'keywatch',
      severity: notification.kind === 'sample' ? 'info' : 'error',
      timestamp: time(notification.at),
      component: 'keywatch',
      group: 'keywatch',
      class: notification.kind,
      custom_details: bounded({ text: lines }),
    },
  };
}

function cut(text: string): string {
  return safeText(text, SUMMARY_CHARS_MAX - 1);
}

/** The longest go first: each is cut until the whole fits. */
function bounded(details: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  let kept: Readonly<Record<string, unknown>> = details;
  while (sizeOf(kept) > DETAILS_BYTES_MAX) {
    const [largest] = Object.entries(kept).toSorted(([, a], [, b]) => sizeOf(b) - sizeOf(a));
    if (largest === undefined) break;
    const [name, value] = largest;
    const items: readonly unknown[] = Array.isArray(value) ? value : [];
    const shorter = items.length > 1 ? [...items.slice(0, Math.floor(items.length / 2)), 'and more'].slice(0, items.length - 1) : undefined;
    kept = shorter === undefined ? Object.fromEntries(Object.entries(kept).filter(([other]) => other !== name)) : { ...kept, [name]: shorter };
  }
  return kept;
}

function sizeOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? '');
}
