import type { Clock } from '../core/clock.ts';
import type { DurationMs, EpochMs } from '../core/types.ts';
import { DAY_MS } from '../core/window.ts';

/** How fast time runs while the wall clock is behind it: an hour is made up for in four, and a wait is a third longer at most. */
const SLEWED = 0.75;

/** A clock that was further ahead was plainly wrong, and is not made up for. */
const AHEAD_MAX_MS: DurationMs = DAY_MS;

/**
 * The wall clock for timers: it never goes back. When the wall clock is put back it goes on from where it was, a little
 * slower until the wall clock is there. Timers are stored as wall clock times: otherwise all of them would stand still
 * for as long as the clock was put back, a first notice among them.
 */
export class SteadyClock implements Clock {
  readonly #clock: Clock;
  #now: EpochMs;
  #readAt: DurationMs;

  /** `floor`: no time before it, what a process before this one has seen. */
  constructor(clock: Clock, floor: EpochMs) {
    this.#clock = clock;
    const wall = clock.now();
    this.#now = floor - wall > AHEAD_MAX_MS ? wall : Math.max(wall, floor);
    this.#readAt = clock.monotonic();
  }

  now(): EpochMs {
    const monotonic = this.#clock.monotonic();
    const passed = (monotonic - this.#readAt) * SLEWED;
    const wall = this.#clock.now();
    // Whole milliseconds, and what is left over counts the next time.
    const slewed = this.#now + Math.floor(passed);
    if (wall >= slewed || slewed - wall > AHEAD_MAX_MS) {
      this.#now = wall;
      this.#readAt = monotonic;
    } else if (slewed > this.#now) {
      this.#readAt += Math.floor(passed) / SLEWED;
      this.#now = slewed;
    }
    return this.#now;
  }

  monotonic(): DurationMs {
    return this.#clock.monotonic();
  }

  sleep(ms: DurationMs, signal: AbortSignal): Promise<void> {
    return this.#clock.sleep(ms, signal);
  }
}
