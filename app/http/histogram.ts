/** Counts by upper bound, as they are shown: plain numbers that anything can keep. */
export type HistogramStats = {
  /** Upper bounds, ascending. */
  readonly bounds: readonly number[];
  /** One per bound and one for what lies above the last; not added up. */
  readonly counts: readonly number[];
  readonly sum: number;
};

/** Seconds from a moment to minutes: delays and durations. */
export const SECONDS_BOUNDS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900];

/** Collects values between two looks at it. */
export class HistogramCells {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  constructor(bounds: readonly number[] = SECONDS_BOUNDS) {
    this.#bounds = bounds;
    this.#counts = new Array<number>(bounds.length + 1).fill(0);
  }

  /** `times`: a whole batch that has one value. */
  add(value: number, times = 1): void {
    let index = 0;
    while (index < this.#bounds.length && value > (this.#bounds[index] ?? 0)) index++;
    this.#counts[index] = (this.#counts[index] ?? 0) + times;
    this.#sum += value * times;
  }

  stats(): HistogramStats {
    return { bounds: this.#bounds, counts: [...this.#counts], sum: this.#sum };
  }
}
