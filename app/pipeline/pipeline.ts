import { AlertDesk, type DeskChannel, type DeskEvent } from '../../alerts/desk.ts';
import { thresholdSpec } from '../../alerts/rule-spec.ts';
import type { Alert } from '../../core/alert.ts';
import type { Clock } from '../../core/clock.ts';
import { Fingerprinter } from '../../core/fingerprint.ts';
import type {
  BusReader,
  DeadLetters,
  EventSource,
  Journal,
  LeaseStore,
  MetricStore,
  PartialBus,
  PartitionProgress,
  StoredSource,
  WindowStore,
} from '../../core/ports.ts';
import type { Secret } from '../../core/secret.ts';
import type { EpochMs } from '../../core/types.ts';
import { MINUTE_MS, minuteOf } from '../../core/window.ts';
import { C, at } from '../../core/counters.ts';
import { createJudge, type Judge } from '../../detectors/judge.ts';
import { seedFrom } from '../../detectors/seed.ts';
import type { MmdbGeo } from '../../ingest/enrich/mmdb-geo.ts';
import { CellPool } from '../../ingest/parallel/cell-pool.ts';
import { Normaliser } from '../../ingest/parse/normaliser.ts';
import { type PartitionState, Pump, type PumpOptions } from '../../ingest/pump.ts';
import { SEGMENT_BYTES } from '../../ingest/source/segment-grid.ts';
import type { Config, ReadingConfig } from '../config/config.ts';
import type { MetricsStats } from '../http/metrics.ts';
import { checkPepper } from '../pepper.ts';
import { channelsOf } from './channels.ts';
import { ConfiguredDirectory, enabledRules } from './configured-directory.ts';
import { claimInterpretation } from './interpretation.ts';
import { JournalFollower } from './journal-follower.ts';
import { JudgeSeat, isWorldFault } from './judge-seat.ts';
import { Judging } from './judging.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { ProgressTable, UNHEARD_MAX_MS } from './progress-table.ts';

/** ingest: records to partials · judge: detects, tells, writes windows; one at a time does · http: takes events from senders. */
export const ROLES = ['ingest', 'judge', 'http'] as const;
export type Role = (typeof ROLES)[number];

export type PipelineSource = {
  readonly reading: ReadingConfig;
  /** Stored with the partitions that it finds. */
  readonly tag: string;
  readonly open: (known: readonly StoredSource[], store: MetricStore) => Promise<EventSource>;
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

/** While a backlog is read, the store is written at least this often. */
const FLUSH_MS = 1000;
const SERIES_MINUTES = 60;
/** A person who stops Keywatch waits this long for messages under way; they are sent at the next start otherwise. */
const LAST_WORDS_MS = 2000;
/** When the sources ended by themselves. */
const DRAIN_MS = 10_000;
const UNHEARD_EVERY_MS = 60_000;

/** Attempts to deliver by channel and result. */
type Deliveries = Map<string, { readonly channel: string; readonly result: string; value: number }>;

type Parts = {
  readonly stores: Stores;
  readonly directory: ConfiguredDirectory;
  readonly seat: JudgeSeat | undefined;
  readonly judging: Judging | undefined;
  readonly pumps: readonly Pump[];
  readonly sources: readonly EventSource[];
  readonly progress: ProgressTable | undefined;
  readonly deliveries: Deliveries;
  readonly geo: MmdbGeo | undefined;
  readonly clock: Clock;
  readonly onProblem: (message: string) => void;
  readonly stack: AsyncDisposableStack;
};

/**
 * Everything between the records and the messages. Embedded it is one process with everything in it; over a shared
 * store and bus any number of processes read and one judges. Started in order, stopped in reverse; a half start is
 * rolled back.
 */
export class Pipeline implements AsyncDisposable {
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  static async open(options: PipelineOptions): Promise<Pipeline> {
    const { config, clock, onProblem, roles = new Set(ROLES) } = options;
    await using stack = new AsyncDisposableStack();
    // 1. the stores, and that they were written under the same interpretation
    const stores = stack.use(await options.openStores());
    const { store } = stores;
    const fingerprinter = new Fingerprinter(options.pepper);
    await checkPepper(store, fingerprinter);
    await claimInterpretation(store, config);
    // 2. who the keys are, and the judge with the last hour from the store
    const directory = new ConfiguredDirectory(config, await store.aliases());
    const bus = options.openBus === undefined ? undefined : stack.use(await options.openBus());
    const pumps: Pump[] = [];
    const sources: EventSource[] = [];
    const deliveries: Deliveries = new Map();
    const onEvent = (event: DeskEvent): void => {
      if (event.kind === 'delivery') countDelivery(deliveries, event);
      options.onEvent?.(event);
    };
    const judge = roles.has('judge') ? await openJudging({ ...options, onEvent }, { stores, directory, bus, pumps, stack }) : undefined;
    const toJudge = bus?.publisher ?? judge?.judging;
    // 3. the sources, last: from here on records move
    if (toJudge !== undefined) {
      const known = options.sources.length === 0 ? [] : await store.sources();
      for (const source of options.sources) {
        if (source.deadLetters !== undefined) stack.use(source.deadLetters);
        const events = stack.use(await source.open(known, store));
        sources.push(events);
        pumps.push(openPump(source, events, options, { stores, fingerprinter, bus: options.tap?.(toJudge) ?? toJudge, stack }));
      }
    } else if (options.sources.length > 0) {
      throw new Error('BUG: records are read and nobody judges them');
    }
    return new Pipeline({
      stores,
      directory,
      seat: judge?.seat,
      judging: judge?.judging,
      progress: judge?.progress,
      pumps,
      sources,
      deliveries,
      geo: options.geo,
      clock,
      onProblem,
      stack: stack.move(),
    });
  }

  get store(): MetricStore {
    return this.#parts.stores.store;
  }

  get journal(): Journal {
    return this.#parts.stores.journal;
  }

  get directory(): ConfiguredDirectory {
    return this.#parts.directory;
  }

  /** While this process is the one that judges. */
  get desk(): AlertDesk | undefined {
    return this.#parts.seat?.desk;
  }

  get judging(): Judging | undefined {
    return this.#parts.judging;
  }

  /** Whether this process has sources of its own. */
  get reads(): boolean {
    return this.#parts.pumps.length > 0;
  }

  /** Looks whether the databases of places have changed. */
  reloadGeo(): readonly string[] {
    return this.#parts.geo?.reload() ?? [];
  }

  get deliveries(): Iterable<{ readonly channel: string; readonly result: string; readonly value: number }> {
    return this.#parts.deliveries.values();
  }

  /** Records of a partition that can be read and were not; undefined where its source does not know. */
  lag(partition: string): number | undefined {
    for (const source of this.#parts.sources) {
      const lag = source.lag?.(partition);
      if (lag !== undefined) return lag;
    }
    return undefined;
  }

  storeStats(): StoreStats | undefined {
    return this.#parts.stores.stats();
  }

  /** Drops what is past its time from the indices of dashboards. */
  retainDerived(now: EpochMs): Promise<readonly string[]> {
    return this.#parts.stores.retain(now);
  }

  partitions(): readonly PartitionState[] {
    return this.#parts.pumps.flatMap((pump) => pump.partitions());
  }

  /**
   * Reads, judges and tells until `signal` aborts or the sources end. Then, in this order: everything that was read is
   * stored and judged, what is to be told is sent (for a moment), and the rest stops.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { seat, pumps, progress } = this.#parts;
    const stop = new AbortController();
    const rest = [...(seat === undefined ? [] : [seat.run(stop.signal)]), ...(progress === undefined ? [] : [this.#reportUnheard(progress, stop.signal)])];
    const reading = new AbortController();
    const onAbort = (): void => reading.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) reading.abort();
    // A fault in any part ends reading too; nothing is committed after it.
    const failing = Promise.all(rest);
    try {
      await Promise.race([
        Promise.all([...pumps.map((pump) => pump.run(reading.signal)), ...(pumps.length === 0 ? [aborted(signal)] : [])]),
        rest.length === 0 ? new Promise<never>(() => undefined) : failing,
      ]);
      await seat?.drain(AbortSignal.timeout(signal.aborted ? LAST_WORDS_MS : DRAIN_MS));
    } finally {
      reading.abort();
      stop.abort();
      signal.removeEventListener('abort', onAbort);
      await Promise.allSettled(rest);
    }
    await failing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.seat?.leave();
    await this.#parts.stack.disposeAsync();
  }

  /** A partition that nobody reads keeps everything from being judged: somebody should know. */
  async #reportUnheard(progress: ProgressTable, signal: AbortSignal): Promise<void> {
    const { clock, onProblem, seat } = this.#parts;
    let before = '';
    while (!signal.aborted) {
      await clock.sleep(UNHEARD_EVERY_MS, signal);
      const unheard = seat?.isLeading === true ? progress.unheard(clock.now()) : [];
      const now = unheard.map(({ source, partition }) => `${source}/${partition}`).join(', ');
      if (now !== '' && now !== before)
        onProblem(
          `no process reads partition ${now} (source/partition), so closed minutes wait for it, up to ${UNHEARD_MAX_MS / MINUTE_MS} minutes; start more processes with the role ingest`,
        );
      before = now;
    }
  }
}

function countDelivery(deliveries: Deliveries, { delivery, row }: Extract<DeskEvent, { kind: 'delivery' }>): void {
  const channel = row?.channel ?? 'unknown';
  const name = `${channel}/${delivery.result}`;
  const count = deliveries.get(name) ?? { channel, result: delivery.result, value: 0 };
  count.value++;
  deliveries.set(name, count);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true })));
}

type JudgingParts = { readonly seat: JudgeSeat; readonly judging: Judging; readonly progress: ProgressTable | undefined };

async function openJudging(
  options: PipelineOptions,
  parts: {
    readonly stores: Stores;
    readonly directory: ConfiguredDirectory;
    readonly bus: SharedBus | undefined;
    readonly pumps: readonly Pump[];
    readonly stack: AsyncDisposableStack;
  },
): Promise<JudgingParts> {
  const { config, clock, onProblem } = options;
  const { stores, directory, bus, pumps, stack } = parts;
  const { store, journal, lease, windows } = stores;
  const rules = enabledRules(config);
  const newJudge = async (judgedThrough: number): Promise<Judge> => {
    const judge = createJudge({ directory, rules, ...(windows === undefined ? {} : { evidenceBytesMax: SHARED_EVIDENCE_BYTES }) });
    await judge.seed({ partials: store.partials({ from: seedFrom(judgedThrough), to: minuteOf(clock.now()) + 3 }), judgedThrough });
    return judge;
  };
  // What is published from here on is seen; what was published before is in the store.
  const seeded = Promise.withResolvers<Judging>();
  const progress = bus === undefined ? undefined : new ProgressTable();
  if (bus !== undefined && progress !== undefined) {
    const reader = stack.use(bus.reader());
    await reader.start(async (event) => {
      const judging = await seeded.promise;
      if (event.kind === 'progress') return progress.hear(event.partitions, clock.now());
      // A reign that cannot write ends by itself; what it did not decide is judged from the store by the next one.
      await judging.publish(event.batch).catch((error: unknown) => {
        if (!isWorldFault(error)) throw error;
      });
    });
    progress.know(await store.heads(), clock.now());
  }
  const judgedThrough = await new JournalFollower(journal).poll();
  const judging = new Judging({
    judge: await newJudge(judgedThrough),
    directory,
    clock,
    progress: () => progress?.all() ?? progressOf(pumps),
    lateness: config.lateness,
    ...(progress === undefined ? {} : { idleAfter: UNHEARD_MAX_MS }),
  });
  const seat = new JudgeSeat({
    judging,
    directory,
    store,
    journal,
    clock,
    onProblem,
    windows,
    onLead: (isLeading) => options.onLead?.(isLeading),
    newJudge: (desk) => newJudge(desk.judgedThrough),
    lease: lease === undefined ? undefined : new LeaseKeeper({ name: 'judge', holder: options.holder }, { store: lease, clock, onProblem }),
    openDesk: () =>
      AlertDesk.open({
        journal,
        channels: [...channelsOf(config, { clock, onProblem }), ...(options.channels ?? [])],
        ...(config.alerts.fallback === undefined ? {} : { fallback: config.alerts.fallback }),
        rules: rules.map(thresholdSpec),
        directory,
        clock,
        random: Math.random,
        series: (alert) => seriesOf(store, alert),
        ...(options.onEvent === undefined ? {} : { onEvent: options.onEvent }),
      }),
  });
  if (lease === undefined) await seat.sit();
  seeded.resolve(judging);
  return { seat, judging, progress };
}

/** Window documents are made of the rows that the judge holds: a few minutes of a million keys. */
const SHARED_EVIDENCE_BYTES = 1024 * 1024 * 1024;

function openPump(
  source: PipelineSource,
  events: EventSource,
  options: PipelineOptions,
  parts: {
    readonly stores: Stores;
    readonly fingerprinter: Fingerprinter;
    readonly bus: PartialBus;
    readonly stack: AsyncDisposableStack;
  },
): Pump {
  const { config, clock, onProblem, threads = 1 } = options;
  const { reading } = source;
  const { stores, fingerprinter, bus, stack } = parts;
  const geo = options.geo;
  const naming = {
    keyNames: reading.keyNames,
    keyBy: reading.keyBy,
    trustedProxies: config.clients.trustedProxies,
    forwardedDepth: config.clients.depth,
  };
  const pool =
    threads < 2
      ? undefined
      : stack.use(new CellPool(threads, { pepper: options.pepper.reveal(), ...naming, ...(geo === undefined ? {} : { geo: geo.shared }) }));
  return new Pump(
    {
      segmentBytes: SEGMENT_BYTES,
      detect: { format: reading.format, envelope: reading.envelope, map: reading.map, keyNames: reading.keyNames },
      limits: { entities: config.limits.entities, dictionary: config.limits.dictionary },
      flushMs: FLUSH_MS,
      normaliser: () => new Normaliser({ fingerprinter, ...naming, geo }),
      ...source.pump,
    },
    { source: events, store: stores.store, bus, clock, onProblem, origin: source.tag, pool, deadLetters: source.deadLetters },
  );
}

function* progressOf(pumps: readonly Pump[]): Generator<PartitionProgress> {
  for (const pump of pumps) {
    yield* pump.progress();
  }
}

/** Requests per minute before an alert, for its sparkline. */
async function seriesOf(store: MetricStore, alert: Alert): Promise<readonly number[] | undefined> {
  const end = minuteOf(alert.finding.window.end - 1) + 1;
  const series = new Array<number>(SERIES_MINUTES).fill(0);
  let isAny = false;
  for await (const { window, counters } of store.windows({ from: end - SERIES_MINUTES, to: end, entity: alert.entity, resolution: 'minute' })) {
    const index = Math.floor(window.start / MINUTE_MS) - (end - SERIES_MINUTES);
    if (index < 0 || index >= SERIES_MINUTES) continue;
    series[index] = at(counters, C.requests);
    isAny = true;
  }
  return isAny ? series : undefined;
}
