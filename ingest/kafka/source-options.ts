import type { Clock } from '../../core/clock.ts';
import type { DurationMs, Offset } from '../../core/types.ts';
import type { KafkaClient } from './client.ts';
import type { LifeTuning } from './consumer-life.ts';
import type { PlaceFinderDeps } from './place-finder.ts';

export type KafkaSourceOptions = {
  /** Names, and patterns for topics that may come and go. */
  readonly topics: readonly (string | RegExp)[];
  readonly group: string;
  /** Of the very first start of all processes; a partition or topic that is found later is read from its beginning. */
  readonly startFrom: 'earliest' | 'latest';
  /** What to do about a record batch that cannot be read. Default halt: its partition waits for a person. */
  readonly onCorrupt?: 'halt' | 'skip';
  readonly tuning?: LifeTuning & {
    /** Fetched and not yet counted, over all partitions; then nothing more is fetched. Default 32 MiB. */
    readonly waitingBytesMax?: number;
    /** What one record batch may unpack to; a larger one cannot be read. Default 64 MiB. */
    readonly unpackedBytesMax?: number;
    /** How often an idle partition says that it is at its end. Default 5 s. */
    readonly idleMs?: DurationMs;
  };
};

/** A batch that was skipped, as it came: sealed by whoever keeps it. */
export type QuarantinedBatch = {
  readonly source: string;
  readonly partition: number;
  readonly baseOffset: Offset;
  readonly lastOffset: Offset;
  readonly why: string;
  readonly bytes: Uint8Array;
};

export type KafkaSourceDeps = Omit<PlaceFinderDeps, 'reader'> & {
  readonly client: KafkaClient;
  readonly clock: Clock;
  readonly quarantine?: (batch: QuarantinedBatch) => Promise<void>;
};
