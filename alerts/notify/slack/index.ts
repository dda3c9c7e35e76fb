import { type FetchFunction, IncomingWebhook, IncomingWebhookHTTPError, IncomingWebhookRequestError } from '@slack/webhook';
import type { Notification } from '../../../core/alert.ts';
import type { Notifier } from '../../../core/ports.ts';
import { safeText } from '../../../core/text.ts';
import { type DurationMs, type EpochMs, OK, type Outcome, failed } from '../../../core/types.ts';
import type { SlackConfig } from './config.ts';
import { slackMessage } from './message.ts';

/** Bytes of an answer that are read: Slack says a word or two. */
const ANSWER_BYTES_MAX = 1024;

/** Posts to a Slack incoming webhook (or to what speaks like one). It never retries by itself: the outbox does. */
export class SlackNotifier implements Notifier {
  readonly name: string;
  readonly #config: SlackConfig;
  readonly #now: () => EpochMs;

  /** `now` reads a Retry-After that is a date. */
  constructor(config: SlackConfig, deps: { readonly name?: string; readonly now: () => EpochMs }) {
    this.name = deps.name ?? 'slack';
    this.#config = config;
    this.#now = deps.now;
  }

  async notify(notification: Notification, signal: AbortSignal): Promise<Outcome> {
    const { webhookUrl, timeoutMs } = this.#config;
    let retryAfter: string | null = null;
    // The library shows neither headers nor a signal, but takes a fetch: ours sees both. One client per message, since it keeps nothing open.
    const fetchFn: FetchFunction = async (url, init) => {
      const deadline = init?.signal === undefined ? signal : AbortSignal.any([init.signal, signal]);
      const response = await fetch(url, { ...init, signal: deadline });
      retryAfter = response.headers.get('retry-after');
      const text = await readStart(response);
      return {
        ok: response.ok,
        status: response.status,
        statusText: response.statusText,
        url: '',
        headers: response.headers,
        text: async () => text,
        json: async () => undefined,
        arrayBuffer: async () => new ArrayBuffer(0),
      };
    };
    try {
      await new IncomingWebhook(webhookUrl.reveal(), { timeout: timeoutMs, fetch: fetchFn }).send(slackMessage(notification));
      return OK;
    } catch (error) {
      return this.#outcomeOf(error, retryAfter);
    }
  }

  #outcomeOf(error: unknown, retryAfter: string | null): Outcome {
    if (error instanceof IncomingWebhookHTTPError) {
      const status = error.statusCode;
      const said = safeText(this.#withoutUrl(error.body), 60);
      const reason = `Slack answered HTTP ${status}${said === '' ? '' : `: ${said}`}`;
      const isRetryable = status >= 500 || status === 429 || status === 408;
      return failed(reason, isRetryable, isRetryable ? retryAfterMs(retryAfter, this.#now()) : undefined);
    }
    if (error instanceof IncomingWebhookRequestError) return failed(`Slack was not reached: ${networkReason(error.original)}`, true);
    throw error;
  }

  /** An answer may repeat the address it was asked under. */
  #withoutUrl(text: string): string {
    const url = new URL(this.#config.webhookUrl.reveal());
    return text.replaceAll(url.href, '<webhook>').replaceAll(url.pathname.length > 1 ? url.pathname : url.href, '<webhook>');
  }
}

async function readStart(response: Response): Promise<string> {
  if (response.body === null) return '';
  const chunks: AsyncIterable<Uint8Array> = response.body;
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of chunks) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length >= ANSWER_BYTES_MAX) break;
  }
  return text.slice(0, ANSWER_BYTES_MAX);
}

/** Seconds, or a date. Undefined when it says nothing that can be obeyed. */
function retryAfterMs(header: string | null, now: EpochMs): DurationMs | undefined {
  if (header === null) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

/** A short name of what went wrong; never the message, which may hold the URL. */
function networkReason(error: Error): string {
  if (error.name === 'TimeoutError') return 'no answer in time';
  if (error.name === 'AbortError') return 'aborted';
  const { cause } = error;
  if (cause instanceof Error) return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.name;
  return error.name;
}
