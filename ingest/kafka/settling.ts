import type { Clock } from '../../core/clock.ts';
import type { DurationMs } from '../../core/types.ts';
import type { AssignedPartition } from './assigned-partition.ts';
import { faultOf } from './fault.ts';
import type { Committed, LogReader } from './log-reader.ts';
import type { FoundPlace, PlaceFinder } from './place-finder.ts';

export type SettlingDeps = {
  readonly clock: Clock;
  readonly reader: LogReader;
  readonly finder: PlaceFinder;
  readonly onProblem: (message: string) => void;
  readonly isLate: (topic: string) => boolean;
  /** Whether anybody still wants to know. */
  readonly isCurrent: (partition: AssignedPartition, turn: number) => boolean;
  readonly onSettled: (partition: AssignedPartition, found: FoundPlace) => void;
};

/** Finds out where the partitions of a topic go on, asking until brokers and store have answered for each that is still wanted. */
export class Settling {
  readonly #options: { readonly group: string; readonly retryMs: DurationMs };
  readonly #deps: SettlingDeps;

  constructor(options: { readonly group: string; readonly retryMs: DurationMs }, deps: SettlingDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  async begin(topic: string, turns: Map<AssignedPartition, number>, signal: AbortSignal): Promise<void> {
    const { clock, onProblem, isCurrent } = this.#deps;
    for (let isTold = false; !signal.aborted;) {
      for (const [partition, turn] of turns) if (!isCurrent(partition, turn)) turns.delete(partition);
      if (turns.size === 0) return;
      try {
        await this.#ask(topic, turns);
        if (turns.size === 0) return;
      } catch (error) {
        if (!isTold && !signal.aborted) onProblem(`topic ${topic}: where to go on cannot be found out yet: ${faultOf(error).reason}`);
        isTold = true;
      }
      await clock.sleep(this.#options.retryMs, signal);
    }
  }

  /** Takes out of `turns` what is settled. A partition that the brokers do not have stays: its topic is being made, or was deleted. */
  async #ask(topic: string, turns: Map<AssignedPartition, number>): Promise<void> {
    const { reader, finder, isLate, isCurrent, onSettled } = this.#deps;
    const ranges = await reader.ranges(topic);
    const numbers = [...turns.keys()].map(({ number }) => number).filter((number) => ranges.has(number));
    const committed: ReadonlyMap<number, Committed> = numbers.length === 0 ? new Map() : await reader.committed(this.#options.group, topic, numbers);
    const state = { ranges, committed };
    for (const [partition, turn] of turns) {
      const found = partition.isAnnounced ? await finder.check(partition, state) : await finder.find(partition, state, isLate(topic));
      if (found === undefined || !isCurrent(partition, turn)) continue;
      onSettled(partition, found);
      turns.delete(partition);
    }
  }
}
