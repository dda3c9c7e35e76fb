import type { Clock } from '../../../core/clock.ts';

type Waiting = { readonly at: number; readonly wake: () => void };

/**
 * A wall clock on which waiting costs nothing: time jumps to whoever waits least, as soon as everything that can
 * happen without time has had a turn. Sockets are real and get their turns, too.
 */
export class StepClock implements Clock {
  #now: number;
  readonly #started: number;
  readonly #waiting: Waiting[] = [];
  #isStepping = false;

  constructor(now: number) {
    this.#now = now;
    this.#started = now;
  }

  now(): number {
    return Math.round(this.#now);
  }

  monotonic(): number {
    return this.#now - this.#started;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const entry = { at: this.#now + ms, wake: () => resolve() };
      this.#waiting.push(entry);
      signal.addEventListener(
        'abort',
        () => {
          const index = this.#waiting.indexOf(entry);
          if (index >= 0) this.#waiting.splice(index, 1);
          resolve();
        },
        { once: true },
      );
      this.#step();
    });
  }

  #step(): void {
    if (this.#isStepping) return;
    this.#isStepping = true;
    setImmediate(() => {
      this.#isStepping = false;
      let next: Waiting | undefined;
      for (const entry of this.#waiting) if (next === undefined || entry.at < next.at) next = entry;
      if (next === undefined) return;
      this.#waiting.splice(this.#waiting.indexOf(next), 1);
      this.#now = Math.max(this.#now, next.at);
      next.wake();
      this.#step();
    });
  }
}
