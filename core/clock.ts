import { setTimeout as delay } from 'node:timers/promises';
import type { DurationMs, EpochMs } from './types.ts';

/** The only source of time. One evaluation uses one `now`. */
export interface Clock {
  /** Wall clock. */
  now(): EpochMs;
  /** Never goes backwards; only differences mean something. */
  monotonic(): DurationMs;
  /** Resolves after `ms`, or at once when `signal` aborts. Never rejects. */
  sleep(ms: DurationMs, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: async (ms, signal) => {
    if (signal.aborted) return;
    try {
      await delay(ms, undefined, { signal });
    } catch {
      // Aborted: the caller looks at its own signal.
    }
  },
};

/**
 * A clock that runs `speed` times as fast as the real one from `origin` on. The demo replays hours in a
 * minute with it; everything that asks for time gets the same answer.
 */
export function scaledClock(options: { readonly origin: EpochMs; readonly speed: number; readonly base?: Clock }): Clock {
  const base = options.base ?? systemClock;
  const started = base.monotonic();
  return {
    now: () => Math.round(options.origin + (base.monotonic() - started) * options.speed),
    monotonic: () => (base.monotonic() - started) * options.speed,
    sleep: (ms, signal) => base.sleep(ms / options.speed, signal),
  };
}
