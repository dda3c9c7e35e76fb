import type { Minute } from '../../core/types.ts';

const BINS = 192;

/**
 * Requests over time in at most 192 bins, whatever the length of the log: when an event falls outside, bins are
 * added up in pairs until it fits. Bins are aligned to the epoch, so the order of events does not matter.
 */
export class Series {
  #bins = new Float64Array(0);
  #width = 1;
  #start = 0;

  add(minute: Minute, value: number): void {
    if (this.#bins.length === 0) {
      this.#bins = new Float64Array(BINS);
      this.#start = minute;
    }
    let bin = Math.floor(minute / this.#width) - this.#start;
    while (bin < 0 || bin >= BINS) {
      this.#fit(Math.floor(minute / this.#width));
      bin = Math.floor(minute / this.#width) - this.#start;
    }
    this.#bins[bin] = (this.#bins[bin] as number) + value;
  }

  /** Adds every bin to the bucket that holds its middle. */
  onto(buckets: Float64Array, bucketOf: (minute: number) => number): void {
    for (let i = 0; i < this.#bins.length; i++) {
      const value = this.#bins[i] as number;
      if (value === 0) continue;
      const bucket = bucketOf((this.#start + i + 0.5) * this.#width);
      if (bucket >= 0 && bucket < buckets.length) buckets[bucket] = (buckets[bucket] as number) + value;
    }
  }

  /** Moves the bins when the used ones and the new one fit, else doubles their width. */
  #fit(wanted: number): void {
    let first = BINS;
    let last = -1;
    for (let i = 0; i < BINS; i++) {
      if (this.#bins[i] === 0) continue;
      if (first === BINS) first = i;
      last = i;
    }
    if (last < 0) {
      this.#start = wanted;
      return;
    }
    const from = Math.min(this.#start + first, wanted);
    const to = Math.max(this.#start + last, wanted);
    const moved = new Float64Array(BINS);
    if (to - from < BINS) {
      for (let i = first; i <= last; i++) moved[this.#start + i - from] = this.#bins[i] as number;
      this.#start = from;
    } else {
      const start = Math.floor(this.#start / 2);
      for (let i = 0; i < BINS; i++) {
        const bin = Math.floor((this.#start + i) / 2) - start;
        if (this.#bins[i] !== 0) moved[bin] = (moved[bin] as number) + (this.#bins[i] as number);
      }
      this.#start = start;
      this.#width *= 2;
      this.#bins = moved;
      return;
    }
    this.#bins = moved;
  }
}
