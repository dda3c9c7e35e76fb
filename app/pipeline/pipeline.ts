import { AlertDesk, type DeskChannel, type DeskEvent } from '../../alerts/desk.ts';
import { thresholdSpec } from '../../alerts/rule-spec.ts';
import type { Alert } from '../../core/alert.ts';
import type { Clock } from '../../core/clock.ts';
import { Fingerprinter } from '../../core/fingerprint.ts';
import type { OpenSegment } from '../../core/partial.ts';
import type { EventSource, MetricStore, PartialBus, PartitionProgress, StoredSource } from '../../core/ports.ts';
import type { Secret } from '../../core/secret.ts';
import { MINUTE_MS, minuteOf } from '../../core/window.ts';
import { C, at } from '../../core/counters.ts';
import { createJudge, type Judge } from '../../detectors/judge.ts';
import { seedFrom } from '../../detectors/seed.ts';
import { CellPool } from '../../ingest/parallel/cell-pool.ts';
import { Normaliser } from '../../ingest/parse/normaliser.ts';
import { type PartitionState, Pump } from '../../ingest/pump.ts';
import { SEGMENT_BYTES } from '../../ingest/source/segment-grid.ts';
import { type SqliteJournal, openJournal } from '../../storage/sqlite/journal.ts';
import { lockDirectory } from '../../storage/sqlite/lock.ts';
import { type SqliteMetricStore, openMetricStore } from '../../storage/sqlite/metric-store.ts';
import type { Config, ReadingConfig } from '../config/config.ts';
import { checkPepper } from '../pepper.ts';
import { channelsOf } from './channels.ts';
import { ConfiguredDirectory, enabledRules } from './configured-directory.ts';
import { claimInterpretation } from './interpretation.ts';
import { Judging } from './judging.ts';

export type PipelineSource = {
  readonly reading: ReadingConfig;
  /** Stored with the partitions that it finds. */
  readonly tag: string;
  readonly open: (known: readonly StoredSource[], store: MetricStore) => Promise<EventSource>;
};

export type PipelineOptions = {
  readonly config: Config;
  /** The data directory. */
  readonly directory: string;
  readonly pepper: Secret;
  readonly sources: readonly PipelineSource[];
  readonly clock: Clock;
  readonly onProblem: (message: string) => void;
  readonly onEvent?: (event: DeskEvent) => void;
  /** For a large backlog; default 1. */
  readonly threads?: number;
  /** Sees every batch on its way to the judge. */
  readonly tap?: (bus: PartialBus) => PartialBus;
  /** Channels beside the configured ones. */
  readonly channels?: readonly DeskChannel[];
};

/** While a backlog is read, the store is written at least this often. */
const FLUSH_MS = 1000;
const ADVANCE_MS = 1000;
const TICK_MS = 10_000;
const SERIES_MINUTES = 60;
/** A person who stops Keywatch waits this long for messages under way; they are sent at the next start otherwise. */
const LAST_WORDS_MS = 2000;
/** When the sources ended by themselves. */
const DRAIN_MS = 10_000;

/**
 * Everything between the log files and the messages, embedded: one process, SQLite, one judge. Started in order,
 * stopped in reverse; a half start is rolled back.
 */
export class Pipeline implements AsyncDisposable {
  readonly store: SqliteMetricStore;
  readonly journal: SqliteJournal;
  readonly desk: AlertDesk;
  readonly judge: Judge;
  readonly directory: ConfiguredDirectory;
  readonly judging: Judging;
  readonly #pumps: readonly Pump[];
  readonly #clock: Clock;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    parts: Pick<Pipeline, 'store' | 'journal' | 'desk' | 'judge' | 'directory' | 'judging'> & {
      pumps: readonly Pump[];
      clock: Clock;
      stack: AsyncDisposableStack;
    },
  ) {
    this.store = parts.store;
    this.journal = parts.journal;
    this.desk = parts.desk;
    this.judge = parts.judge;
    this.directory = parts.directory;
    this.judging = parts.judging;
    this.#pumps = parts.pumps;
    this.#clock = parts.clock;
    this.#stack = parts.stack;
  }

  static async open(options: PipelineOptions): Promise<Pipeline> {
    const { config, directory: path, clock, onProblem } = options;
    await using stack = new AsyncDisposableStack();
    // 1. one writer per data directory
    stack.use(lockDirectory(path));
    // 2. the stores, and that they were written under the same interpretation
    const store = stack.use(await openMetricStore({ directory: path }));
    const journal = stack.use(await openJournal({ directory: path }));
    const fingerprinter = new Fingerprinter(options.pepper);
    await checkPepper(store, fingerprinter);
    await claimInterpretation(store, config);
    // 3. who the keys are, and what was decided before
    const directory = new ConfiguredDirectory(config, await store.aliases());
    const rules = enabledRules(config);
    const desk = stack.use(
      await AlertDesk.open({
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
    );
    // 4. the judge, with the last hour from the store
    const judge = createJudge({ directory, rules });
    const known = await store.sources();
    const open: OpenSegment[] = [];
    for (const { id } of known) {
      const segment = await store.resume(id, 0);
      if (segment !== undefined) open.push(segment);
    }
    const { judgedThrough } = desk;
    await judge.seed({ windows: store.windows({ from: seedFrom(judgedThrough), to: minuteOf(clock.now()) + 3 }), judgedThrough, open });
    // 5. the sources, last: from here on records move
    const pumps: Pump[] = [];
    const threads = options.threads ?? 1;
    const judging = new Judging({ judge, desk, directory, clock, progress: () => progressOf(pumps) });
    for (const source of options.sources) {
      const { reading } = source;
      const events = stack.use(await source.open(known, store));
      const normaliser = (): Normaliser =>
        new Normaliser({
          fingerprinter,
          keyNames: reading.keyNames,
          keyBy: reading.keyBy,
          trustedProxies: config.clients.trustedProxies,
          forwardedDepth: config.clients.depth,
        });
      const pool =
        threads < 2
          ? undefined
          : stack.use(
              new CellPool(threads, {
                pepper: options.pepper.reveal(),
                keyNames: reading.keyNames,
                keyBy: reading.keyBy,
                trustedProxies: config.clients.trustedProxies,
                forwardedDepth: config.clients.depth,
              }),
            );
      pumps.push(
        new Pump(
          {
            segmentBytes: SEGMENT_BYTES,
            detect: { format: reading.format, map: reading.map, keyNames: reading.keyNames },
            limits: { entities: config.limits.entities, dictionary: config.limits.dictionary },
            flushMs: FLUSH_MS,
            normaliser,
          },
          { source: events, store, bus: options.tap?.(judging) ?? judging, clock, onProblem, origin: source.tag, pool },
        ),
      );
    }
    return new Pipeline({ store, journal, desk, judge, directory, judging, pumps, clock, stack: stack.move() });
  }

  partitions(): readonly PartitionState[] {
    return this.#pumps.flatMap((pump) => pump.partitions());
  }

  /**
   * Reads, judges and tells until `signal` aborts or the sources end. Then, in this order: everything that was read is
   * stored and judged, what is to be told is sent (for a moment), and the rest stops.
   */
  async run(signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const rest = [
      this.#every(ADVANCE_MS, () => this.judging.advance(), stop.signal),
      this.#every(TICK_MS, () => this.desk.tick(), stop.signal),
      this.desk.run(stop.signal),
    ];
    const reading = new AbortController();
    const onAbort = (): void => reading.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) reading.abort();
    // A fault in any part ends reading too; nothing is committed after it.
    const failing = Promise.all(rest);
    try {
      await Promise.race([this.#pumpAll(reading.signal), failing.then(() => undefined)]);
      await this.desk.drain(AbortSignal.timeout(signal.aborted ? LAST_WORDS_MS : DRAIN_MS));
    } finally {
      reading.abort();
      stop.abort();
      signal.removeEventListener('abort', onAbort);
      await Promise.allSettled(rest);
    }
    await failing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  async #pumpAll(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#pumps.map((pump) => pump.run(signal)));
  }

  async #every(ms: number, work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(ms, signal);
      if (!signal.aborted) await work();
    }
  }
}

function* progressOf(pumps: readonly Pump[]): Generator<PartitionProgress> {
  for (const pump of pumps) {
    yield* pump.progress();
  }
}

/** Requests per minute before an alert, for its sparkline. */
async function seriesOf(store: SqliteMetricStore, alert: Alert): Promise<readonly number[] | undefined> {
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
