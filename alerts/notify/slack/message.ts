import type { IncomingWebhookSendArguments } from '@slack/webhook';
import type { Notification } from '../../../core/alert.ts';
import { type ProseLine, parseProse, plainText } from '../../prose.ts';
import { type AlertFacts, alertFacts, titleOf } from '../facts.ts';

/** Bytes of one post. Slack takes more, and then cuts without a word. */
export const MESSAGE_BYTES_MAX = 10_000;
export const BLOCKS_MAX = 20;
const HEADER_CHARS_MAX = 150;
const SECTION_CHARS_MAX = 2800;
/** Lines are gathered up to this length; a message over the budget loses whole sections. */
const GATHERED_CHARS_MAX = 1200;

/** `verbatim`: Slack makes no links, channel names or mentions out of plain words. */
type Mrkdwn = { readonly type: 'mrkdwn'; readonly text: string; readonly verbatim: true };
type Block =
  | { readonly type: 'header'; readonly text: { readonly type: 'plain_text'; readonly text: string; readonly emoji: false } }
  | { readonly type: 'section'; readonly text: Mrkdwn }
  | { readonly type: 'section'; readonly fields: readonly Mrkdwn[] }
  | { readonly type: 'context'; readonly elements: readonly Mrkdwn[] };

/** The post for one notification: header, why, facts, sources, action, references. Within the budget, whatever it is given. */
export function slackMessage(notification: Notification): IncomingWebhookSendArguments {
  const { alert } = notification;
  const { title, blocks } = alert === undefined ? proseMessage(notification) : alertMessage(alertFacts(notification, alert));
  return {
    text: escape(title),
    blocks: withinBudget(title, blocks).map((block) => structuredClone(block)),
    unfurl_links: false,
    unfurl_media: false,
  };
}

function alertMessage(facts: AlertFacts): { readonly title: string; readonly blocks: readonly Block[] } {
  const title = titleText(`${facts.symbol} ${facts.status} · ${facts.grade} · ${facts.label} · ${facts.short}`);
  const { contributions, contributionsLeft } = facts;
  const sources = contributions.map(({ name, value, share }) => `• ${escape(name)} ${codeSpan(value)} ${escape(share)}`);
  if (contributionsLeft > 0) sources.push(`and ${contributionsLeft} more`);
  return {
    title,
    blocks: [
      header(title),
      section(escape(facts.why)),
      { type: 'section', fields: facts.facts.slice(0, 10).map(({ name, value }) => mrkdwn(`*${escape(name)}*\n${escape(value)}`)) },
      ...(facts.chart === undefined ? [] : [section(`${codeSpan(facts.chart.spark)}\n${escape(facts.chart.title)}`)]),
      ...(sources.length === 0 ? [] : [section(`*Where it comes from*\n${sources.join('\n')}`)]),
      ...(facts.status === 'RESOLVED' ? [] : [section(`*What to do:* ${escape(facts.action)}`)]),
      ...(facts.note === undefined ? [] : parseProse(facts.note).map((line) => section(proseLine(line)))),
      { type: 'context', elements: facts.references.map(({ name, value }) => mrkdwn(`${escape(name)} ${codeSpan(value)}`)) },
    ],
  };
}

/** Messages of ready text. Its lines are gathered into few sections, so that a long one stays within the blocks. */
function proseMessage(notification: Notification): { readonly title: string; readonly blocks: readonly Block[] } {
  const title = `Keywatch · ${titleOf(notification)}`;
  const sections: string[] = [];
  for (const line of parseProse(notification.text ?? '')) {
    const last = sections.at(-1);
    const text = proseLine(line);
    if (last !== undefined && line.kind !== 'heading' && last.length + text.length < GATHERED_CHARS_MAX) sections[sections.length - 1] = `${last}\n${text}`;
    else sections.push(text);
  }
  const delivery = mrkdwn(`Delivery ${codeSpan(`attempt ${notification.attempt}`)}`);
  return { title, blocks: [header(title), ...sections.map(section), { type: 'context', elements: [delivery] }] };
}

function proseLine({ kind, spans }: ProseLine): string {
  if (kind === 'heading') return `*${escape(plainText(spans))}*`;
  const text = spans.map((span) => (span.isCode ? codeSpan(span.text) : escape(span.text))).join('');
  return kind === 'item' ? `• ${text}` : text;
}

/** Cuts from the end, but keeps the last block (references): what matters most stands first. */
function withinBudget(title: string, blocks: readonly Block[]): readonly Block[] {
  const last = blocks.at(-1);
  const body = blocks.slice(0, -1);
  const more = section('_The message was cut here. The whole list: keywatch alerts list_');
  const all = last === undefined ? body : [...body, last];
  if (all.length <= BLOCKS_MAX && bytesOf(title, all) <= MESSAGE_BYTES_MAX) return all;
  for (let keep = Math.min(body.length, BLOCKS_MAX - 2); keep > 1; keep--) {
    const cut = [...body.slice(0, keep), more, ...(last === undefined ? [] : [last])];
    if (bytesOf(title, cut) <= MESSAGE_BYTES_MAX) return cut;
  }
  return [...body.slice(0, 1), more];
}

function bytesOf(title: string, blocks: readonly Block[]): number {
  // 200 bytes for the names around them.
  return Buffer.byteLength(JSON.stringify({ text: escape(title), blocks })) + 200;
}

function header(text: string): Block {
  const cut = text.length <= HEADER_CHARS_MAX ? text : `${text.slice(0, HEADER_CHARS_MAX - 1).replace(/[\ud800-\udbff]$/, '')}…`;
  return { type: 'header', text: { type: 'plain_text', text: cut, emoji: false } };
}

function section(text: string): Block {
  const cut = text.length <= SECTION_CHARS_MAX ? text : `${text.slice(0, SECTION_CHARS_MAX).replace(/(?:&[a-z]{0,4}|[\ud800-\udbff])$/, '')}…`;
  return { type: 'section', text: mrkdwn(cut) };
}

function mrkdwn(text: string): Mrkdwn {
  return { type: 'mrkdwn', text, verbatim: true };
}

/** The three characters by which Slack's links, mentions and channels begin. */
function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** A title is a plain text in the header and markup in the push text: what means something in either is put otherwise. */
function titleText(text: string): string {
  return text.replaceAll('<', '‹').replaceAll('>', '›').replaceAll('`', "'");
}

/** Code style: nothing in it is formatted or linked. */
function codeSpan(text: string): string {
  return `\`${escape(text).replaceAll('`', "'")}\``;
}
