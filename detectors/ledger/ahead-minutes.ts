import type { Minute } from '../../core/types.ts';

/** More than a clock that is wrong makes; a clock that is everywhere else makes any number. */
const MINUTES_MAX = 1024;

/** Minutes of which rows came so long before their time that they were left out. Of too many the nearest are remembered. */
export class AheadMinutes {
  readonly #minutes = new Set<Minute>();

  has(minute: Minute): boolean {
    return this.#minutes.has(minute);
  }

  add(minute: Minute): void {
    if (this.#minutes.has(minute)) return;
    if (this.#minutes.size >= MINUTES_MAX) {
      const farthest = Math.max(...this.#minutes);
      if (minute > farthest) return;
      this.#minutes.delete(farthest);
    }
    this.#minutes.add(minute);
  }

  /** This minute and all before it are over. */
  forget(minute: Minute): void {
    if (this.#minutes.size === 0) return;
    for (const known of this.#minutes) if (known <= minute) this.#minutes.delete(known);
  }
}
