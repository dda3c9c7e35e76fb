import { createHmac, hash } from 'node:crypto';
import type { Notification } from '../../../core/alert.ts';
import type { Notifier } from '../../../core/ports.ts';
import type { EpochMs, Outcome } from '../../../core/types.ts';
import { noticeJson } from '../event.ts';
import { outcomeOf, post, unreached } from '../http.ts';
import { type WebhookConfig, signingKeys } from './config.ts';

const WHO = 'the webhook';

/**
 * Posts in the form of Standard Webhooks: `webhook-id` (stable over repeats, so that a receiver drops a second one),
 * `webhook-timestamp` (of this attempt, so that a receiver may refuse old ones) and `webhook-signature` over both and the body.
 */
export class WebhookNotifier implements Notifier {
  readonly name: string;
  readonly #config: WebhookConfig;
  readonly #now: () => EpochMs;

  constructor(config: WebhookConfig, deps: { readonly name: string; readonly now: () => EpochMs }) {
    this.name = deps.name;
    this.#config = config;
    this.#now = deps.now;
  }

  async notify(notification: Notification, signal: AbortSignal): Promise<Outcome> {
    const { url, secret, timeout, ca } = this.#config;
    const now = this.#now();
    const body = webhookBody(notification);
    const headers = {
      'content-type': 'application/json',
      ...signedHeaders({ id: webhookId(notification.id), at: now, body, keys: signingKeys(secret.reveal()) ?? [] }),
    };
    try {
      return outcomeOf(await post({ url, headers, body, timeoutMs: timeout, signal, ca }), { who: WHO, now, secrets: [url, secret] });
    } catch (error) {
      return unreached(WHO, error);
    }
  }
}

/** `type` names what happened, `data` is the message for programs. */
export function webhookBody(notification: Notification): string {
  const { kind, at } = notification;
  return JSON.stringify({
    type: `keywatch.${notification.incident === undefined ? 'notice' : 'incident'}.${kind}`,
    timestamp: new Date(at).toISOString(),
    data: noticeJson(notification),
  });
}

/** An id as receivers keep it: ours may be long and holds slashes. */
function webhookId(id: string): string {
  return `msg_${hash('sha256', id, 'hex').slice(0, 32)}`;
}

export function signedHeaders(message: {
  readonly id: string;
  readonly at: EpochMs;
  readonly body: string;
  readonly keys: readonly Buffer[];
}): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(message.at / 1000));
  const signatures = message.keys.map((key) => `v1,${createHmac('sha256', key).update(`${message.id}.${timestamp}.${message.body}`).digest('base64')}`);
  return { 'webhook-id': message.id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') };
}
