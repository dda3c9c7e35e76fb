import type { DurationMs } from '../core/types.ts';

/** Lets `burst` messages through at once and `perSecond` in the long run. Time is given, in monotonic milliseconds. */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #filledAt: DurationMs | undefined;

  constructor(config: { readonly perSecond: number; readonly burst: number }) {
    this.#perMs = config.perSecond / 1000;
    this.#burst = config.burst;
    this.#tokens = config.burst;
  }

  /** Takes a token and returns 0, or returns how long to wait for one. */
  take(at: DurationMs): DurationMs {
    const passed = this.#filledAt === undefined ? 0 : Math.max(0, at - this.#filledAt);
    this.#filledAt = at;
    this.#tokens = Math.min(this.#burst, this.#tokens + passed * this.#perMs);
    // Rounding must not make a caller who waited exactly long enough wait again.
    if (this.#tokens >= 1 - 1e-9) {
      this.#tokens -= 1;
      return 0;
    }
    return Math.ceil((1 - this.#tokens) / this.#perMs);
  }
}
