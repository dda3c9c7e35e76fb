import type { PartitionHead, PartitionProgress } from '../../core/ports.ts';
import type { DurationMs, EpochMs } from '../../core/types.ts';

/** A partition that no process spoke of for so long is reported: it holds the judging of everything back. */
export const UNHEARD_WARN_MS: DurationMs = 120_000;
/** After this it holds nothing back any more: its events are judged as late ones when they come. */
export const UNHEARD_MAX_MS: DurationMs = 15 * 60_000;

/**
 * How far all partitions are, as their processes say over the bus. What the store knows and nobody spoke of yet holds
 * the watermark back, since its events may not be counted.
 */
export class ProgressTable {
  readonly #partitions = new Map<string, PartitionProgress>();

  /** What the store knows at the start. */
  know(heads: readonly PartitionHead[], now: EpochMs): void {
    for (const { segment, newest } of heads) {
      const name = nameOf(segment.source, segment.partition);
      if (!this.#partitions.has(name))
        this.#partitions.set(name, {
          source: segment.source,
          partition: segment.partition,
          newest: Number.isFinite(newest) ? newest : 0,
          isAtEnd: false,
          heardAt: now,
        });
    }
  }

  /** A process lives and says how far it is: its silence about a partition, not the partition's own, is what counts. */
  hear(partitions: readonly PartitionProgress[], now: EpochMs): void {
    for (const progress of partitions) {
      const name = nameOf(progress.source, progress.partition);
      const newest = Math.max(progress.newest, this.#partitions.get(name)?.newest ?? 0);
      this.#partitions.set(name, { ...progress, newest, heardAt: now });
    }
  }

  all(): Iterable<PartitionProgress> {
    return this.#partitions.values();
  }

  /** Partitions that hold the watermark back because nobody reads them. */
  unheard(now: EpochMs): readonly PartitionProgress[] {
    return [...this.#partitions.values()].filter(({ heardAt }) => now - heardAt > UNHEARD_WARN_MS);
  }
}

function nameOf(source: number, partition: number): string {
  return `${source}.${partition}`;
}
