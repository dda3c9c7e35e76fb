import type { Clock } from '../../core/clock.ts';
import type { DurationMs, EpochMs } from '../../core/types.ts';

type Sleeper = { readonly at: EpochMs; readonly resolve: () => void };

/** A clock that moves only when told. Sleepers wake in the order of their times, and whatever they then do is done before time goes on. */
export class VirtualClock implements Clock {
  readonly #origin: EpochMs;
  #now: EpochMs;
  #sleepers: Sleeper[] = [];

  constructor(origin: EpochMs) {
    this.#origin = origin;
    this.#now = origin;
  }

  now(): EpochMs {
    return this.#now;
  }

  monotonic(): DurationMs {
    return this.#now - this.#origin;
  }

  /** How many wait. */
  get sleepers(): number {
    return this.#sleepers.length;
  }

  sleep(ms: DurationMs, signal: AbortSignal): Promise<void> {
    if (signal.aborted || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper: Sleeper = {
        at: this.#now + ms,
        resolve: () => {
          signal.removeEventListener('abort', wake);
          resolve();
        },
      };
      const wake = (): void => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        resolve();
      };
      signal.addEventListener('abort', wake, { once: true });
      this.#sleepers.push(sleeper);
    });
  }

  /** Moves time on, waking everyone whose time comes on the way. */
  async advance(ms: DurationMs): Promise<void> {
    const target = this.#now + ms;
    for (;;) {
      await this.settle();
      const next = this.#sleepers.filter((sleeper) => sleeper.at <= target).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#sleepers = this.#sleepers.filter((other) => other !== next);
      this.#now = next.at;
      next.resolve();
    }
    this.#now = target;
    await this.settle();
  }

  /** Lets everything run that waits for nothing. */
  async settle(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }
}
