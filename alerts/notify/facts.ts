import type { Alert, Link, Notification } from '../../core/alert.ts';
import type { Incident } from '../../core/incident.ts';
import { actorText } from '../../core/operator.ts';
import { type EntityId, type Severity, assertNever } from '../../core/types.ts';
import { shown } from '../hostile.ts';
import { type NoticeChart, chartOf } from './chart.ts';
import { exceptionCommand } from './exception-command.ts';
import { formatCount, formatDuration, formatObserved, formatQuantity, formatShare, formatUtc } from './units.ts';

/** How many contributions a message names. */
const CONTRIBUTIONS_MAX = 3;
const OTHERS_MAX = 5;
const SHARED_MAX = 3;
const WHY_CHARS_MAX = 300;
const LINK_CHARS_MAX = 2000;

/** What the inventory knows of a key. People wrote it, but it is shown as carefully as the rest. */
export type KeyCard = {
  readonly owner?: string | undefined;
  readonly contact?: string | undefined;
  readonly team?: string | undefined;
  readonly environment?: string | undefined;
  readonly plan?: string | undefined;
  readonly tier?: string | undefined;
};
/** Looks a key up for a message. */
export type KeyCards = (lineage: EntityId) => KeyCard | undefined;

export type Fact = { readonly name: string; readonly value: string };

/** The content of a message about an incident, the same for every channel; still to be escaped for its format. */
export type NoticeFacts = {
  /** FIRING, MORE SEVERE, RESOLVED …: the status in words. */
  readonly status: string;
  readonly isOver: boolean;
  readonly severity: Severity;
  readonly symbol: string;
  /** `CRITICAL 94`. */
  readonly grade: string;
  /** `INC-4821`. */
  readonly incident: string;
  readonly label: string;
  /** The numbers in short: `2,310 requests in 1 min, limit 1,000 requests`. */
  readonly short: string;
  readonly why: string;
  readonly facts: readonly Fact[];
  /** What the keys of a fleet have in common. */
  readonly shared: readonly string[];
  readonly contributions: readonly { readonly name: string; readonly value: string; readonly share: string }[];
  readonly contributionsLeft: number;
  /** The other alerts of the incident, worst first. */
  readonly others: readonly { readonly grade: string; readonly rule: string; readonly why: string }[];
  readonly othersLeft: number;
  readonly action: string;
  /** Why this message comes now, where that is not plain from the status. */
  readonly note?: string;
  readonly done: readonly string[];
  /** The next step that happens by itself, with its time. */
  readonly next?: string;
  /** To paste, when all of this is as it should be. */
  readonly exception?: string;
  readonly links: readonly Link[];
  /** Requests per minute before the alert, where they are known. */
  readonly chart?: NoticeChart;
  /** Incident, rule, alert, suppressed, delivery. */
  readonly references: readonly Fact[];
};

const SYMBOLS: Readonly<Record<Severity, string>> = { critical: '🔴', high: '🟠', medium: '🟡', low: '🔵', info: '⚪' };

/** What a message about an incident is made of. */
export type IncidentNotice = { readonly notification: Notification; readonly incident: Incident; readonly alert: Alert };

/** Undefined for messages about many, and about Keywatch itself. */
export function incidentNotice(notification: Notification): IncidentNotice | undefined {
  const { incident } = notification;
  const alert = notification.alert ?? notification.alerts?.[0];
  return incident === undefined || alert === undefined ? undefined : { notification, incident, alert };
}

export function noticeFacts(notice: IncidentNotice, cards?: KeyCards): NoticeFacts {
  const { notification, incident, alert } = notice;
  const { finding } = alert;
  const isOver = isOverKind(notification);
  const top = finding.contributions.toSorted((a, b) => b.share - a.share);
  const limit = formatQuantity(finding.expected, finding.unit);
  const others = (notification.alerts ?? []).filter(({ id }) => id !== alert.id);
  const chart = chartOf(notification, alert);
  const exception = isOver ? undefined : exceptionCommand(notice);
  return {
    status: statusOf(notification),
    isOver,
    severity: incident.severity,
    symbol: isOver ? '🟢' : SYMBOLS[incident.severity],
    grade: `${incident.severity.toUpperCase()} ${Math.round(incident.score)}`,
    incident: shown(incident.id),
    label: shown(incident.label),
    short: isOver ? `over after ${formatDuration(durationOf(notice))}` : `${formatObserved(finding)}, limit ${limit}`,
    why: shown(finding.why, WHY_CHARS_MAX),
    facts: [...cardFacts(cards?.(incident.lineage)), ...(isOver ? overFacts(notice, limit) : firingFacts(notice, limit, chart))],
    shared: (incident.shared ?? [])
      .slice(0, SHARED_MAX)
      .map(({ dimension, value, share }) => `${formatShare(share)} of the keys: ${shown(dimension)} ${shown(value)}`),
    contributions: top
      .slice(0, CONTRIBUTIONS_MAX)
      .map(({ dimension, value, share }) => ({ name: shown(dimension), value: shown(value), share: formatShare(share) })),
    contributionsLeft: Math.max(0, top.length - CONTRIBUTIONS_MAX),
    others: others.slice(0, OTHERS_MAX).map((other) => ({
      grade: `${other.severity.toUpperCase()} ${Math.round(other.score)}`,
      rule: shown(other.rule),
      why: shown(other.finding.why, WHY_CHARS_MAX),
    })),
    othersLeft: Math.max(0, incident.alertsTotal - 1 - Math.min(others.length, OTHERS_MAX)),
    action: shown(finding.action, WHY_CHARS_MAX),
    ...(notification.text === undefined ? {} : { note: notification.text }),
    done: (notification.done ?? []).map((text) => shown(text, WHY_CHARS_MAX)),
    ...(notification.next === undefined ? {} : { next: `${shown(notification.next.what, WHY_CHARS_MAX)} at ${formatUtc(notification.next.at)}` }),
    ...(exception === undefined ? {} : { exception }),
    links: safeLinks(notification.links ?? []),
    ...(chart === undefined ? {} : { chart }),
    references: [
      { name: 'Incident', value: shown(incident.id) },
      { name: 'Rule', value: shown(alert.rule) },
      { name: 'Alert', value: shown(alert.id) },
      ...(incident.suppressed > 0 ? [{ name: 'Suppressed', value: `+${formatCount(incident.suppressed)}` }] : []),
      { name: 'Delivery', value: `attempt ${notification.attempt}` },
    ],
  };
}

function cardFacts(card: KeyCard | undefined): readonly Fact[] {
  const owner = [card?.owner, card?.team].filter((part) => part !== undefined);
  const place = Object.entries({ environment: card?.environment, tier: card?.tier, plan: card?.plan }).flatMap(([name, value]) =>
    value === undefined ? [] : [{ name, value }],
  );
  const placeName = place.map(({ name }) => name).join(', ');
  return [
    ...(owner.length === 0 ? [] : [{ name: 'Owner', value: owner.map((part) => shown(part)).join(', ') }]),
    ...(card?.contact === undefined ? [] : [{ name: 'Contact', value: shown(card.contact) }]),
    ...(place.length === 0
      ? []
      : [{ name: `${placeName.charAt(0).toUpperCase()}${placeName.slice(1)}`, value: place.map(({ value }) => shown(value)).join(', ') }]),
  ];
}

/** How long it lasted, from its first breaching window to the end. */
function durationOf({ notification, incident }: IncidentNotice): number {
  return notification.durationMs ?? Math.max(0, (incident.resolvedAt ?? notification.at) - incident.startedAt);
}

function firingFacts({ notification, incident, alert }: IncidentNotice, limit: string, chart: NoticeChart | undefined): readonly Fact[] {
  const { finding } = alert;
  const { acknowledged } = incident;
  return [
    { name: 'Observed', value: formatObserved(finding) },
    { name: 'Limit', value: limit },
    ...(chart?.band === undefined
      ? []
      : [{ name: 'Usual', value: `${formatCount(chart.band.low)}–${formatCount(chart.band.high)} requests per minute in the hour before` }]),
    ...(alert.peak > finding.observed ? [{ name: 'Peak', value: formatQuantity(alert.peak, finding.unit) }] : []),
    ...(incident.kind === 'fleet' ? [{ name: 'Keys', value: formatCount(incident.lineages) }] : []),
    ...(incident.risk > 0 ? [{ name: 'Risk of the key', value: `${formatCount(Math.round(incident.risk))} in 24 h` }] : []),
    { name: 'Started', value: `${formatUtc(incident.startedAt)}, ${formatDuration(Math.max(0, notification.at - incident.startedAt))} ago` },
    ...(alert.firedAt === undefined ? [] : [{ name: 'Detected', value: formatUtc(alert.firedAt) }]),
    { name: 'Now', value: formatUtc(notification.at) },
    ...cameBack(incident),
    ...(acknowledged === undefined
      ? []
      : [
          {
            name: 'Acknowledged',
            value: `by ${shown(actorText(acknowledged.actor))} at ${formatUtc(acknowledged.at)}, until ${formatUtc(acknowledged.until)}`,
          },
        ]),
  ];
}

function overFacts(notice: IncidentNotice, limit: string): readonly Fact[] {
  const { notification, incident, alert } = notice;
  const { resolution } = incident;
  return [
    { name: 'Duration', value: formatDuration(durationOf(notice)) },
    { name: 'Peak', value: formatQuantity(alert.peak, alert.finding.unit) },
    { name: 'Limit', value: limit },
    ...(alert.excess > 0 ? [{ name: 'Over the limit', value: `${formatQuantity(alert.excess, alert.finding.unit)} in all` }] : []),
    ...(incident.kind === 'fleet' ? [{ name: 'Keys', value: formatCount(incident.lineages) }] : []),
    { name: 'Started', value: formatUtc(incident.startedAt) },
    ...(alert.firedAt === undefined ? [] : [{ name: 'Detected', value: formatUtc(alert.firedAt) }]),
    { name: 'Ended', value: formatUtc(incident.resolvedAt ?? notification.at) },
    { name: 'Windows over the limit', value: formatCount(alert.findings) },
    ...(resolution === undefined ? [] : [{ name: 'Ended by', value: endedBy(resolution) }]),
    ...cameBack(incident),
  ];
}

function endedBy({ cause, reason, actor, note }: NonNullable<Incident['resolution']>): string {
  if (cause === 'rule_removed') return 'the configuration: its rule is gone';
  if (cause === 'key_deleted') return 'the configuration: its key is gone';
  const who = actor === undefined ? 'a person' : shown(actorText(actor));
  return `${who}${reason === undefined ? '' : `: ${reason.replaceAll('_', ' ')}`}${note === undefined ? '' : `, ${shown(note)}`}`;
}

function cameBack({ reopens }: Incident): readonly Fact[] {
  return reopens > 0 ? [{ name: 'Came back', value: reopens === 1 ? 'once' : `${reopens} times` }] : [];
}

/** Only addresses that we made: of the web, without a blank, and not endless. */
export function safeLinks(links: readonly Link[]): readonly Link[] {
  return links
    .filter(({ url }) => /^https?:\/\/[^\s<>"'`|\\]+$/.test(url) && url.length <= LINK_CHARS_MAX && URL.canParse(url))
    .map(({ name, url }) => ({ name: shown(name, 40), url }));
}

/** The incident is over for whoever reads this. */
export function isOverKind({ kind }: Notification): boolean {
  return kind === 'resolved' || kind === 'contained';
}

/** The status in words, as a message begins. */
export function statusOf(notification: Notification): string {
  switch (notification.kind) {
    case 'fired':
    case 'joined':
      return notification.kind === 'fired' ? 'FIRING' : 'ONE MORE ALERT';
    case 'severity_up':
      return 'MORE SEVERE';
    case 'reopened':
      return 'FIRING AGAIN';
    case 'ack_broken':
      return 'NOT ACKNOWLEDGED ANY MORE';
    case 'still_firing':
      return 'STILL FIRING';
    case 'repeat':
      return 'STILL FIRING, NOBODY HAS IT';
    case 'escalated':
      return 'ESCALATED';
    case 'flapping':
      return 'COMES AND GOES';
    case 'flapping_ended':
      return 'STEADY AGAIN';
    case 'contained':
      return 'CONTAINED';
    case 'containment_failed':
      return 'NOT CONTAINED';
    case 'resolved':
      return 'RESOLVED';
    case 'acknowledged':
      return 'ACKNOWLEDGED';
    case 'updated':
      return stateWord(notification.incident);
    case 'sample':
      return 'SAMPLE';
    case 'digest':
    case 'summary':
    case 'storm':
    case 'survey':
    case 'pipeline':
      return 'KEYWATCH';
    default:
      return assertNever(notification.kind);
  }
}

function stateWord(incident: Incident | undefined): string {
  switch (incident?.state) {
    case 'acknowledged':
      return 'ACKNOWLEDGED';
    case 'recovering':
      return 'RECOVERING';
    case 'resolved':
    case 'archived':
      return 'RESOLVED';
    default:
      return 'FIRING';
  }
}

/** Name of a message that is not about one incident. */
export function titleOf({ kind }: Notification): string {
  switch (kind) {
    case 'digest':
      return 'Daily digest';
    case 'summary':
      return 'Several alerts in one message';
    case 'storm':
      return 'Storm: many alerts in one message';
    case 'survey':
      return 'First day: what the limits would have told';
    case 'pipeline':
      return 'Keywatch needs attention';
    case 'sample':
      return 'Test message';
    default:
      return 'Keywatch';
  }
}
