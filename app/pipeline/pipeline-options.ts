import type { DeskChannel, DeskEvent } from '../../alerts/desk.ts';
import type { Clock } from '../../core/clock.ts';
import type {
  BusReader,
  CommandInbox,
  DeadLetters,
  EventSource,
  Journal,
  LeaseStore,
  MetricStore,
  PartialBus,
  StoredSource,
  WindowStore,
  PartitionPosition,
} from '../../core/ports.ts';
import type { Secret } from '../../core/secret.ts';
import type { EpochMs } from '../../core/types.ts';
import type { MmdbGeo } from '../../ingest/enrich/mmdb-geo.ts';
import type { PumpOptions } from '../../ingest/pump.ts';
import type { Config, ReadingConfig } from '../config/config.ts';
import type { MetricsStats } from '../http/metrics.ts';

/** ingest: records to partials · judge: detects, tells, writes windows; one at a time does · http: takes events from senders. */
export const ROLES = ['ingest', 'judge', 'http'] as const;
export type Role = (typeof ROLES)[number];

export type PipelineSource = {
  readonly reading: ReadingConfig;
  /** Stored with the partitions that it finds. */
  readonly tag: string;
  readonly open: (known: readonly StoredSource[], store: MetricStore) => Promise<EventSource & { positions?(): readonly PartitionPosition[] }>;
  /** How records are moved from here; what is absent is as for files. */
  readonly pump?: Partial<Pick<PumpOptions, 'flushMs' | 'unackedBatches' | 'steps'>>;
  /** Where records go that cannot be read. */
  readonly deadLetters?: (DeadLetters & AsyncDisposable) | undefined;
};

export type StoreStats = NonNullable<MetricsStats['store']>;

/** Where metrics and decisions are kept, opened. */
export type Stores = AsyncDisposable & {
  readonly store: MetricStore;
  readonly journal: Journal;
  /** Where several processes share the store: who of them judges. */
  readonly lease: LeaseStore | undefined;
  /** Where there are dashboards. */
  readonly windows: WindowStore | undefined;
  /** Where people's commands wait for the judge. */
  readonly inbox?: CommandInbox | undefined;
  /** What the store was given so far, where it counts that. */
  stats(): StoreStats | undefined;
  /** Drops what dashboards read and is past its time. Returns the names of what went. */
  retain(now: EpochMs): Promise<readonly string[]>;
};

/** What the processes of an installation tell each other. */
export type SharedBus = AsyncDisposable & { readonly publisher: PartialBus; readonly reader: () => BusReader };

export type PipelineOptions = {
  readonly config: Config;
  readonly pepper: Secret;
  readonly sources: readonly PipelineSource[];
  readonly openStores: () => Promise<Stores>;
  /** Absent: this process reads everything that it judges. */
  readonly openBus?: (() => Promise<SharedBus>) | undefined;
  readonly roles?: ReadonlySet<Role>;
  /** Unique per process and start. */
  readonly holder: string;
  readonly clock: Clock;
  readonly onProblem: (message: string) => void;
  readonly onEvent?: (event: DeskEvent) => void;
  readonly onLead?: (isLeading: boolean) => void;
  /** Where addresses are. */
  readonly geo?: MmdbGeo | undefined;
  /** For a large backlog; default 1. */
  readonly threads?: number;
  /** Sees every batch on its way to the judge. */
  readonly tap?: (bus: PartialBus) => PartialBus;
  /** Channels beside the configured ones. */
  readonly channels?: readonly DeskChannel[];
};
