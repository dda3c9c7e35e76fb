import { type FetchFunction, IncomingWebhook, IncomingWebhookHTTPError, IncomingWebhookRequestError } from '@slack/webhook';
import type { Notification } from '../../../core/alert.ts';
import type { Notifier } from '../../../core/ports.ts';
import type { Secret } from '../../../core/secret.ts';
import { type DurationMs, type EpochMs, OK, type Outcome } from '../../../core/types.ts';
import type { KeyCards } from '../facts.ts';
import { type HttpAnswer, outcomeOf, post, unreached } from '../http.ts';
import { slackMessage } from './message.ts';

const WHO = 'Slack';

/** Posts to a Slack incoming webhook (or to what speaks like one). It never retries by itself: the outbox does. */
export class SlackWebhookNotifier implements Notifier {
  readonly name: string;
  readonly #config: WebhookConfig;
  readonly #now: () => EpochMs;
  readonly #cards: KeyCards | undefined;

  /** `now` reads a Retry-After that is a date. */
  constructor(config: WebhookConfig, deps: { readonly name: string; readonly now: () => EpochMs; readonly cards?: KeyCards | undefined }) {
    this.name = deps.name;
    this.#config = config;
    this.#now = deps.now;
    this.#cards = deps.cards;
  }

  async notify(notification: Notification, signal: AbortSignal): Promise<Outcome> {
    const { webhookUrl, timeout, ca } = this.#config;
    let answer: HttpAnswer | undefined;
    // The library shows neither headers nor a signal, but takes a fetch: ours sees both. One client per message, since it keeps nothing open.
    const fetchFn: FetchFunction = async (_url, init) => {
      const headers = init?.headers ?? {};
      answer = await post({ url: webhookUrl, headers, body: typeof init?.body === 'string' ? init.body : '', timeoutMs: timeout, signal, ca });
      const { status, body } = answer;
      return {
        ok: status >= 200 && status < 300,
        status,
        statusText: '',
        url: '',
        headers: new Headers(),
        text: async () => body,
        json: async () => undefined,
        arrayBuffer: async () => new ArrayBuffer(0),
      };
    };
    const meaning = { who: WHO, now: this.#now(), secrets: [webhookUrl] };
    try {
      await new IncomingWebhook(webhookUrl.reveal(), { timeout, fetch: fetchFn }).send(
        slackMessage(notification, { mention: this.#config.mention, cards: this.#cards }),
      );
      return OK;
    } catch (error) {
      if (error instanceof IncomingWebhookHTTPError && answer !== undefined) return outcomeOf(answer, meaning);
      if (error instanceof IncomingWebhookRequestError) return unreached(WHO, error.original);
      throw error;
    }
  }
}

export type WebhookConfig = {
  readonly webhookUrl: Secret;
  readonly mention: readonly string[];
  readonly timeout: DurationMs;
  readonly ca?: string | undefined;
};
