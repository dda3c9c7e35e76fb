import type { Notification } from '../../../core/alert.ts';
import { Secret } from '../../../core/secret.ts';
import { type DurationMs, type EpochMs, OK, type Outcome } from '../../../core/types.ts';
import type { RefreshingNotifier } from '../channel.ts';
import type { KeyCards } from '../facts.ts';
import { outcomeOf, post, unreached } from '../http.ts';
import { type PostableAlert, alertmanagerAlerts } from './alerts.ts';
import type { AlertmanagerConfig } from './config.ts';

const WHO = 'Alertmanager';
const BATCH_MAX = 500;

type Deps = {
  readonly name: string;
  readonly now: () => EpochMs;
  readonly cards?: KeyCards | undefined;
  readonly onProblem: (message: string) => void;
};

/**
 * Pushes to the v2 API of Alertmanager, as Prometheus does: to every instance, since they share no alerts but only
 * what was told; and again every minute while it lasts, since Alertmanager forgets what nobody pushes.
 */
export class AlertmanagerNotifier implements RefreshingNotifier {
  readonly name: string;
  readonly refreshMs: DurationMs = 60_000;
  readonly #config: AlertmanagerConfig;
  readonly #deps: Deps;
  /** Instances that did not take the last push: told once, not every minute. */
  readonly #away = new Set<string>();

  constructor(config: AlertmanagerConfig, deps: Deps) {
    this.name = deps.name;
    this.#config = config;
    this.#deps = deps;
  }

  async notify(notification: Notification, signal: AbortSignal): Promise<Outcome> {
    return this.#push(alertmanagerAlerts(notification, this.#context()), signal);
  }

  async refresh(open: readonly Notification[], signal: AbortSignal): Promise<Outcome> {
    const context = this.#context();
    const alerts = open.flatMap((notification) => alertmanagerAlerts(notification, context));
    for (let from = 0; from < alerts.length; from += BATCH_MAX) {
      const outcome = await this.#push(alerts.slice(from, from + BATCH_MAX), signal);
      if (!outcome.ok) return outcome;
    }
    return OK;
  }

  #context() {
    return { now: this.#deps.now(), labels: this.#config.labels, cards: this.#deps.cards };
  }

  async #push(alerts: readonly PostableAlert[], signal: AbortSignal): Promise<Outcome> {
    if (alerts.length === 0) return OK;
    const body = JSON.stringify(alerts);
    const outcomes = await Promise.all(this.#config.urls.map((url) => this.#pushTo(url, body, signal)));
    const failures = outcomes.flatMap((outcome) => (outcome.ok ? [] : [outcome]));
    // The instances tell each other what they sent: one that has it is enough. If none has, one that may take it later decides.
    if (failures.length === outcomes.length) return failures.find(({ retryable }) => retryable) ?? failures[0] ?? OK;
    return OK;
  }

  async #pushTo(url: string, body: string, signal: AbortSignal): Promise<Outcome> {
    const { token, basicAuth, timeout, ca } = this.#config;
    const secrets = [...(token === undefined ? [] : [token]), ...(basicAuth === undefined ? [] : [basicAuth.password])];
    const authorization =
      token !== undefined
        ? `Bearer ${token.reveal()}`
        : basicAuth !== undefined
          ? `Basic ${Buffer.from(`${basicAuth.user}:${basicAuth.password.reveal()}`).toString('base64')}`
          : undefined;
    const headers = { 'content-type': 'application/json', ...(authorization === undefined ? {} : { authorization }) };
    let outcome: Outcome;
    try {
      const address = new Secret(`${url.replace(/\/+$/, '')}/api/v2/alerts`);
      outcome = outcomeOf(await post({ url: address, headers, body, timeoutMs: timeout, signal, ca }), { who: WHO, now: this.#deps.now(), secrets });
    } catch (error) {
      outcome = unreached(WHO, error);
    }
    this.#tell(new URL(url).host, outcome);
    return outcome;
  }

  #tell(host: string, outcome: Outcome): void {
    if (outcome.ok) this.#away.delete(host);
    else if (this.#config.urls.length > 1 && !this.#away.has(host)) {
      this.#away.add(host);
      this.#deps.onProblem(`${this.name}: ${host} does not take alerts: ${outcome.reason}`);
    }
  }
}
