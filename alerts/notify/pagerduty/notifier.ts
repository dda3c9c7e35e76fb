import type { Notification } from '../../../core/alert.ts';
import type { Notifier } from '../../../core/ports.ts';
import { Secret } from '../../../core/secret.ts';
import { type EpochMs, OK, type Outcome } from '../../../core/types.ts';
import type { KeyCards } from '../facts.ts';
import { outcomeOf, post, unreached } from '../http.ts';
import type { PagerdutyConfig } from './config.ts';
import { pagerdutyEvent } from './event.ts';

const WHO = 'PagerDuty';

/** Sends events of the PagerDuty Events API v2: one PagerDuty incident for each of ours, known by its id. */
export class PagerdutyNotifier implements Notifier {
  readonly name: string;
  /** Acknowledging here acknowledges there. */
  readonly hasThreads = true;
  readonly #config: PagerdutyConfig;
  readonly #deps: { readonly now: () => EpochMs; readonly cards?: KeyCards | undefined };

  constructor(config: PagerdutyConfig, deps: { readonly name: string; readonly now: () => EpochMs; readonly cards?: KeyCards | undefined }) {
    this.name = deps.name;
    this.#config = config;
    this.#deps = deps;
  }

  async notify(notification: Notification, signal: AbortSignal): Promise<Outcome> {
    const { routingKey, url, timeout, ca } = this.#config;
    const event = pagerdutyEvent(notification, this.#deps.cards);
    if (event === undefined) return OK;
    const body = JSON.stringify({ routing_key: routingKey.reveal(), ...event });
    try {
      const answer = await post({
        url: new Secret(new URL('/v2/enqueue', url).href),
        headers: { 'content-type': 'application/json' },
        body,
        timeoutMs: timeout,
        signal,
        ca,
      });
      return outcomeOf(answer, { who: WHO, now: this.#deps.now(), secrets: [routingKey], said: messageOf(answer.body) });
    } catch (error) {
      return unreached(WHO, error);
    }
  }
}

/** `{"status":"invalid event","message":"…","errors":[…]}`: its errors say what is wrong. */
function messageOf(body: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== 'object' || parsed === null) return undefined;
    const errors = 'errors' in parsed && Array.isArray(parsed.errors) ? parsed.errors.filter((error: unknown) => typeof error === 'string') : [];
    const message = 'message' in parsed && typeof parsed.message === 'string' ? parsed.message : '';
    return [message, ...errors].join(' ');
  } catch {
    return undefined;
  }
}
