import type { Clock } from '../../core/clock.ts';
import type { Secret } from '../../core/secret.ts';
import type { DurationMs } from '../../core/types.ts';
import { systemReason } from '../cli/errors.ts';

export const DEAD_MAN_EVERY_MS: DurationMs = 60_000;
const DEAD_MAN_TIMEOUT_MS: DurationMs = 10_000;

export type DeadManDeps = {
  /** Whoever has it can keep the far side quiet: it is never shown. */
  readonly url: Secret;
  readonly clock: Clock;
  /** Whether this process judges and gets on with it. While it does not, nothing is sent, and the far side calls people. */
  readonly isAlive: () => boolean;
  readonly onProblem: (message: string) => void;
  readonly onOver: (message: string) => void;
  readonly timeoutMs?: DurationMs;
};

/** Tells a service outside once a minute that Keywatch is alive. Fails loudly once, not every minute. */
export class DeadMan {
  readonly #deps: DeadManDeps;
  #isFailing = false;

  constructor(deps: DeadManDeps) {
    this.#deps = deps;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#deps.isAlive()) await this.ping(signal);
      await this.#deps.clock.sleep(DEAD_MAN_EVERY_MS, signal);
    }
  }

  async ping(signal: AbortSignal): Promise<void> {
    const { url, onProblem, onOver, timeoutMs = DEAD_MAN_TIMEOUT_MS } = this.#deps;
    const reason = await failureOf(url, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]), timeoutMs);
    if (signal.aborted) return;
    if (reason !== undefined && !this.#isFailing) onProblem(`alerts.watch.deadManUrl does not take the sign of life: ${reason}; it is tried every minute`);
    if (reason === undefined && this.#isFailing) onOver('alerts.watch.deadManUrl takes the sign of life again');
    this.#isFailing = reason !== undefined;
  }
}

/** Undefined when it was taken. The address stands in no reason. */
async function failureOf(url: Secret, signal: AbortSignal, timeoutMs: DurationMs): Promise<string | undefined> {
  try {
    const response = await fetch(url.reveal(), { signal, redirect: 'manual', headers: { 'user-agent': 'keywatch' } });
    await response.body?.cancel();
    return response.ok ? undefined : `it answered ${response.status}`;
  } catch (error) {
    if (signal.aborted) return `no answer within ${timeoutMs / 1000} s`;
    return error instanceof Error && error.cause instanceof Error ? systemReason(error.cause) : 'it cannot be reached';
  }
}
