import type { Notification } from '../../../core/alert.ts';
import type { Notifier } from '../../../core/ports.ts';
import { Secret } from '../../../core/secret.ts';
import { safeText } from '../../../core/text.ts';
import { type DurationMs, type EpochMs, OK, type Outcome, failed } from '../../../core/types.ts';
import type { ChannelNotes } from '../channel.ts';
import { type KeyCards, isOverKind } from '../facts.ts';
import { outcomeOf, post, retryAfterMs, unreached } from '../http.ts';
import type { SlackBotConfig } from './config.ts';
import { type SlackLook, slackMessage, slackReply } from './message.ts';

const WHO = 'Slack';
const NOTES = 'threads';
/** Incidents whose first post is remembered; the oldest is forgotten, and then begins a new thread. */
const THREADS_MAX = 500;

/** What Slack says in `error` of an answer 200 that passes by itself. Everything else needs a person. */
const PASSING = [
  'internal_error',
  'fatal_error',
  'service_unavailable',
  'request_timeout',
  'ratelimited',
  'rate_limited',
  'team_added_to_org',
  'accesslimited',
];
/** The first post is gone, or cannot be edited any more: the news goes out as a post of its own. */
const ROOT_GONE = ['message_not_found', 'cant_update_message', 'edit_window_closed', 'thread_not_found', 'is_inactive'];

type Deps = { readonly name: string; readonly now: () => EpochMs; readonly notes: ChannelNotes; readonly cards?: KeyCards | undefined };
type Settings = { readonly bot: SlackBotConfig; readonly mention: readonly string[]; readonly timeout: DurationMs; readonly ca?: string | undefined };

/**
 * Posts with a bot token: one living post per incident, kept at the current state, with what happened in its thread.
 * Which post that is stands in the store, since a restart must not begin a second thread.
 */
export class SlackBotNotifier implements Notifier {
  readonly name: string;
  readonly hasThreads = true;
  readonly #settings: Settings;
  readonly #deps: Deps;
  /** By incident: the `ts` of its first post. Loaded with the first message. */
  #threads: Promise<Map<string, string>> | undefined;

  constructor(settings: Settings, deps: Deps) {
    this.name = deps.name;
    this.#settings = settings;
    this.#deps = deps;
  }

  async notify(notification: Notification, signal: AbortSignal): Promise<Outcome> {
    const { incident } = notification;
    if (incident === undefined) return (await this.#call('chat.postMessage', { ...slackMessage(notification, this.#look()) }, signal)).outcome;
    const threads = await this.#load();
    const root = threads.get(incident.id);
    if (root === undefined) return this.#begin(notification, threads, signal);
    return this.#goOn(notification, root, threads, signal);
  }

  async #begin(notification: Notification, threads: Map<string, string>, signal: AbortSignal): Promise<Outcome> {
    const { outcome, ts } = await this.#call('chat.postMessage', { ...slackMessage(notification, this.#look()) }, signal);
    const id = notification.incident?.id;
    if (!outcome.ok || ts === undefined || id === undefined) return outcome;
    threads.set(id, ts);
    while (threads.size > THREADS_MAX) {
      const oldest = threads.keys().next();
      if (oldest.done === true) break;
      threads.delete(oldest.value);
    }
    await this.#deps.notes.write(NOTES, JSON.stringify([...threads]));
    return outcome;
  }

  /** 1. the reply, which is what people are told; 2. the edit: without it the post is stale, and the next message mends that. */
  async #goOn(notification: Notification, root: string, threads: Map<string, string>, signal: AbortSignal): Promise<Outcome> {
    if (notification.kind !== 'updated') {
      // An end, and what calls somebody, must also be seen by who does not look into threads.
      const isLoud = isOverKind(notification) || notification.mentions === true || notification.kind === 'severity_up' || notification.kind === 'reopened';
      const reply = { ...slackReply(notification, this.#look()), thread_ts: root, ...(isLoud ? { reply_broadcast: true } : {}) };
      const { outcome, error } = await this.#call('chat.postMessage', reply, signal);
      if (error !== undefined && ROOT_GONE.includes(error)) {
        threads.delete(notification.incident?.id ?? '');
        return this.#begin(notification, threads, signal);
      }
      if (!outcome.ok) return outcome;
    }
    const edit = await this.#call('chat.update', { ...slackMessage(notification, this.#look()), ts: root }, signal);
    return notification.kind === 'updated' && edit.error !== undefined && !ROOT_GONE.includes(edit.error) ? edit.outcome : OK;
  }

  #look(): SlackLook {
    const { bot, mention } = this.#settings;
    return { mention, hasButtons: bot.signingSecret !== undefined, cards: this.#deps.cards };
  }

  #load(): Promise<Map<string, string>> {
    this.#threads ??= this.#deps.notes.read(NOTES).then(threadsOf);
    return this.#threads;
  }

  /** Slack answers 200 also when it refuses: what it says decides. */
  async #call(
    method: string,
    body: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<{ readonly outcome: Outcome; readonly ts?: string; readonly error?: string }> {
    const { bot, timeout, ca } = this.#settings;
    const now = this.#deps.now();
    const headers = { authorization: `Bearer ${bot.token.reveal()}`, 'content-type': 'application/json; charset=utf-8' };
    try {
      const url = new Secret(`${bot.apiUrl.replace(/\/+$/, '')}/${method}`);
      // The answer repeats the whole message: its first fields are what counts, but it must be whole to be read.
      const answer = await post({
        url,
        headers,
        body: JSON.stringify({ channel: bot.channel, ...body }),
        timeoutMs: timeout,
        signal,
        ca,
        answerBytesMax: 256 * 1024,
      });
      const outcome = outcomeOf(answer, { who: WHO, now, secrets: [bot.token] });
      if (!outcome.ok) return { outcome };
      const said = answerOf(answer.body);
      if (said.isOk) return { outcome: OK, ...(said.ts === undefined ? {} : { ts: said.ts }) };
      const isPassing = PASSING.includes(said.error);
      const wait = isPassing ? retryAfterMs(answer.headers['retry-after'], now) : undefined;
      return { outcome: failed(`Slack refused ${method}: ${safeText(said.error, 60)}`, isPassing, wait), error: said.error };
    } catch (error) {
      return { outcome: unreached(WHO, error) };
    }
  }
}

function answerOf(body: string): { readonly isOk: boolean; readonly ts?: string; readonly error: string } {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== 'object' || parsed === null || !('ok' in parsed)) return { isOk: false, error: 'service_unavailable' };
    const ts = 'ts' in parsed && typeof parsed.ts === 'string' ? parsed.ts : undefined;
    const error = 'error' in parsed && typeof parsed.error === 'string' ? parsed.error : 'unknown_error';
    return { isOk: parsed.ok === true, ...(ts === undefined ? {} : { ts }), error };
  } catch {
    // A proxy or a maintenance page: it passes.
    return { isOk: false, error: 'service_unavailable' };
  }
}

/** What is stored is ours, but may be of another version: what cannot be read begins anew. */
function threadsOf(text: string | undefined): Map<string, string> {
  try {
    const parsed: unknown = JSON.parse(text ?? '[]');
    if (!Array.isArray(parsed)) return new Map();
    return new Map(
      parsed.flatMap((pair: unknown): [string, string][] =>
        Array.isArray(pair) && typeof pair[0] === 'string' && typeof pair[1] === 'string' ? [[pair[0], pair[1]]] : [],
      ),
    );
  } catch {
    return new Map();
  }
}
