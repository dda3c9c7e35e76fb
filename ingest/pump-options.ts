import type { Clock } from '../core/clock.ts';
import type { DeadLetters, EventSource, MetricStore, PartialBus } from '../core/ports.ts';
import type { DurationMs, EpochMs, Offset } from '../core/types.ts';
import type { IngestLimits, PartitionIngestOptions, Steps } from './ingest-options.ts';
import type { CellPool } from './parallel/cell-pool.ts';
import type { DetectOptions } from './parse/detect.ts';
import type { Normaliser } from './parse/normaliser.ts';

export type PumpOptions = {
  readonly segmentBytes: number;
  readonly detect: DetectOptions;
  readonly limits: IngestLimits;
  /** While records come, the store is written at least this often. */
  readonly flushMs: DurationMs;
  /** One per partition: its numbers belong to that partition's open segment. */
  readonly normaliser: () => Normaliser;
  /**
   * How much of a partition may be on its way to the store and the judge before it is paused. 0 batches (default):
   * reading waits for every one, as an embedded store wants. More: store and bus are shared with other processes.
   */
  readonly unackedBatches?: number | undefined;
  /** Default 64 MiB. */
  readonly unackedBytes?: number | undefined;
  /** A batch of a shared store is sent at the latest when it has about so many rows; default 100,000. */
  readonly rowsMax?: number | undefined;
  /** Rows that cross one are told at once; default none is. */
  readonly steps?: Steps | undefined;
  /** Where histograms and tallies are kept; default per window. */
  readonly sketches?: PartitionIngestOptions['sketches'] | undefined;
};

export type PumpDeps = {
  readonly source: EventSource;
  readonly store: MetricStore;
  readonly bus: PartialBus;
  readonly clock: Clock;
  /** Threads for a backlog of many segments; without it everything is counted on this one. */
  readonly pool?: CellPool | undefined;
  /** Where rejected records go; without it they are only counted. */
  readonly deadLetters?: DeadLetters | undefined;
  /** One clear line: what, where, what to do. */
  readonly onProblem: (message: string) => void;
  /** Stored with every partition: which configured source found it. */
  readonly origin: string;
};

/** What a person or the judge wants to know of one partition. */
export type PartitionState = {
  readonly name: string;
  readonly label: string;
  readonly format: string;
  /** What the format shows: rules on other fields are blind here. */
  readonly visible: ReadonlySet<string>;
  /** Everything before is stored and with the judge. */
  readonly next: Offset;
  readonly newest: EpochMs;
  /** Nothing more to read right now. */
  readonly isAtEnd: boolean;
  readonly sizeBytes: number | undefined;
  readonly lastBlockAt: EpochMs;
  /** As the store knows it: its source, and its number among the source's partitions. */
  readonly sourceId: number;
  readonly number: number;
  /** What `sourceId` was allocated for: a topic, or the partition itself. */
  readonly sourceName: string;
  /** Its format is unknown, so nothing of it is read. */
  readonly isRefused: boolean;
  /** How long ago the first record of the open segment was read; undefined while there is none. */
  readonly segmentAgeMs: DurationMs | undefined;
  /** On the way to the store and the judge. */
  readonly unackedBatches: number;
  readonly unackedBytes: number;
  /** Why the store refuses it, while it does. */
  readonly trouble: string | undefined;
};
