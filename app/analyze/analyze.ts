import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { AlertDesk } from '../../alerts/desk.ts';
import { thresholdSpec } from '../../alerts/rule-spec.ts';
import type { Alert } from '../../core/alert.ts';
import type { Clock } from '../../core/clock.ts';
import type { PartialBatch } from '../../core/partial.ts';
import type { EpochMs } from '../../core/types.ts';
import { MINUTE_MS, startOf } from '../../core/window.ts';
import { createJudge } from '../../detectors/judge.ts';
import { Suggester } from '../../detectors/suggest.ts';
import type { GeoBytes } from '../../ingest/enrich/mmdb-geo.ts';
import { detectFormat } from '../../ingest/parse/detect.ts';
import { SEGMENT_WINDOW } from '../../ingest/aggregate/segment-counts.ts';
import type { PartitionIngest } from '../../ingest/partition-ingest.ts';
import { fileOnce } from '../../ingest/source/file-once.ts';
import { memoryJournal } from '../../storage/memory/journal.ts';
import type { Config, ReadingConfig } from '../config/config.ts';
import { ConfiguredDirectory, enabledRules } from '../pipeline/configured-directory.ts';
import type { AnalyzeReport } from '../report/report.ts';
import { Collector } from './collector.ts';
import { type PlannedFile, planTasks } from './plan-tasks.ts';
import { runTasks } from './pool.ts';
import { buildReport } from './report.ts';
import { ANALYZE_SEGMENT_BYTES, type ReadingOptions, TaskReader } from './task.ts';

export type AnalyzeOptions = {
  readonly names: readonly string[];
  readonly config: Config;
  readonly reading: ReadingConfig;
  readonly pepper: string;
  readonly since: EpochMs | undefined;
  readonly until: EpochMs | undefined;
  /** Databases that say where addresses are (`MmdbGeo.shared`). */
  readonly geo?: readonly GeoBytes[] | undefined;
  readonly threads: number;
  readonly isSuggesting: boolean;
  /** What the limits are called in the report. */
  readonly limits: string;
  readonly version: string;
  readonly clock: Clock;
  readonly stdin: Readable;
  readonly onProgress: (state: { readonly bytes: number; readonly totalBytes: number; readonly records: number; readonly note: string }) => void;
};

/** Smaller work is done on one thread before a second one has started. */
const THREADS_FROM_BYTES = 24 << 20;
const LATENESS_MS = MINUTE_MS;

/** Reads logs once and says what is in them: the same parsing, counting, judging and alert states as `run`, without a store. */
export async function analyze(options: AnalyzeOptions): Promise<AnalyzeReport> {
  const { config, reading, clock } = options;
  const started = clock.monotonic();
  const readingOptions: ReadingOptions = {
    pepper: options.pepper,
    keyNames: reading.keyNames,
    keyBy: reading.keyBy,
    trustedProxies: config.clients.trustedProxies,
    depth: config.clients.depth,
    limits: { entities: config.limits.entities, dictionary: config.limits.dictionary },
    lineBytesMax: config.limits.lineBytes,
    since: options.since,
    until: options.until,
    geo: options.geo,
  };
  const plan = await planTasks(options.names, reading, readingOptions);
  const problems = [...plan.problems];
  const files: PlannedFile[] = [...plan.files];
  const totalBytes = plan.tasks.reduce(
    (sum, task) => sum + (task.range === undefined ? task.input.sizeBytes : Math.min(task.range.to, task.input.sizeBytes) - task.range.from),
    0,
  );
  const threads = totalBytes < THREADS_FROM_BYTES ? 1 : options.threads;
  const collector = new Collector();
  await using court = await Court.open(options, collector);
  // While a file waits, nothing younger than its beginning may be closed.
  const waiting = new Map<number, EpochMs>(plan.files.flatMap((file) => (file.first === undefined ? [] : [[file.index, file.first]])));
  court.holdBefore(Math.min(...waiting.values()));
  const lastTask = new Map(plan.tasks.map((task, index) => [task.file, index]));
  let bytes = 0;
  let done = 0;
  const tell = (note: string): void => options.onProgress({ bytes, totalBytes, records: collector.records, note });
  await runTasks(plan.tasks, readingOptions, threads, {
    onBatch: (batch) => {
      // A file under way holds back as far as it was read, one that waits as far as it begins.
      if (batch.newest > (waiting.get(batch.segment.source) ?? 0)) waiting.set(batch.segment.source, batch.newest);
      court.holdBefore(Math.min(...waiting.values()));
      court.take(batch);
      tell(files[batch.segment.source]?.label ?? '');
    },
    onTops: (tops) => collector.addTops(tops),
    onProblem: (message) => problems.push(message),
    onRead: (count) => {
      bytes += count;
      tell('');
    },
    onTask: (task) => {
      if (lastTask.get(task.file) !== done++) return;
      waiting.delete(task.file);
      court.holdBefore(Math.min(...waiting.values()));
    },
  });
  await court.settle();
  for (const input of plan.streams) {
    await readStream(input, options, readingOptions, files, problems, { court, collector }, (count) => {
      bytes += count;
      options.onProgress({ bytes, totalBytes: Math.max(bytes, totalBytes), records: collector.records, note: 'stdin' });
    });
  }
  const alerts = await court.close();
  return buildReport({
    ...options,
    threads,
    files,
    problems,
    bytes,
    collector,
    directory: court.directory,
    alerts,
    suggestions: court.suggestions(),
    elapsedMs: clock.monotonic() - started,
  });
}

/** Judges batches as they come, and keeps what the desk decides. Time is event time: an alert is as old as the log says. */
class Court implements AsyncDisposable {
  readonly directory: ConfiguredDirectory;
  readonly #collector: Collector;
  readonly #clock: Clock;
  readonly #judge;
  readonly #desk: AlertDesk;
  readonly #journal;
  readonly #suggester: Suggester | undefined;
  readonly #eventClock: EventClock;
  readonly #known = new Set<string>();
  #newest = 0;
  #heldBefore = Number.POSITIVE_INFINITY;
  #tail: Promise<void> = Promise.resolve();

  private constructor(parts: {
    options: AnalyzeOptions;
    collector: Collector;
    directory: ConfiguredDirectory;
    desk: AlertDesk;
    journal: ReturnType<typeof memoryJournal>;
    eventClock: EventClock;
  }) {
    this.directory = parts.directory;
    this.#collector = parts.collector;
    this.#clock = parts.options.clock;
    this.#desk = parts.desk;
    this.#journal = parts.journal;
    this.#eventClock = parts.eventClock;
    this.#suggester = parts.options.isSuggesting ? new Suggester() : undefined;
    this.#judge = createJudge({ directory: parts.directory, rules: enabledRules(parts.options.config), observer: this.#suggester?.observe });
  }

  static async open(options: AnalyzeOptions, collector: Collector): Promise<Court> {
    const directory = new ConfiguredDirectory(options.config);
    const journal = memoryJournal();
    const eventClock = new EventClock();
    const rules = enabledRules(options.config).map(thresholdSpec);
    const desk = await AlertDesk.open({ journal, channels: [], rules, directory, clock: eventClock, random: () => 0.5 });
    return new Court({ options, collector, directory, desk, journal, eventClock });
  }

  holdBefore(time: EpochMs): void {
    this.#heldBefore = time;
  }

  take(batch: PartialBatch): void {
    this.#collector.add(batch);
    const fresh = batch.aliases.filter(({ credential, fingerprint }) => !this.#known.has(`${credential}\n${fingerprint}`));
    for (const { credential, fingerprint } of fresh) this.#known.add(`${credential}\n${fingerprint}`);
    if (fresh.length > 0 && this.directory.learn(fresh)) this.#judge.learn(this.directory);
    const minutes = { ...batch, rows: batch.rows.filter((row) => row.window !== SEGMENT_WINDOW) };
    // Live breaches are evaluated again when their window closes; in a log that is over nobody waits for them.
    const live = this.#judge.observe(minutes, this.#clock.now());
    if (batch.newest > this.#newest) this.#newest = batch.newest;
    const watermark = Math.min(this.#newest - LATENESS_MS, this.#heldBefore - LATENESS_MS);
    const { evaluations, closedThrough } = this.#judge.advance(watermark, this.#desk.watched());
    this.#observe([...live, ...evaluations], closedThrough);
  }

  /** Waits until everything taken so far is decided. */
  async settle(): Promise<void> {
    await this.#tail;
  }

  async close(): Promise<readonly Alert[]> {
    await this.settle();
    if (this.#newest > 0) {
      const { evaluations, closedThrough } = this.#judge.advance(this.#newest + 2 * MINUTE_MS, this.#desk.watched());
      this.#observe(evaluations, closedThrough);
      await this.settle();
    }
    const alerts = await this.#journal.alerts({ limit: Number.MAX_SAFE_INTEGER });
    return alerts.filter((alert) => alert.firedAt !== undefined);
  }

  suggestions(): ReturnType<Suggester['suggestions']> | undefined {
    return this.#suggester?.suggestions();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#desk[Symbol.asyncDispose]();
  }

  #observe(evaluations: Parameters<AlertDesk['observe']>[0], closedThrough: number): void {
    this.#eventClock.reach(startOf(closedThrough));
    if (evaluations.length === 0 && closedThrough <= this.#desk.judgedThrough) return;
    const turn = this.#tail.then(() => this.#desk.observe(evaluations, { judgedThrough: closedThrough }));
    this.#tail = turn;
    // Looked at by `settle`.
    turn.catch(() => undefined);
  }
}

/** Stands where judging stands. */
class EventClock implements Clock {
  #now: EpochMs = 0;

  reach(time: EpochMs): void {
    if (time > this.#now) this.#now = time;
  }

  now(): EpochMs {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  sleep(): Promise<void> {
    return Promise.resolve();
  }
}

async function readStream(
  input: Parameters<typeof fileOnce>[0]['inputs'][number],
  options: AnalyzeOptions,
  readingOptions: ReadingOptions,
  files: PlannedFile[],
  problems: string[],
  { court, collector }: { readonly court: Court; readonly collector: Collector },
  onRead: (bytes: number) => void,
): Promise<void> {
  const { reading } = options;
  const reader = new TaskReader(readingOptions);
  await using source = fileOnce(
    { inputs: [input], lineBytesMax: readingOptions.lineBytesMax, segmentBytes: ANALYZE_SEGMENT_BYTES },
    { newId: randomUUID, stdin: options.stdin },
  );
  let ingest: PartitionIngest | undefined;
  for await (const event of source.events(new AbortController().signal)) {
    switch (event.kind) {
      case 'assigned': {
        const detected = detectFormat(event.head, { format: reading.format, envelope: reading.envelope, map: reading.map, keyNames: reading.keyNames });
        if (detected.format === undefined) {
          problems.push(`${event.label}: ${detected.why}`);
          break;
        }
        const index = files.length;
        files.push({ index, label: event.label, format: detected.format, first: undefined, sizeBytes: 0 });
        ingest = reader.ingest(index, detected.format.descriptor);
        break;
      }
      case 'block':
        ingest?.block(event.bytes, event.offset);
        onRead(event.bytes.length);
        break;
      case 'oversized':
        ingest?.oversized(event.offset, event.length);
        break;
      case 'problem':
        problems.push(`${event.subject}: ${event.message}`);
        break;
      default:
        break;
    }
    for (const batch of ingest?.takeSealed() ?? []) court.take(batch);
  }
  for (const batch of ingest?.finish() ?? []) court.take(batch);
  for (const tops of ingest?.takeTops() ?? []) collector.addTops(tops);
}
