import { LatencyHistogram, latencyBucket } from '../core/sketch/latency.ts';
import type { PartitionProgress } from '../core/ports.ts';
import type { DurationMs, EpochMs } from '../core/types.ts';
import { MINUTE_MS } from '../core/window.ts';

/** How far behind its newest event a file is trusted to be complete while it is read. */
export const LATENESS_MS: DurationMs = MINUTE_MS;
export const LATENESS_MIN_MS: DurationMs = 5_000;
export const LATENESS_MAX_MS: DurationMs = 15 * MINUTE_MS;
/** A partition that is not at its end and delivers nothing for so long does not hold the others back. */
export const IDLE_AFTER_MS: DurationMs = 5 * MINUTE_MS;
/** Delays per half of the memory that the lateness is taken from, and how long a half is filled at most. */
const DELAYS_PER_HALF = 10_000;
const HALF_MS: DurationMs = 10 * MINUTE_MS;

export type WatermarkOptions = {
  /** While reading; default a minute. */
  readonly lateness?: DurationMs | undefined;
  /** At the end of a file that is followed live, clamped to [5 s, 15 min]; default `lateness`. */
  readonly followLateness?: DurationMs | undefined;
  readonly idleAfter?: DurationMs | undefined;
};

/**
 * Events before it are complete, as far as one can know: the minimum over partitions of the newest event time
 * (never beyond now) less the lateness, or of now less the lateness for a partition at its end, or of when it was
 * last complete. Undefined while a partition that was just assigned has shown nothing yet, or where there is none: then
 * nothing may be closed.
 */
export function watermarkOf(
  partitions: Iterable<Pick<PartitionProgress, 'newest' | 'isAtEnd' | 'heardAt' | 'completeAt'>>,
  now: EpochMs,
  options: WatermarkOptions = {},
): EpochMs | undefined {
  const lateness = options.lateness ?? LATENESS_MS;
  const followLateness = options.followLateness === undefined ? lateness : clampLateness(options.followLateness);
  const idleAfter = options.idleAfter ?? IDLE_AFTER_MS;
  let watermark: EpochMs | undefined;
  for (const { newest, isAtEnd, heardAt, completeAt = Number.NEGATIVE_INFINITY } of partitions) {
    let own = now - followLateness;
    if (!isAtEnd && now - heardAt < idleAfter) {
      const read = newest === 0 ? Number.NEGATIVE_INFINITY : Math.min(newest, now) - lateness;
      own = Math.max(read, Math.min(completeAt, now) - followLateness);
      if (own === Number.NEGATIVE_INFINITY) return undefined;
    }
    watermark = watermark === undefined ? own : Math.min(watermark, own);
  }
  return watermark;
}

export function clampLateness(ms: DurationMs): DurationMs {
  return Math.min(LATENESS_MAX_MS, Math.max(LATENESS_MIN_MS, ms));
}

/** How late events of partitions at their end arrive: the lateness that covers 99 of 100, from the last ten to twenty thousand or minutes. */
export class Delays {
  #present = new LatencyHistogram();
  #past = new LatencyHistogram();
  #count = 0;
  #began: EpochMs | undefined;

  /** At `now` it was seen that `count` events were read `delayMs` after they happened; a clock that is ahead of ours counts as no delay. */
  add(delayMs: DurationMs, now: EpochMs, count = 1): void {
    this.#began ??= now;
    if (this.#count >= DELAYS_PER_HALF || now - this.#began >= HALF_MS) {
      this.#past = this.#present;
      this.#present = new LatencyHistogram();
      this.#count = 0;
      this.#began = now;
    }
    this.#present.add(latencyBucket(Math.max(0, Math.round(delayMs))), count);
    this.#count += count;
  }

  /** Within [5 s, 15 min]; 5 s before anything was seen. */
  lateness(): DurationMs {
    const all = new LatencyHistogram();
    all.merge(this.#past);
    all.merge(this.#present);
    return clampLateness(all.quantile(0.99) ?? LATENESS_MIN_MS);
  }
}
