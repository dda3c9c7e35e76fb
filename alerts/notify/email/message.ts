import type { Notification } from '../../../core/alert.ts';
import { shown } from '../../hostile.ts';
import { parseProse, plainText } from '../../prose.ts';
import { noticeJson } from '../event.ts';
import { type IncidentNotice, type KeyCards, type NoticeFacts, incidentNotice, noticeFacts, titleOf } from '../facts.ts';
import { noticeHtml, proseHtml } from './html.ts';

/** Large mails are cut by some programs. */
export const HTML_BYTES_MAX = 80_000;
const PROSE_LINES_MAX = 150;
const NAME_WIDTH = 26;

/** What goes to the mail library: every text is clean, and the only links are those that were configured. */
export type MailMessage = {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly messageId: string;
  /** The first mail of the incident, which later ones answer. */
  readonly threadRoot?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly attachments: readonly { readonly filename: string; readonly content: string }[];
};

export type MailContext = {
  /** Of the channel: each channel has its own threads. */
  readonly channel: string;
  /** What stands after the @ of message ids. */
  readonly domain: string;
  readonly minSeverity: string;
  readonly cards?: KeyCards | undefined;
};

export function mailMessage(notification: Notification, context: MailContext): MailMessage {
  const why = `You get this because your address is in the Keywatch channel "${shown(context.channel)}" (alerts of severity ${context.minSeverity} and above).`;
  const headers = {
    'Auto-Submitted': 'auto-generated',
    'X-Auto-Response-Suppress': 'All',
    'List-Id': `Keywatch alerts <${idPart(context.channel)}.keywatch.${context.domain}>`,
    'X-Keywatch-Notification': idPart(notification.id),
  };
  const notice = incidentNotice(notification);
  return notice === undefined ? proseMail(notification, context, { why, headers }) : incidentMail(notice, context, { why, headers });
}

type Parts = { readonly why: string; readonly headers: Readonly<Record<string, string>> };

function incidentMail(notice: IncidentNotice, context: MailContext, { why, headers }: Parts): MailMessage {
  const { notification, incident } = notice;
  const facts = noticeFacts(notice, context.cards);
  const root = messageId(`${incident.id}/${context.channel}`, context);
  // Whatever a channel hears first of an incident is `fired`: that mail is the root, and all others answer it.
  const isRoot = notification.kind === 'fired';
  const isAttached = incident.severity === 'high' || incident.severity === 'critical';
  return {
    subject: subjectOf(notice),
    text: noticeText(facts, why),
    html: noticeHtml(facts, { why }),
    messageId: isRoot ? root : messageId(notification.id, context),
    ...(isRoot ? {} : { threadRoot: root }),
    headers: { ...headers, 'X-Incident-Id': idPart(incident.id), 'X-Severity': incident.severity, 'X-Incident-State': incident.state },
    attachments: isAttached ? [{ filename: `${idPart(incident.id)}.json`, content: `${JSON.stringify(noticeJson(notification), null, 2)}\n` }] : [],
  };
}

function proseMail(notification: Notification, context: MailContext, { why, headers }: Parts): MailMessage {
  const title = titleOf(notification);
  const all = parseProse(notification.text ?? '');
  const lines = all.slice(0, PROSE_LINES_MAX);
  const left = all.length - lines.length;
  const shownLines =
    left === 0 ? lines : [...lines, { kind: 'text' as const, spans: [{ isCode: false, text: `and ${left} lines more: keywatch alerts list` }] }];
  return {
    subject: `[Keywatch] ${title}${notification.kind === 'digest' ? ` ${new Date(notification.at).toISOString().slice(0, 10)}` : ''}`,
    text: [title, '', ...shownLines.flatMap(({ kind, spans }) => proseText(kind, plainText(spans))), '', why, ''].join('\n'),
    html: proseHtml({ title, lines: shownLines, why }),
    messageId: messageId(notification.id, context),
    headers,
    attachments: [],
  };
}

/** The same for every mail of an incident, so that programs keep them together: the severity is the one it opened with. */
function subjectOf({ notification, incident, alert }: IncidentNotice): string {
  const severity = (notification.openedAs ?? incident.severity).toUpperCase();
  // What may change while it lasts (the rule of the worst alert, the number of keys) must not be in it.
  const what = incident.kind === 'fleet' ? `many keys at once: ${shown(incident.rule ?? alert.rule, 40)}` : shown(incident.label, 60);
  return `[API-KEY ${severity}] ${what} (${idPart(incident.id)})`;
}

function noticeText(facts: NoticeFacts, why: string): string {
  const { contributions, contributionsLeft, others, othersLeft } = facts;
  const chart = facts.chart === undefined ? [] : ['', facts.chart.title, facts.chart.spark, facts.chart.caption];
  return [
    `${facts.status}: ${facts.grade}`,
    `${facts.label}: ${facts.short}`,
    '',
    facts.why,
    ...(facts.note === undefined ? [] : ['', ...parseProse(facts.note).map(({ spans }) => plainText(spans))]),
    '',
    ...facts.facts.map(({ name, value }) => `${name.padEnd(NAME_WIDTH)}${value}`),
    ...chart,
    ...list('Where it comes from', [...contributions.map(({ name, value, share }) => `${name} ${value} (${share})`), ...left(contributionsLeft)]),
    ...list('What they have in common', facts.shared),
    ...list('Also', [...others.map(({ grade, rule, why: reason }) => `${grade} ${rule}: ${reason}`), ...left(othersLeft)]),
    ...list('What was done', facts.done),
    ...(facts.next === undefined ? [] : ['', `What happens next by itself: ${facts.next}`]),
    ...(facts.isOver ? [] : ['', `What to do: ${facts.action}`]),
    ...(facts.exception === undefined ? [] : ['', 'All as it should be? Then say so once:', `  ${facts.exception}`]),
    ...list(
      'Where to look',
      facts.links.map(({ name, url }) => `${name}: ${url}`),
    ),
    '',
    ...facts.references.map(({ name, value }) => `${name.padEnd(NAME_WIDTH)}${value}`),
    '',
    why,
    '',
  ].join('\n');
}

function list(title: string, items: readonly string[]): readonly string[] {
  return items.length === 0 ? [] : ['', title, ...items.map((item) => `- ${item}`)];
}

function left(count: number): readonly string[] {
  return count > 0 ? [`and ${count} more`] : [];
}

function proseText(kind: 'heading' | 'item' | 'text', text: string): readonly string[] {
  if (kind === 'heading') return ['', text.toUpperCase()];
  return [kind === 'item' ? `- ${text}` : text];
}

function messageId(id: string, context: MailContext): string {
  return `<keywatch.${idPart(id)}@${context.domain}>`;
}

/** An id as it may stand in a header. */
function idPart(text: string): string {
  return text.replace(/[^A-Za-z0-9_-]+/g, '.').slice(0, 200);
}
