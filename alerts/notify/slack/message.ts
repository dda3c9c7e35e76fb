import type { IncomingWebhookSendArguments } from '@slack/webhook';
import type { Link, Notification } from '../../../core/alert.ts';
import { type ProseLine, parseProse, plainText } from '../../prose.ts';
import { type KeyCards, type NoticeFacts, incidentNotice, noticeFacts, titleOf } from '../facts.ts';

/** Bytes of one post. Slack takes more, and then cuts without a word. */
export const MESSAGE_BYTES_MAX = 10_000;
export const BLOCKS_MAX = 20;
const HEADER_CHARS_MAX = 150;
const SECTION_CHARS_MAX = 2800;
const FIELDS_MAX = 10;
/** Lines are gathered up to this length; a message over the budget loses whole sections. */
const GATHERED_CHARS_MAX = 1200;
const BUTTONS_MAX = 5;

/** `verbatim`: Slack makes no links, channel names or mentions out of plain words. */
type Mrkdwn = { readonly type: 'mrkdwn'; readonly text: string; readonly verbatim: true };
type PlainText = { readonly type: 'plain_text'; readonly text: string; readonly emoji: false };
type Button = {
  readonly type: 'button';
  readonly action_id: string;
  readonly text: PlainText;
  readonly value?: string;
  readonly url?: string;
  readonly style?: 'primary' | 'danger';
  readonly confirm?: { readonly title: PlainText; readonly text: PlainText; readonly confirm: PlainText; readonly deny: PlainText };
};
type Block =
  | { readonly type: 'header'; readonly text: PlainText }
  | { readonly type: 'section'; readonly text: Mrkdwn }
  | { readonly type: 'section'; readonly fields: readonly Mrkdwn[] }
  | { readonly type: 'actions'; readonly elements: readonly Button[] }
  | { readonly type: 'context'; readonly elements: readonly Mrkdwn[] };

export type SlackLook = {
  /** Who is called by name when the message asks for it. */
  readonly mention: readonly string[];
  /** Buttons that act, not only links: somebody checks their clicks. */
  readonly hasButtons?: boolean;
  readonly cards?: KeyCards | undefined;
};

/** What is put into a button and comes back with a click: which incident, nothing else. */
export const ACTIONS = { acknowledge: 'keywatch_acknowledge', snooze: 'keywatch_snooze', expected: 'keywatch_expected' } as const;

/** The post for one notification: header, why, facts, chart, sources, action, buttons, references. Within the budget, whatever it is given. */
export function slackMessage(notification: Notification, look: SlackLook = { mention: [] }): IncomingWebhookSendArguments {
  const notice = incidentNotice(notification);
  const { title, blocks } = notice === undefined ? proseMessage(notification) : incidentMessage(noticeFacts(notice, look.cards), look.hasButtons === true);
  const mentions = notification.mentions === true ? look.mention.map(mentionOf).join(' ') : '';
  const called = mentions === '' ? blocks : [...blocks.slice(0, 1), section(mentions), ...blocks.slice(1)];
  return {
    text: `${mentions === '' ? '' : `${mentions} `}${escape(title)}`,
    blocks: withinBudget(title, called).map((block) => structuredClone(block)),
    unfurl_links: false,
    unfurl_media: false,
  };
}

/** One line for the thread: what changed, by whom, and what comes next. */
export function slackReply(notification: Notification, look: SlackLook): IncomingWebhookSendArguments {
  const notice = incidentNotice(notification);
  if (notice === undefined) return slackMessage(notification, look);
  const facts = noticeFacts(notice, look.cards);
  const mentions = notification.mentions === true ? look.mention.map(mentionOf).join(' ') : '';
  const lines = [
    `${mentions === '' ? '' : `${mentions} `}*${facts.symbol} ${facts.status}* · ${facts.grade} · ${escape(facts.short)}`,
    escape(facts.why),
    ...(facts.note === undefined ? [] : parseProse(facts.note).map(proseLine)),
    ...facts.done.map((text) => `• ${escape(text)}`),
    ...(facts.next === undefined ? [] : [`Next: ${escape(facts.next)}`]),
  ];
  return {
    text: `${mentions === '' ? '' : `${mentions} `}${escape(titleText(`${facts.status} · ${facts.label}`))}`,
    blocks: [structuredClone(section(lines.join('\n')))],
    unfurl_links: false,
    unfurl_media: false,
  };
}

/** `U012…`, `S012…`, `here`: checked by the configuration, so that nothing else can be called. */
function mentionOf(id: string): string {
  if (/^[UW][A-Z0-9]+$/.test(id)) return `<@${id}>`;
  if (/^S[A-Z0-9]+$/.test(id)) return `<!subteam^${id}>`;
  return id === 'here' || id === 'channel' ? `<!${id}>` : '';
}

function incidentMessage(facts: NoticeFacts, hasButtons: boolean): { readonly title: string; readonly blocks: readonly Block[] } {
  const title = titleText(`${facts.symbol} ${facts.status} · ${facts.grade} · ${facts.label} · ${facts.short}`);
  const { contributions, contributionsLeft, others, othersLeft } = facts;
  const sources = contributions.map(({ name, value, share }) => `• ${escape(name)} ${codeSpan(value)} ${escape(share)}`);
  if (contributionsLeft > 0) sources.push(`and ${contributionsLeft} more`);
  const more = others.map(({ grade, rule, why }) => `• ${escape(grade)} ${codeSpan(rule)} ${escape(why)}`);
  if (othersLeft > 0) more.push(`and ${othersLeft} more`);
  const steps = [...facts.done.map((text) => `• done: ${escape(text)}`), ...(facts.next === undefined ? [] : [`• next, by itself: ${escape(facts.next)}`])];
  return {
    title,
    blocks: [
      header(title),
      section(escape(facts.why)),
      ...(facts.note === undefined ? [] : parseProse(facts.note).map((line) => section(proseLine(line)))),
      ...fieldSections(facts),
      ...(facts.chart === undefined ? [] : [section(`${codeSpan(facts.chart.spark)}\n${escape(facts.chart.caption)}\n${escape(facts.chart.title)}`)]),
      ...(sources.length === 0 ? [] : [section(`*Where it comes from*\n${sources.join('\n')}`)]),
      ...(facts.shared.length === 0 ? [] : [section(`*What they have in common*\n${facts.shared.map((text) => `• ${escape(text)}`).join('\n')}`)]),
      ...(more.length === 0 ? [] : [section(`*Also*\n${more.join('\n')}`)]),
      ...(facts.isOver ? [] : [section(`*What to do:* ${escape(facts.action)}`)]),
      ...(steps.length === 0 ? [] : [section(steps.join('\n'))]),
      ...(facts.exception === undefined ? [] : [section(`All as it should be? ${codeSpan(facts.exception)}`)]),
      ...actions(facts, hasButtons),
      { type: 'context', elements: facts.references.map(({ name, value }) => mrkdwn(`${escape(name)} ${codeSpan(value)}`)) },
    ],
  };
}

function fieldSections({ facts }: NoticeFacts): readonly Block[] {
  const fields = facts.map(({ name, value }) => mrkdwn(`*${escape(name)}*\n${escape(value)}`));
  const sections: Block[] = [];
  for (let from = 0; from < fields.length; from += FIELDS_MAX) sections.push({ type: 'section', fields: fields.slice(from, from + FIELDS_MAX) });
  return sections;
}

/** Buttons that act where somebody checks the clicks; links where there is something to open. Nothing is done by opening a link. */
function actions({ isOver, incident, links }: NoticeFacts, hasButtons: boolean): readonly Block[] {
  const acting: readonly Button[] =
    isOver || !hasButtons
      ? []
      : [
          { type: 'button', action_id: ACTIONS.acknowledge, text: plain('Acknowledge'), value: incident, style: 'primary' },
          {
            type: 'button',
            action_id: ACTIONS.snooze,
            text: plain('Snooze 8 h'),
            value: incident,
            confirm: {
              title: plain('Snooze for 8 hours?'),
              text: plain('It comes back at once if it gets worse.'),
              confirm: plain('Snooze'),
              deny: plain('Cancel'),
            },
          },
          {
            type: 'button',
            action_id: ACTIONS.expected,
            text: plain('Expected'),
            value: incident,
            confirm: {
              title: plain('Was this expected?'),
              text: plain('Ends the incident as expected. It is quiet for 30 minutes; add an exception for longer.'),
              confirm: plain('Expected'),
              deny: plain('Cancel'),
            },
          },
        ];
  const opening = links.map(({ name, url }: Link, index): Button => ({ type: 'button', action_id: `keywatch_open_${index}`, text: plain(name), url }));
  const elements = [...acting, ...opening].slice(0, BUTTONS_MAX);
  return elements.length === 0 ? [] : [{ type: 'actions', elements }];
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
  // 400 bytes for the names around them, and for who is called.
  return Buffer.byteLength(JSON.stringify({ text: escape(title), blocks })) + 400;
}

function header(text: string): Block {
  const cut = text.length <= HEADER_CHARS_MAX ? text : `${text.slice(0, HEADER_CHARS_MAX - 1).replace(/[\ud800-\udbff]$/, '')}…`;
  return { type: 'header', text: plain(cut) };
}

function plain(text: string): PlainText {
  return { type: 'plain_text', text, emoji: false };
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
