import type { Notification } from '../../../core/alert.ts';
import type { Clock } from '../../../core/clock.ts';
import type { Notifier } from '../../../core/ports.ts';
import { type EpochMs, OK, type Outcome, failed } from '../../../core/types.ts';

export type Attempt = { readonly at: EpochMs; readonly notification: Notification; readonly outcome: Outcome | 'hangs' | 'throws' };
type Answer = Outcome | 'hangs' | 'throws';

/** A channel that answers as it is told and remembers what it was given. */
export class ScriptedNotifier implements Notifier {
  readonly name: string;
  readonly attempts: Attempt[] = [];
  readonly #clock: Clock;
  /** Answers to come; when none is left, `answer`. */
  readonly script: Answer[] = [];
  answer: Answer | ((notification: Notification) => Answer) = OK;

  constructor(name: string, clock: Clock) {
    this.name = name;
    this.#clock = clock;
  }

  async notify(notification: Notification, signal: AbortSignal): Promise<Outcome> {
    const outcome = this.script.shift() ?? (typeof this.answer === 'function' ? this.answer(notification) : this.answer);
    this.attempts.push({ at: this.#clock.now(), notification, outcome });
    if (outcome === 'throws') throw new TypeError('https://hooks.example/secret-token is not a URL');
    if (outcome !== 'hangs') return outcome;
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    return failed('aborted', true);
  }

  /** What arrived, as `kind label` or `kind`. */
  get arrived(): readonly string[] {
    return this.attempts.filter(({ outcome }) => typeof outcome === 'object' && outcome.ok).map(({ notification }) => describeNotification(notification));
  }
}

export function describeNotification({ kind, incident }: Notification): string {
  return incident === undefined ? kind : `${kind} ${incident.label}`;
}
