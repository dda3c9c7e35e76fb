import { AlertDesk, type DeskEvent } from '../../alerts/desk.ts';
import { routerOf } from '../../alerts/route.ts';
import { thresholdSpec } from '../../alerts/rule-spec.ts';
import type { DeskChannel } from '../../alerts/desk-options.ts';
import type { KeyCards } from '../../alerts/notify/facts.ts';
import type { Alert } from '../../core/alert.ts';
import { C, at } from '../../core/counters.ts';
import type { PartialBatch } from '../../core/partial.ts';
import type { BusEvent, MetricStore, Notifier, PartialBus, PartitionProgress } from '../../core/ports.ts';
import type { EpochMs, Minute } from '../../core/types.ts';
import { MINUTE_MS, minuteOf } from '../../core/window.ts';
import { createJudge, type Judge } from '../../detectors/judge.ts';
import { LATE_MINUTES } from '../../detectors/ledger/state.ts';
import { seedFrom } from '../../detectors/seed.ts';
import type { Config } from '../config/config.ts';
import { channelsOf, notesOf } from './channels.ts';
import { keepUp } from './channel-upkeep.ts';
import { type ConfiguredDirectory, enabledRules } from './configured-directory.ts';
import { JournalFollower } from './journal-follower.ts';
import { JudgeSeat } from './judge-seat.ts';
import { Judging } from './judging.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { linksOf } from './links.ts';
import type { PipelineOptions, SharedBus, Stores } from './pipeline-options.ts';
import { ProgressTable, UNHEARD_MAX_MS } from './progress-table.ts';
import { isWorldFault } from './world-fault.ts';

const SERIES_MINUTES = 60;
/** Window documents are made of the rows that the judge holds: a few minutes of a million keys. */
const SHARED_EVIDENCE_BYTES = 1024 * 1024 * 1024;
/** Clocks of gateways may be ahead of ours by two minutes. */
const AHEAD_MINUTES = 3;

export type OpenedJudging = {
  /** Who can be told of Keywatch itself without the journal. */
  readonly notifiers: () => readonly Notifier[];
  /** Another configuration, as far as a running process can take it: the desk is opened anew. */
  readonly useConfig: (config: Config) => Promise<void>;
  readonly seat: JudgeSeat;
  readonly judging: Judging;
  /** For what this process reads itself, where there is no bus between processes. */
  readonly local: PartialBus;
  /** Where the judge hears of partitions over a bus. */
  readonly progress: ProgressTable | undefined;
  /** Rejects when what comes over the bus cannot be taken in any more: a fault of ours. */
  readonly broken: Promise<never>;
};

export type JudgingParts = {
  readonly stores: Stores;
  readonly directory: ConfiguredDirectory;
  readonly bus: SharedBus | undefined;
  /** Where the partitions of this process stand. */
  readonly ownProgress: () => Iterable<PartitionProgress>;
  readonly onEvent: (event: DeskEvent) => void;
  readonly stack: AsyncDisposableStack;
};

/** The judge, with the last hour from the store and everything that is published from here on. */
export async function openJudging(options: PipelineOptions, parts: JudgingParts): Promise<OpenedJudging> {
  let { config } = options;
  const { clock, onProblem } = options;
  const { stores, directory, bus, ownProgress, stack } = parts;
  const { store, journal, lease, windows } = stores;
  const cards: KeyCards = (lineage) => directory.keys.facts(lineage);
  let rules = enabledRules(config);
  const evidence = windows === undefined ? {} : { evidenceBytesMax: SHARED_EVIDENCE_BYTES, tracksChanges: true };
  const newJudge = async (judgedThrough: Minute): Promise<Judge> => {
    const judge = createJudge({ directory, rules, ...evidence });
    // Late partials of these minutes may be stored and not judged: they are judged once more, which the desk knows.
    const from = Math.max(0, judgedThrough - LATE_MINUTES);
    const partials = store.partials({ from: seedFrom(from), to: Number.MAX_SAFE_INTEGER });
    await judge.seed({ partials, until: minuteOf(clock.now()) + AHEAD_MINUTES, judgedThrough: from });
    return judge;
  };
  const keeper = lease === undefined ? undefined : new LeaseKeeper({ name: 'judge', holder: options.holder }, { store: lease, clock, onProblem });
  // The lease of a process that died runs out while the last hour is read.
  await keeper?.look();
  const progress = bus === undefined ? undefined : new ProgressTable();
  const seeded = Promise.withResolvers<Judging | undefined>();
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => undefined);
  if (bus !== undefined && progress !== undefined) {
    const take = async (event: BusEvent): Promise<void> => {
      const judging = await seeded.promise;
      if (judging === undefined) return;
      if (event.kind === 'progress') return progress.hear(event.partitions, clock.now());
      await publishPatiently(judging, event.batch, event.at);
      progress.receive(event.batch, clock.now());
    };
    // What is published from here on is seen; what was published before is in the store.
    const reader = stack.use(bus.reader());
    // A start that fails must not leave the reader waiting for it.
    stack.defer(() => seeded.resolve(undefined));
    await reader.start((event) =>
      take(event).catch((error: unknown) => {
        broken.reject(error);
        throw error;
      }),
    );
    progress.know(await store.heads(), clock.now());
  }
  const judging = new Judging({
    judge: await newJudge(await new JournalFollower(journal).poll()),
    directory,
    clock,
    progress: () => progress?.all(clock.now()) ?? ownProgress(),
    lateness: config.lateness,
    ...(progress === undefined ? {} : { idleAfter: UNHEARD_MAX_MS }),
  });
  const openChannels = (): readonly DeskChannel[] => [
    ...channelsOf(config, { clock, store, cards, contactOf: (lineage) => directory.keys.facts(lineage).contact, onProblem }),
    ...(options.channels ?? []),
  ];
  let channels = openChannels();
  let upkeep: AbortController | undefined;
  stack.defer(() => upkeep?.abort());
  const seat = new JudgeSeat({
    judging,
    directory,
    store,
    journal,
    clock,
    onProblem,
    windows,
    onLead: (isLeading) => {
      upkeep?.abort();
      upkeep = isLeading ? new AbortController() : undefined;
      if (upkeep !== undefined)
        keepUp(
          channels.map(({ notifier }) => notifier),
          { journal, clock, notes: (name) => notesOf(name, store), onProblem },
          upkeep.signal,
        ).catch(broken.reject);
      options.onLead?.(isLeading);
    },
    newJudge: (desk) => newJudge(desk.judgedThrough),
    lease: keeper,
    inbox: stores.inbox,
    openDesk: () =>
      AlertDesk.open({
        journal,
        channels,
        ...(config.alerts.fallback === undefined ? {} : { fallback: config.alerts.fallback }),
        rules: rules.map(thresholdSpec),
        surveyMs: config.alerts.surveyMs,
        escalation: config.alerts.escalation,
        labels: (entity) => directory.labels(entity),
        route: config.alerts.routes === undefined ? undefined : routerOf(config.alerts.routes),
        directory,
        clock,
        random: Math.random,
        series: (alert) => seriesOf(store, alert),
        links: linksOf(config),
        onEvent: parts.onEvent,
      }),
  });
  if (lease === undefined) await seat.sit();
  seeded.resolve(judging);
  const useConfig = async (next: Config): Promise<void> => {
    const before = rules;
    config = next;
    rules = enabledRules(next);
    channels = openChannels();
    directory.replace(next);
    await judging.reload();
    if (rules.join() !== before.join()) judging.distrust();
    await seat.renew();
  };
  const notifiers = (): readonly Notifier[] => channels.filter(({ isForIncidentsOnly }) => isForIncidentsOnly !== true).map(({ notifier }) => notifier);
  return { notifiers, useConfig, seat, judging, local: lease === undefined ? judging : patientBus(judging), progress, broken: broken.promise };
}

/** A reign that cannot write ends by itself; what it did not decide is judged from the store by the next one. */
async function publishPatiently(judging: Judging, batch: PartialBatch, at?: EpochMs): Promise<void> {
  try {
    await judging.publish(batch, at);
  } catch (error) {
    if (!isWorldFault(error)) throw error;
  }
}

function patientBus(judging: Judging): PartialBus {
  return { publish: (batch) => publishPatiently(judging, batch), hint: (batch) => judging.hint(batch), progress: () => judging.progress() };
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
