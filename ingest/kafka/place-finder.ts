import type { PartitionHead } from '../../core/ports.ts';
import type { Offset } from '../../core/types.ts';
import type { AssignedPartition } from './assigned-partition.ts';
import { type Landmark, landmarkOf, lookAt } from './boundary.ts';
import type { Committed, LogRange, LogReader } from './log-reader.ts';
import { type Boundary, type Place, planPlace } from './place.ts';
import { type StartPosition, formatStart, parseStart, startAt, startPosition } from './start-position.ts';

export type PlaceFinderDeps = {
  readonly reader: LogReader;
  readonly head: (source: string, partition: number) => Promise<PartitionHead | undefined>;
  readonly generation: () => Promise<number>;
  /** Stores `value` under `name` unless there is one; returns what is stored then. */
  readonly claim: (name: string, value: string) => Promise<string>;
  readonly onProblem: (message: string) => void;
};

/** Of one topic, as it was a moment ago. */
export type TopicState = { readonly ranges: ReadonlyMap<number, LogRange>; readonly committed: ReadonlyMap<number, Committed> };

export type FoundPlace = {
  readonly place: Place;
  readonly generation: number;
  readonly landmark: Landmark | undefined;
  readonly end: Offset;
  /** Everything before is stored, or was read. */
  readonly acked: Offset;
};

/** In the metadata of our own commits. */
const MARK = 'keywatch';

export function commitMark(generation: number): string {
  return `${MARK} ${generation}`;
}

/** Asks the store and the brokers, and lets `planPlace` decide. Throws when they cannot answer. */
export class PlaceFinder {
  readonly #options: { readonly startFrom: 'earliest' | 'latest'; readonly group: string };
  readonly #deps: PlaceFinderDeps;
  readonly #starts = new Map<string, StartPosition>();
  readonly #strays = new Set<string>();

  constructor(options: { readonly startFrom: 'earliest' | 'latest'; readonly group: string }, deps: PlaceFinderDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** For a partition that was just assigned; undefined while the brokers do not have it. `isLate`: its topic was not there when this process looked first. */
  async find(partition: AssignedPartition, state: TopicState, isLate: boolean): Promise<FoundPlace | undefined> {
    const range = state.ranges.get(partition.number);
    if (range === undefined) return undefined;
    const { source, number } = partition;
    const [generation, head] = await Promise.all([this.#deps.generation(), this.#deps.head(source, number)]);
    const landmark = landmarkOf(head);
    const start = await this.#start(source, isLate ? 'earliest' : this.#options.startFrom, state.ranges);
    const place = planPlace({
      head,
      generation,
      logStart: range.start,
      logEnd: range.end,
      boundary: await this.#look(partition, landmark, range),
      startAt: startAt(start, number),
    });
    this.#reportStray(partition, state.committed.get(number), place);
    return { place, generation, landmark, end: range.end, acked: head?.next ?? range.start };
  }

  /** For a partition that is being read: whether its log is still the one that was read, and still has what comes next. */
  async check(partition: AssignedPartition, state: TopicState): Promise<FoundPlace | undefined> {
    const range = state.ranges.get(partition.number);
    if (range === undefined) return undefined;
    const { landmark, generation, delivered, number } = partition;
    // As if a segment had just ended where reading stopped.
    const head: PartitionHead = {
      segment: { source: 0, partition: number, generation, start: landmark?.offset ?? delivered },
      next: delivered,
      isSealed: true,
      rejects: {},
      dropped: 0,
      records: 0,
      newest: 0,
    };
    const boundary = await this.#look(partition, landmark, range);
    const place = planPlace({ head, generation, logStart: range.start, logEnd: range.end, boundary, startAt: undefined });
    return { place, generation, landmark, end: range.end, acked: delivered };
  }

  async #look({ topic, number }: AssignedPartition, landmark: Landmark | undefined, range: LogRange): Promise<Boundary> {
    if (landmark !== undefined && (landmark.offset < range.start || landmark.offset >= range.end)) return 'unreadable';
    return lookAt(this.#deps.reader, { topic, partition: number }, landmark);
  }

  async #start(source: string, from: 'earliest' | 'latest', ranges: ReadonlyMap<number, LogRange>): Promise<StartPosition> {
    const known = this.#starts.get(source);
    if (known !== undefined) return known;
    const start = parseStart(await this.#deps.claim(`start:${source}`, formatStart(startPosition(from, ranges))));
    this.#starts.set(source, start);
    return start;
  }

  /** Somebody else moved the group's offset, or kafkajs reset it. Our own older commit only lags behind. */
  #reportStray(partition: AssignedPartition, committed: Committed | undefined, place: Place): void {
    if (committed === undefined || place.kind === 'halt' || committed.offset === place.from || committed.metadata.startsWith(MARK)) return;
    const key = `${partition.name}@${committed.offset}`;
    if (this.#strays.has(key)) return;
    this.#strays.add(key);
    this.#deps.onProblem(
      `topic ${partition.label}: the offset ${committed.offset} that group ${this.#options.group} has committed is not ours and is ignored: counting goes on at ${place.from}, as stored. To count anew from elsewhere, begin a new generation`,
    );
  }
}
