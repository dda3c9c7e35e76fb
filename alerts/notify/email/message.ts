import type { Alert, Notification } from '../../../core/alert.ts';
import { shown } from '../../hostile.ts';
import { parseProse, plainText } from '../../prose.ts';
import { type AlertFacts, alertFacts, titleOf } from '../facts.ts';
import { alertHtml, proseHtml } from './html.ts';

/** What goes to the mail library: every text is clean, nothing is a link. */
export type MailMessage = {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly messageId: string;
  /** The first mail of the alert, which later ones answer. */
  readonly threadRoot?: string;
  readonly headers: Readonly<Record<string, string>>;
};

export type MailContext = {
  /** Of the channel: each channel has its own threads. */
  readonly channel: string;
  /** What stands after the @ of message ids. */
  readonly domain: string;
  readonly minSeverity: string;
};

const NAME_WIDTH = 24;

export function mailMessage(notification: Notification, context: MailContext): MailMessage {
  const { alert } = notification;
  const why = `You get this because your address is in the Keywatch channel "${shown(context.channel)}" (alerts of severity ${context.minSeverity} and above).`;
  const headers = {
    'Auto-Submitted': 'auto-generated',
    'X-Auto-Response-Suppress': 'All',
    'List-Id': `Keywatch alerts <${idPart(context.channel)}.keywatch.${context.domain}>`,
    'X-Keywatch-Notification': idPart(notification.id),
  };
  if (alert === undefined) {
    const title = titleOf(notification);
    const lines = parseProse(notification.text ?? '');
    return {
      subject: `[Keywatch] ${title}${notification.kind === 'digest' ? ` ${new Date(notification.at).toISOString().slice(0, 10)}` : ''}`,
      text: [title, '', ...lines.flatMap(({ kind, spans }) => proseText(kind, plainText(spans))), '', why, ''].join('\n'),
      html: proseHtml({ title, lines, why }),
      messageId: messageId(notification.id, context),
      headers,
    };
  }
  const facts = alertFacts(notification, alert);
  const root = messageId(`${alert.id}/${context.channel}/fired`, context);
  const own = messageId(notification.id, context);
  return {
    subject: subjectOf(alert, notification),
    text: alertText(facts, why),
    html: alertHtml(facts, { severity: alert.severity, why }),
    messageId: own,
    ...(own === root ? {} : { threadRoot: root }),
    headers: { ...headers, 'X-Alert-Id': idPart(alert.id), 'X-Severity': alert.severity, 'X-Alert-State': alert.state },
  };
}

/** The same for every mail of an episode, so that clients keep them together: the severity is the one it opened with. */
function subjectOf(alert: Alert, notification: Notification): string {
  const severity = (notification.openedAs ?? alert.severity).toUpperCase();
  return `[Keywatch ${severity}] ${shown(alert.label, 60)}: ${shown(alert.rule, 40)} (${idPart(alert.id)})`;
}

function alertText(facts: AlertFacts, why: string): string {
  const { contributions, contributionsLeft } = facts;
  return [
    `${facts.status}: ${facts.grade}`,
    `${facts.label}: ${facts.short}`,
    '',
    facts.why,
    ...(facts.note === undefined ? [] : ['', ...parseProse(facts.note).map(({ spans }) => plainText(spans))]),
    '',
    ...facts.facts.map(({ name, value }) => `${name.padEnd(NAME_WIDTH)}${value}`),
    ...(facts.chart === undefined ? [] : ['', facts.chart.title, facts.chart.spark]),
    ...(contributions.length === 0 ? [] : ['', 'Where it comes from', ...contributions.map(({ name, value, share }) => `- ${name} ${value} (${share})`)]),
    ...(contributionsLeft > 0 ? [`- and ${contributionsLeft} more`] : []),
    ...(facts.status === 'RESOLVED' ? [] : ['', `What to do: ${facts.action}`]),
    '',
    ...facts.references.map(({ name, value }) => `${name.padEnd(NAME_WIDTH)}${value}`),
    '',
    why,
    '',
  ].join('\n');
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
