import type { PartialBatch } from '../../core/partial.ts';
import type { PartitionHead, PartitionProgress } from '../../core/ports.ts';
import type { DurationMs, EpochMs } from '../../core/types.ts';
import { HOUR_MS } from '../../core/window.ts';

/** Processes speak about every second. One that was not heard for so long may not be at the end of its partitions any more. */
export const TRUST_MS: DurationMs = 10_000;
/** A partition that no process spoke of for so long is reported: it holds the judging of everything back. */
export const UNHEARD_WARN_MS: DurationMs = 120_000;
/** After this it holds nothing back any more: its events are judged as late ones when they come. */
export const UNHEARD_MAX_MS: DurationMs = 15 * 60_000;
/** A partition of which nothing came for so long before this process started may be gone for good: a topic that was given up, a file that was rotated away. */
const STALE_MS: DurationMs = HOUR_MS;
/** What a process says it published and what never comes over the bus is not waited for longer. */
export const BUS_LAG_MAX_MS: DurationMs = 120_000;

type Known = {
  progress: PartitionProgress;
  /** Newest event time of what came over the bus, or was stored when this began. */
  received: EpochMs;
  /** Since when more was said to be published than was received. */
  behindSince: EpochMs | undefined;
  /** Some process spoke of it since the start. */
  isHeard: boolean;
};

/**
 * How far all partitions are, as their processes say over the bus. What the store knows and nobody spoke of yet holds
 * the watermark back, since its events may not be counted; so does what was published and is still on its way.
 */
export class ProgressTable {
  readonly #partitions = new Map<string, Known>();

  /** What the store knows at the start. */
  know(heads: readonly PartitionHead[], now: EpochMs): void {
    for (const { segment, newest } of heads) this.#receive(segment, newest, now);
  }

  /** A batch has reached the judge. */
  receive(batch: Pick<PartialBatch, 'segment' | 'newest'>, now: EpochMs): void {
    this.#receive(batch.segment, batch.newest, now);
  }

  /** A process lives and says how far it is: its silence about a partition, not the partition's own, is what counts. */
  hear(partitions: readonly PartitionProgress[], now: EpochMs): void {
    for (const progress of partitions) {
      const name = nameOf(progress);
      const known = this.#partitions.get(name) ?? { progress, received: 0, behindSince: undefined, isHeard: true };
      known.isHeard = true;
      // After a rebalance the next process may not know yet how far the one before was.
      known.progress = { ...progress, newest: Math.max(progress.newest, known.progress.newest), heardAt: now };
      known.behindSince = known.progress.newest > known.received ? (known.behindSince ?? now) : undefined;
      this.#partitions.set(name, known);
    }
  }

  *all(now: EpochMs): Generator<PartitionProgress> {
    for (const known of this.#partitions.values()) {
      const { progress, received, behindSince } = known;
      if (isGone(known, now)) continue;
      const isOnItsWay = behindSince !== undefined && now - behindSince < BUS_LAG_MAX_MS;
      if (isOnItsWay) yield { ...withoutComplete(progress), newest: received, isAtEnd: false };
      else yield now - progress.heardAt < TRUST_MS ? progress : { ...progress, isAtEnd: false };
    }
  }

  /** Partitions that hold the watermark back because nobody reads them. */
  unheard(now: EpochMs): readonly PartitionProgress[] {
    return [...this.#partitions.values()]
      .filter((known) => !isGone(known, now) && now - known.progress.heardAt > UNHEARD_WARN_MS)
      .map(({ progress }) => progress);
  }

  #receive({ source, partition }: Pick<PartitionProgress, 'source' | 'partition'>, newest: EpochMs, now: EpochMs): void {
    const name = nameOf({ source, partition });
    const time = Number.isFinite(newest) ? newest : 0;
    const known = this.#partitions.get(name);
    if (known === undefined) {
      const progress = { source, partition, newest: time, isAtEnd: false, heardAt: now };
      this.#partitions.set(name, { progress, received: time, behindSince: undefined, isHeard: false });
      return;
    }
    known.received = Math.max(known.received, time);
    if (known.progress.newest <= known.received) known.behindSince = undefined;
  }
}

/** Processes that start together with this one have spoken long before. */
function isGone({ isHeard, progress: { heardAt, newest } }: Known, now: EpochMs): boolean {
  return !isHeard && now - heardAt > UNHEARD_WARN_MS && newest < heardAt - STALE_MS;
}

function withoutComplete({ completeAt: _, ...progress }: PartitionProgress): PartitionProgress {
  return progress;
}

function nameOf({ source, partition }: Pick<PartitionProgress, 'source' | 'partition'>): string {
  return `${source}.${partition}`;
}
