/** Processes that wait for the judge's seat over one memory store, journal, lease and bus, on one virtual clock. */
import { journalViews } from '../../support/journal-views.ts';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DeskEvent } from '../../../alerts/desk.ts';
import { loadConfig } from '../../../app/config/load.ts';
import { ConfiguredDirectory } from '../../../app/pipeline/configured-directory.ts';
import { type OpenedJudging, openJudging } from '../../../app/pipeline/open-judging.ts';
import type { SharedBus, Stores } from '../../../app/pipeline/pipeline.ts';
import type { Alert, Notification } from '../../../core/alert.ts';
import { encodeCells, readCells } from '../../../core/cells.ts';
import { emptyCounters, mergeCounters } from '../../../core/counters.ts';
import type { PartialBatch } from '../../../core/partial.ts';
import type { BusEvent, Journal, JournalViews, LeaseStore, MetricStore, WindowStore } from '../../../core/ports.ts';
import { Secret } from '../../../core/secret.ts';
import { Sketch } from '../../../core/sketch/sketch.ts';
import { type EntityId, type Minute, OK } from '../../../core/types.ts';
import { memoryJournal } from '../../../storage/memory/journal.ts';
import { memoryLeaseStore } from '../../../storage/memory/lease.ts';
import { memoryMetricStore } from '../../../storage/memory/metric-store.ts';
import { memoryWindowStore } from '../../../storage/memory/windows.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

export const LIMIT = 1000;

/** As a store of the world says that it is away. */
export class WorldFault extends Error {
  override readonly name = 'WorldFault';
  readonly isRetryable = true;
}

/** A process that may die at any moment: then nothing that it waits for ever comes, and nothing of it reaches the world. */
export class JudgeProcess {
  readonly name: string;
  readonly problems: string[] = [];
  readonly #stop = new AbortController();
  isDead = false;
  readonly stack = new AsyncDisposableStack();
  opened: OpenedJudging | undefined;
  running: Promise<void> = Promise.resolve();
  /** What is delivered over the bus, one at a time. */
  inbox: Promise<void> = Promise.resolve();
  onEvent: ((event: BusEvent) => Promise<void>) | undefined;
  /** Set by a test: what the journal does instead of appending. */
  appendFault: (() => void) | undefined;

  constructor(name: string) {
    this.name = name;
  }

  get isLeading(): boolean {
    return !this.isDead && this.opened?.seat.isLeading === true;
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  kill(): void {
    this.isDead = true;
  }

  /** As SIGTERM. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.running;
    await this.opened?.seat.leave();
    this.isDead = true;
  }

  /** Runs `work` for this process, unless it is dead before or after. */
  async alive<T>(work: () => Promise<T>): Promise<T> {
    if (this.isDead) return never();
    try {
      const done = await work();
      return this.isDead ? await never() : done;
    } catch (error) {
      if (this.isDead) return never();
      throw error;
    }
  }
}

function never<T>(): Promise<T> {
  return new Promise<T>(() => undefined);
}

export class JudgeWorld {
  readonly clock: VirtualClock;
  readonly store = memoryMetricStore();
  readonly journal = memoryJournal();
  readonly windows = memoryWindowStore();
  readonly lease = memoryLeaseStore();
  readonly processes: JudgeProcess[] = [];
  readonly published: PartialBatch[] = [];
  /** What people got, in order. */
  readonly told: Notification[] = [];
  /** Set by a test: what writing windows does instead. */
  windowsFault: (() => Promise<Awaited<ReturnType<WindowStore['putWindows']>> | undefined>) | undefined;
  readonly #config;
  #newest = 0;
  #started = 0;
  #source = 0;

  constructor(now: number, rules = `{request_rate: {warning: off, critical: ${LIMIT}}}`) {
    this.clock = new VirtualClock(now);
    const folder = mkdtempSync(join(tmpdir(), 'keywatch seat '));
    writeFileSync(join(folder, 'keywatch.yml'), `lateness: 5s\nalerts: { survey: 0 }\nrules: ${rules}\n`);
    this.#config = loadConfig({ env: { HOME: '/home/kw' }, cwd: folder }).config;
    rmSync(folder, { recursive: true });
  }

  async start(): Promise<JudgeProcess> {
    const process = new JudgeProcess(`p${++this.#started}`);
    this.processes.push(process);
    const options = {
      config: this.#config,
      pepper: new Secret('AAAA'),
      sources: [],
      openStores: () => Promise.reject(new Error('BUG: not asked')),
      holder: process.name,
      clock: this.clock,
      onProblem: (text: string) => void process.problems.push(text),
      channels: [
        {
          notifier: {
            name: 'people',
            notify: (notification: Notification) =>
              process.alive(async () => {
                this.told.push(notification);
                return OK;
              }),
          },
          minSeverity: 'info' as const,
          perSecond: 1000,
          burst: 1000,
        },
      ],
    };
    process.opened = await openJudging(options, {
      stores: this.#storesOf(process),
      directory: new ConfiguredDirectory(this.#config, await this.store.aliases()),
      bus: this.#busOf(process),
      ownProgress: () => [],
      onEvent: (_event: DeskEvent) => undefined,
      stack: process.stack,
    });
    process.running = process.opened.seat.run(process.signal);
    process.running.catch(() => undefined);
    return process;
  }

  get leaders(): readonly JudgeProcess[] {
    return this.processes.filter(({ isLeading }) => isLeading);
  }

  get source(): number {
    return this.#source;
  }

  /** As a pump does it: stored, then told to everybody who lives. */
  async publish(batch: PartialBatch): Promise<void> {
    this.#source ||= await this.store.source('log');
    this.published.push(batch);
    await this.store.put(batch);
    this.#newest = Math.max(this.#newest, batch.newest);
    this.#deliver({ kind: 'batch', batch });
    await this.clock.settle();
  }

  /** Time goes on, and the process that reads says every few seconds that it is at the end. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 2000) {
      await this.clock.advance(Math.min(left, 2000));
      this.#deliver({
        kind: 'progress',
        from: 'reader',
        partitions: [{ source: this.#source, partition: 0, newest: this.#newest, isAtEnd: true, heardAt: this.clock.now() }],
      });
      await this.clock.settle();
    }
  }

  /** What is known of an entity at the end, whatever the order in which windows were judged. */
  async facts(): Promise<Readonly<Record<string, unknown>>> {
    const alerts = await this.journal.alerts({});
    return Object.fromEntries(alerts.map((alert) => [`${alert.rule} ${alert.entity}`, factsOf(alert)]));
  }

  #deliver(event: BusEvent): void {
    for (const process of this.processes) {
      process.inbox = process.inbox.then(async () => {
        if (!process.isDead) await process.onEvent?.(event);
      });
      process.inbox.catch(() => undefined);
    }
  }

  #storesOf(process: JudgeProcess): Stores {
    const journal: Journal = {
      ...methods(this.journal, process),
      append: (seq, body) =>
        process.alive(async () => {
          process.appendFault?.();
          return this.journal.append(seq, body);
        }),
      entries: (from) => this.journal.entries(from),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    const store = this.#storeOf(process);
    const lease: LeaseStore = {
      read: (name) => process.alive(() => this.lease.read(name)),
      write: (name, expected, next) => process.alive(() => this.lease.write(name, expected, next)),
    };
    const windows: WindowStore = {
      putWindows: (documents, seq) => process.alive(async () => (await this.windowsFault?.()) ?? this.windows.putWindows(documents, seq)),
      putFindings: (findings) => process.alive(async () => (await this.windowsFault?.()) ?? this.windows.putFindings(findings)),
    };
    return { store, journal, lease, windows, stats: () => undefined, retain: async () => [], [Symbol.asyncDispose]: async () => undefined };
  }

  #storeOf(process: JudgeProcess): MetricStore {
    const { store } = this;
    return {
      control: (name) => process.alive(() => store.control(name)),
      setControl: (name, value) => process.alive(() => store.setControl(name, value)),
      claim: (name, value) => process.alive(() => store.claim(name, value)),
      source: (name) => process.alive(() => store.source(name)),
      sources: () => process.alive(() => store.sources()),
      put: (batch) => process.alive(() => store.put(batch)),
      resume: (source, partition) => process.alive(() => store.resume(source, partition)),
      heads: (source) => process.alive(() => store.heads(source)),
      partials: (query) => store.partials(query),
      windows: (query) => store.windows(query),
      totals: (query) => process.alive(() => store.totals(query)),
      aliases: () => process.alive(() => store.aliases()),
      fold: (before) => process.alive(() => store.fold(before)),
      retain: (policy, now) => process.alive(() => store.retain(policy, now)),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }

  #busOf(process: JudgeProcess): SharedBus {
    return {
      publisher: { publish: (batch) => this.publish(batch), hint: () => undefined, progress: () => Promise.resolve() },
      reader: () => ({
        start: async (onEvent) => {
          process.onEvent = onEvent;
        },
        [Symbol.asyncDispose]: async () => {
          process.onEvent = undefined;
        },
      }),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
}

function methods(journal: Journal, process: JudgeProcess): Pick<Journal, 'head' | 'saveSnapshot' | 'snapshot' | 'pending'> & JournalViews {
  return {
    head: () => process.alive(() => journal.head()),
    saveSnapshot: (snapshot) => process.alive(() => journal.saveSnapshot(snapshot)),
    snapshot: () => process.alive(() => journal.snapshot()),
    ...journalViews(journal, (read) => process.alive(read)),
    pending: () => process.alive(() => journal.pending()),
  };
}

/** Not how far it has come on its way to be resolved: a late breach may be judged before or after the quiet minutes behind it. */
function factsOf({ severity, findings, startedAt, lastBreachAt, peak }: Alert): unknown {
  return { severity, findings, startedAt, lastBreachAt, peak };
}

/** What was published, merged by (entity, minute) as `core` merges: the newest row of each segment. */
export function mergedRows(published: readonly PartialBatch[], canonical: (entity: EntityId) => EntityId = (entity) => entity): ReadonlyMap<string, string> {
  const newest = new Map<string, { readonly next: number; readonly minute: Minute; readonly entity: EntityId; readonly cells: Uint8Array | undefined }>();
  for (const { segment, next, rows, gone } of published) {
    const put = (minute: Minute, entity: EntityId, cells: Uint8Array | undefined): void => {
      const place = `${segment.partition} ${segment.start} ${minute} ${entity}`;
      if ((newest.get(place)?.next ?? -1) <= next) newest.set(place, { next, minute, entity, cells });
    };
    for (const { window, entity, isHeld } of gone) if (!isHeld) put(window, entity, undefined);
    for (const { window, entity, cells } of rows) put(window, entity, cells);
  }
  const groups = new Map<string, Uint8Array[]>();
  for (const { minute, entity, cells } of newest.values()) {
    if (cells === undefined) continue;
    const name = `${minute}.${canonical(entity)}`;
    groups.set(name, [...(groups.get(name) ?? []), cells]);
  }
  return new Map([...groups].map(([name, [first, ...others]]) => [name, hexOf(first ?? new Uint8Array(0), others)]));
}

function hexOf(first: Uint8Array, others: readonly Uint8Array[]): string {
  const { counters, sketch } = readCells(first);
  for (const cells of others) {
    const other = readCells(cells);
    mergeCounters(counters, other.counters);
    sketch.merge(other.sketch);
  }
  return Buffer.from(encodeCells(counters, sketch)).toString('hex');
}

/** What dashboards read, in the same form; what says nothing any more is left out. */
export function writtenRows(world: JudgeWorld): ReadonlyMap<string, string> {
  const rows = [...world.windows.windows].map(([name, { window }]): [string, string] => [
    name,
    Buffer.from(encodeCells(window.counters, window.sketch())).toString('hex'),
  ]);
  const nothing = Buffer.from(encodeCells(emptyCounters(), new Sketch())).toString('hex');
  return new Map(rows.filter(([, hex]) => hex !== nothing));
}

/** Only windows that are judged. */
export function before(rows: ReadonlyMap<string, string>, minute: Minute): Record<string, string> {
  return Object.fromEntries([...rows].filter(([name]) => Number(name.slice(0, name.indexOf('.'))) < minute).sort(([a], [b]) => (a < b ? -1 : 1)));
}
