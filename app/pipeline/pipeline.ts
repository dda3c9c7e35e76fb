import { randomUUID } from 'node:crypto';
import type { AlertDesk, DeskEvent } from '../../alerts/desk.ts';
import type { Clock } from '../../core/clock.ts';
import { Fingerprinter } from '../../core/fingerprint.ts';
import type { EventSource, Journal, MetricStore, Notifier, PartitionProgress, PartitionPosition } from '../../core/ports.ts';
import type { EpochMs } from '../../core/types.ts';
import { MINUTE_MS } from '../../core/window.ts';
import type { MmdbGeo } from '../../ingest/enrich/mmdb-geo.ts';
import type { Actor } from '../../core/operator.ts';
import type { PartitionState, Pump } from '../../ingest/pump.ts';
import { checkPepper } from '../pepper.ts';
import type { Config } from '../config/config.ts';
import { ConfiguredDirectory } from './configured-directory.ts';
import { claimInterpretation } from './interpretation.ts';
import type { Judging } from './judging.ts';
import { type OpenedJudging, openJudging } from './open-judging.ts';
import { openPump } from './open-pump.ts';
import { type PipelineOptions, type StoreStats, type Stores, ROLES } from './pipeline-options.ts';
import { UNHEARD_MAX_MS } from './progress-table.ts';

export { type PipelineOptions, type PipelineSource, type Role, ROLES, type SharedBus, type StoreStats, type Stores } from './pipeline-options.ts';

/** A person who stops Keywatch waits this long for messages under way; they are sent at the next start otherwise. */
const LAST_WORDS_MS = 2000;
/** When the sources ended by themselves. */
const DRAIN_MS = 10_000;
const UNHEARD_EVERY_MS = 60_000;
/** Another process may need so long to give the judge's seat back. */
const SEAT_WAIT_MS = 5000;
/** Where several processes share a store and have no topic to tell each other what they read. */
const WAITS_FOR_SEAT =
  'another process judges; without a topic between them it would not hear of what this one reads, so this one reads nothing until that one stops';

/** Attempts to deliver by channel and result. */
type Deliveries = Map<string, { readonly channel: string; readonly result: string; value: number }>;

type OpenedSource = EventSource & { positions?(): readonly PartitionPosition[] };

type Parts = {
  readonly stores: Stores;
  readonly directory: ConfiguredDirectory;
  readonly judge: OpenedJudging | undefined;
  readonly pumps: readonly Pump[];
  readonly sources: readonly OpenedSource[];
  /** What this process reads is judged here or by nobody. */
  readonly judgesAlone: boolean;
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
    const sources: OpenedSource[] = [];
    const deliveries: Deliveries = new Map();
    const onEvent = (event: DeskEvent): void => {
      if (event.kind === 'delivery') countDelivery(deliveries, event);
      options.onEvent?.(event);
    };
    const ownProgress = (): Iterable<PartitionProgress> => pumps.flatMap((pump) => pump.progress());
    const judge = roles.has('judge') ? await openJudging(options, { stores, directory, bus, ownProgress, onEvent, stack }) : undefined;
    const toJudge = bus?.publisher ?? judge?.local;
    // 3. the sources, last: from here on records move
    if (toJudge !== undefined) {
      const known = options.sources.length === 0 ? [] : await store.sources();
      for (const source of options.sources) {
        if (source.deadLetters !== undefined) stack.use(source.deadLetters);
        const events = stack.use(await source.open(known, store));
        sources.push(events);
        const parts = { store, fingerprinter, bus: options.tap?.(toJudge) ?? toJudge, isShared: bus !== undefined, stack };
        pumps.push(openPump(source, events, options, parts));
      }
    } else if (options.sources.length > 0) {
      throw new Error('BUG: records are read and nobody judges them');
    }
    return new Pipeline({
      stores,
      directory,
      judge,
      pumps,
      sources,
      judgesAlone: bus === undefined && stores.lease !== undefined,
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
    return this.#parts.judge?.seat.desk;
  }

  get judging(): Judging | undefined {
    return this.#parts.judge?.judging;
  }

  /** Whether this process has sources of its own. */
  get reads(): boolean {
    return this.#parts.pumps.length > 0;
  }

  /** Who can be told of Keywatch itself without the journal. */
  get notifiers(): readonly Notifier[] {
    return this.#parts.judge?.notifiers() ?? [];
  }

  /** Other keys or limits from now on. */
  async useDirectory(config: Pick<Config, 'rules' | 'directory'>): Promise<void> {
    this.#parts.directory.replace(config);
    await this.judging?.reload();
  }

  /** Another configuration, as far as a running process can take it. The audit tells who read it again. */
  async useConfig(config: Config, { actor, changes }: { readonly actor: Actor; readonly changes: readonly string[] }): Promise<void> {
    const { judge, stores, clock } = this.#parts;
    if (judge === undefined) return this.#parts.directory.replace(config);
    await judge.useConfig(config);
    await stores.inbox?.submit({ kind: 'reload_notice', id: randomUUID(), at: clock.now(), actor, changes });
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

  /** Of topics: every partition that this process was given, also those that are halted before anything of them was read. */
  positions(): readonly PartitionPosition[] {
    return this.#parts.sources.flatMap((source) => source.positions?.() ?? []);
  }

  storeStats(): StoreStats | undefined {
    return this.#parts.stores.stats();
  }

  /** Drops what is past its time from the indices of dashboards. */
  retainDerived(now: EpochMs): Promise<readonly string[]> {
    return this.#parts.stores.retain(now);
  }

  /** After `run`: partitions of which not everything that was read is stored. */
  get unstored(): readonly string[] {
    return this.#parts.pumps.flatMap((pump) => pump.unstored);
  }

  partitions(): readonly PartitionState[] {
    return this.#parts.pumps.flatMap((pump) => pump.partitions());
  }

  /**
   * Reads, judges and tells until `signal` aborts or the sources end. Then, in this order: everything that was read is
   * stored and judged, what is to be told is sent (for a moment), and the rest stops.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { judge } = this.#parts;
    const stop = new AbortController();
    const reading = new AbortController();
    const onAbort = (): void => reading.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) reading.abort();
    const rest = judge === undefined ? [] : [judge.seat.run(stop.signal), this.#reportUnheard(judge, stop.signal)];
    const reads = this.#read(reading.signal);
    // A fault in any part ends reading too; nothing is committed after it.
    const failing = Promise.all(rest);
    try {
      await Promise.race([reads, ...(judge === undefined ? [] : [failing, judge.broken])]);
      await judge?.seat.drain(AbortSignal.timeout(signal.aborted ? LAST_WORDS_MS : DRAIN_MS));
    } finally {
      reading.abort();
      stop.abort();
      signal.removeEventListener('abort', onAbort);
      // Nothing that still works may find its store closed.
      await Promise.allSettled([...rest, reads]);
    }
    await failing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#parts.judge?.seat.leave();
    } finally {
      await this.#parts.stack.disposeAsync();
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { pumps, judge, judgesAlone, onProblem } = this.#parts;
    if (pumps.length === 0) return aborted(signal);
    if (judgesAlone && judge !== undefined) {
      await judge.seat.seated(AbortSignal.any([signal, AbortSignal.timeout(SEAT_WAIT_MS)]));
      if (!judge.seat.isLeading && !signal.aborted) onProblem(WAITS_FOR_SEAT);
      await judge.seat.seated(signal);
    }
    await Promise.all(pumps.map((pump) => pump.run(signal)));
  }

  /** A partition that nobody reads keeps everything from being judged: somebody should know. */
  async #reportUnheard({ seat, progress }: OpenedJudging, signal: AbortSignal): Promise<void> {
    const { clock, onProblem } = this.#parts;
    if (progress === undefined) return;
    let before = '';
    while (!signal.aborted) {
      await clock.sleep(UNHEARD_EVERY_MS, signal);
      const unheard = seat.isLeading ? progress.unheard(clock.now()) : [];
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
