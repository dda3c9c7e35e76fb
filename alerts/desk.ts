import { setImmediate as turnOfOthers } from 'node:timers/promises';
import { type Alert, type JournalBody, type NotificationKind, type OutboxRow } from '../core/alert.ts';
import type { Evaluation } from '../core/finding.ts';
import type { Incident } from '../core/incident.ts';
import type { CommandResult, OperatorCommand } from '../core/operator.ts';
import type { CommandInbox } from '../core/ports.ts';
import { type EntityId, type EpochMs, type Minute, severityRank } from '../core/types.ts';
import { HOUR_MS } from '../core/window.ts';
import { obey } from './commands.ts';
import { condensed } from './covers.ts';
import { failureBody } from './dead-letter.ts';
import {
  catchUpSummary,
  checkChannels,
  commandContext,
  digestParts,
  fallbackOf,
  watchedOf,
  dropUnknownChannels,
  nextBoundary,
  overlayContext,
  routingOf,
  staleAt,
  tellEvents,
} from './desk-context.ts';
import type { ChannelHealth, DeskChannel, DeskOptions } from './desk-options.ts';
import { ANNOUNCED, type DeskState, SURVEY } from './desk-state.ts';
import { type DigestCoverage, digestText } from './digest.ts';
import { escalationOf } from './escalation.ts';
import { isEmpty, isLarge, splitBody } from './entry-parts.ts';
import { FLEET_LINEAGES } from './incident-config.ts';
import { IncidentDraft } from './incident-draft.ts';
import { JournalTakenError } from './journal-taken.ts';
import { Lifecycle, type Step } from './lifecycle.ts';
import { type Loaded, loadState } from './load-state.ts';
import { FIRST_WAIT_MS } from './plan.ts';
import { RISK_SPEC, takeRisks } from './risk-alert.ts';
import type { RuleSpec } from './rule-spec.ts';
import { Sender } from './sender.ts';
import { SteadyClock } from './steady-clock.ts';
import { together } from './together.ts';
import { surveyText } from './survey.ts';

/** Alerts in one entry: an entry is one text, and a text has a longest. */
const ENTRY_ALERTS_MAX = 2000;
/** Evaluations decided in one go: well below a tenth of a second. */
const OBSERVE_MAX = 500;
/** Entries between two snapshots. */
export const SNAPSHOT_EVERY = 500;
const ACTOR = 'keywatch';
const DIGEST_ALERTS_MAX = 10_000;

export { JournalTakenError };
export type { ChannelHealth, DeskChannel, DeskEvent, DeskOptions } from './desk-options.ts';

/**
 * Where evaluations become alerts and alerts become messages. Every call that changes anything is one journal entry,
 * appended before anything is sent; what the desk knows is a fold over the journal, so that a restart changes nothing.
 */
export class AlertDesk implements AsyncDisposable {
  readonly #options: DeskOptions;
  readonly #lifecycle: Lifecycle;
  readonly #rules: ReadonlyMap<string, RuleSpec>;
  /** When to look at an incident again; those that are not in it are looked at by the next tick. */
  readonly #due = new Map<string, EpochMs>();
  /** When a silence, a maintenance, an exception or the survey begins or ends next. */
  #boundary: EpochMs = 0;
  readonly #senders: readonly Sender[];
  /** For timers; what people and traffic say of times is compared with the wall clock. */
  readonly #time: SteadyClock;
  readonly #state: DeskState;
  #seq: number;
  #snapshotSeq: number;
  #tail: Promise<void> = Promise.resolve();
  #fault: Error | undefined;

  private constructor(options: DeskOptions, { state, seq, snapshotSeq, newestAt }: Loaded) {
    this.#options = options;
    this.#time = new SteadyClock(options.clock, newestAt);
    this.#state = state;
    this.#seq = seq;
    this.#snapshotSeq = snapshotSeq;
    this.#rules = new Map([RISK_SPEC, ...options.rules].map((spec) => [spec.rule, spec]));
    this.#lifecycle = new Lifecycle({ tenant: options.tenant ?? 'default', rules: this.#rules, directory: options.directory, isDeleted: options.isDeleted });
    this.#senders = options.channels.map((channel) => this.#senderOf(channel));
  }

  /** Loads what the journal says, and ends the alerts of rules and the rows of channels that are no longer configured. */
  static async open(options: DeskOptions): Promise<AlertDesk> {
    checkChannels(options);
    const loaded = await loadState(options.journal);
    const { state } = loaded;
    const desk = new AlertDesk(options, loaded);
    await desk.#commit((now) =>
      desk.#decide(now, (draft) => {
        draft.repair();
        return desk.#takeStep(draft, desk.#lifecycle.retire(state, now), now);
      }),
    );
    await desk.#commit((now) => dropUnknownChannels(state, options.channels, now));
    return desk;
  }

  /** Of the newest entry: what is derived from the journal carries it as its version. */
  get seq(): number {
    return this.#seq;
  }

  /** Windows before this minute are judged and their findings durable; 0 before the first. Judging goes on here after a restart. */
  get judgedThrough(): Minute {
    return this.#state.judgedThrough;
  }

  /** What the detectors said, in any order. `judgedThrough`: windows before it are complete with these evaluations. */
  async observe(evaluations: readonly Evaluation[], progress: { readonly judgedThrough?: Minute } = {}): Promise<void> {
    const sorted = evaluations.length > OBSERVE_MAX ? evaluations.toSorted((a, b) => a.window.end - b.window.end) : evaluations;
    for (let from = 0; ; from += OBSERVE_MAX) {
      const some = sorted.slice(from, from + OBSERVE_MAX);
      const isPartial = from + OBSERVE_MAX < sorted.length;
      await this.#commit((now) => {
        const judgedThrough = progress.judgedThrough ?? this.#state.judgedThrough;
        const input = { evaluations: some, judgedThrough, now, wall: this.#wall, isPartial };
        const body = this.#decide(now, (draft) => this.#takeStep(draft, this.#lifecycle.observe(this.#state, input), now));
        // A crash before the last part: all of it is judged again.
        return judgedThrough > this.#state.judgedThrough && !isPartial ? { ...body, judgedThrough } : body;
      });
      if (!isPartial) return;
      // Channels, sources and the lease have their turn.
      await turnOfOthers();
    }
  }

  /** Timers of the wall clock: waits, repeats, escalation, ends of silences. Call it about every second. `watermark`: event time that all sources passed, where that is known. */
  async tick(input: { readonly watermark?: EpochMs | undefined } = {}): Promise<void> {
    await this.#commit((now) => {
      const stale = staleAt(this.#state, this.#wall, input.watermark);
      const step = stale.isStale ? undefined : this.#lifecycle.tick(this.#state, now);
      const body = this.#decide(now, (draft) => {
        draft.expire();
        draft.touch(this.#dueAt(now, this.#wall));
        return { ...(step === undefined ? {} : this.#takeStep(draft, step, now)), ...stale.body };
      });
      if (stale.told === undefined) return body;
      return { ...body, outbox: [...(body.outbox ?? []), ...this.#toChannels({ ...stale.told, kind: 'pipeline', now }, () => true)] };
    });
    await this.#survey();
  }

  /**
   * Applies what people asked for, each as one entry with its answer, and takes it out of the inbox once that is durable.
   * One that was answered before a crash is only taken out.
   */
  async obeyAll(inbox: CommandInbox): Promise<void> {
    const commands = await inbox.pending();
    for (const command of commands) await this.obey(command);
    if (commands.length > 0) await inbox.remove(commands.map((command) => command.id));
  }

  /** The answer, once it is durable; undefined when it was given before. */
  async obey(command: OperatorCommand): Promise<CommandResult | undefined> {
    let result: CommandResult | undefined;
    await this.#commit((now) => {
      if (this.#state.hasObeyed(command.id)) return undefined;
      const body = this.#decide(now, (draft) => {
        const context = commandContext({
          state: this.#state,
          options: this.#options,
          rules: this.#rules,
          lifecycle: this.#lifecycle,
          draft,
          now,
          wall: this.#wall,
        });
        const obeyed = obey(command, context);
        result = obeyed.result;
        if (obeyed.isForAll) {
          draft.touch(this.#state.incidents.keys());
          // What it changed begins or ends at times of its own.
          this.#boundary = 0;
        }
        return obeyed.body;
      });
      if (command.kind !== 'reload_notice' || command.text === undefined) return body;
      return {
        ...body,
        outbox: [...(body.outbox ?? []), ...this.#toChannels({ name: `reload-${command.id}`, kind: 'pipeline', text: command.text, now }, () => true)],
      };
    });
    return result;
  }

  /** Pairs of entity and rule with an open alert: detectors must evaluate them although nothing breaches. */
  watched(): ReadonlyMap<EntityId, ReadonlySet<string>> {
    return watchedOf(this.#state, this.#options.directory);
  }

  /** Every alert whose episode is not archived. */
  alerts(): readonly Alert[] {
    return [...this.#state.alerts.values()].map((tracked) => tracked.alert);
  }

  /** Every incident that is not archived. */
  incidents(): readonly Incident[] {
    return [...this.#state.incidents.values()].map((tracked) => tracked.incident);
  }

  health(): readonly ChannelHealth[] {
    return this.#senders.map(({ name }) => {
      const queue = this.#state.channel(name);
      return { channel: name, queued: queue.rows.size, failures: queue.failures, failingSince: queue.failingSince, pausedUntil: queue.pausedUntil };
    });
  }

  /** Queues the digest of the time since the last one, also when it is empty. A name already used (a day) queues nothing. */
  async digest(input: { readonly name: string; readonly coverage: DigestCoverage }): Promise<void> {
    const listed = await this.#options.journal.alerts({ limit: DIGEST_ALERTS_MAX });
    const name = `digest-${input.name}`;
    await this.#commit((now) => {
      if (this.#state.lastDigest === name) return undefined;
      const text = digestText({
        now,
        since: this.#state.sinceDigest,
        alerts: listed,
        coverage: input.coverage,
        queues: this.health(),
        ...digestParts(this.#state, now),
      });
      return { outbox: this.#toChannels({ name, kind: 'digest', text, now }, (channel) => channel.hasDigest ?? true) };
    });
  }

  /** Queues a message about Keywatch itself for every channel. The name makes it one message, however often it is announced. */
  async announce(input: { readonly name: string; readonly text: string }): Promise<void> {
    const name = `${ANNOUNCED}${input.name}`;
    await this.#commit((now) =>
      this.#state.announced.includes(name) ? undefined : { outbox: this.#toChannels({ name, kind: 'pipeline', text: input.text, now }, () => true) },
    );
  }

  /** Sends in the background until aborted. Rejects when the journal is lost: then the process must end. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#senders.length === 0)
      await new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true })));
    await together(this.#senders, signal, (sender, stop) => sender.run(stop, { untilEmpty: false }));
  }

  /** Resolves once nothing is left to send, or when aborted. */
  async drain(signal: AbortSignal): Promise<void> {
    await together(this.#senders, signal, (sender, stop) => (sender.isRunning ? sender.whenEmpty(stop) : sender.run(stop, { untilEmpty: true })));
  }

  /** Waits for what is being written and saves a snapshot. Abort `run` first. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tail.catch(() => undefined);
    if (this.#fault === undefined) await this.#snapshot();
  }

  get #wall(): EpochMs {
    return this.#options.clock.now();
  }

  /** One decision at a time: decide on the state, append, apply, wake. */
  async #commit(decide: (now: EpochMs) => Partial<JournalBody> | undefined): Promise<void> {
    const turn = this.#tail.then(async () => {
      if (this.#fault !== undefined) throw this.#fault;
      const now = this.#time.now();
      const decided = decide(now);
      if (decided === undefined || isEmpty(decided)) return;
      // Between deciding and writing very much others have their turn; nobody else decides meanwhile.
      for (const part of splitBody(decided, ENTRY_ALERTS_MAX)) {
        if (isLarge(decided)) await turnOfOthers();
        await this.#append(part, now);
      }
      for (const sender of this.#senders) sender.wake();
      if (this.#seq - this.#snapshotSeq < SNAPSHOT_EVERY) return;
      // A snapshot only shortens the next start: without one the journal says it all.
      await this.#snapshot().catch((cause: unknown) =>
        this.#options.onEvent?.({ kind: 'problem', error: new Error('the snapshot of the alerts was not saved', { cause }) }),
      );
    });
    this.#tail = turn.catch(() => undefined);
    return turn;
  }

  async #append(partial: Partial<JournalBody>, now: EpochMs): Promise<void> {
    const body: JournalBody = { at: now, actor: ACTOR, transitions: [], alerts: [], outbox: [], deliveries: [], ...partial };
    if ((await this.#options.journal.append(this.#seq + 1, body)) === 'taken') {
      this.#fault = new JournalTakenError(this.#seq + 1);
      throw this.#fault;
    }
    this.#seq++;
    tellEvents(this.#options, this.#state, body);
    this.#state.apply(body);
  }

  async #snapshot(): Promise<void> {
    if (this.#seq === this.#snapshotSeq) return;
    await this.#options.journal.saveSnapshot({ seq: this.#seq, state: this.#state.toJson() });
    this.#snapshotSeq = this.#seq;
  }

  /** One decision: `work` on the alerts, then what every incident that it touched tells. */
  #decide(now: EpochMs, work: (draft: IncidentDraft) => Partial<JournalBody>): Partial<JournalBody> {
    const options = this.#options;
    const routing = routingOf(options, this.#wall);
    const draft = new IncidentDraft(
      this.#state,
      {
        rules: this.#rules,
        canonical: (entity) => options.directory.canonical(entity),
        channels: options.channels.map(({ notifier }) => ({ name: notifier.name, hasThreads: notifier.hasThreads ?? false })),
        routing,
        steps: escalationOf(options.escalation),
        waits: { ...FIRST_WAIT_MS, ...options.grouping?.waits },
        fleetLineages: options.grouping?.fleetLineages ?? FLEET_LINEAGES,
      },
      now,
    );
    const more = work(draft);
    takeRisks({ draft, lifecycle: this.#lifecycle, state: this.#state, tenant: options.tenant ?? 'default', now, wall: this.#wall });
    const due = draft.plan(
      overlayContext({ state: this.#state, options, rules: this.#rules, draft, more, now: this.#wall }),
      (incident, channel) => this.#state.channels.get(channel)?.willBelieveFiring(incident) ?? false,
    );
    for (const [id, at] of due) this.#due.set(id, at);
    const body = draft.body();
    const outbox = options.channels.flatMap(({ notifier }) =>
      condensed(body.outbox, { id: `storm-${this.#seq + 1}/${notifier.name}`, channel: notifier.name, now }),
    );
    return { ...body, ...more, outbox: [...outbox, ...(more.outbox ?? [])] };
  }

  /** What the state machine decided, and what stands beside it. */
  #takeStep(draft: IncidentDraft, step: Step, now: EpochMs): Partial<JournalBody> {
    draft.take(step);
    return { outbox: this.#summaryRows(step, now), ...(step.catchUp === undefined ? {} : { catchUp: step.catchUp }) };
  }

  /** Incidents whose time has come; all of them when an overlay began or ended meanwhile. */
  #dueAt(now: EpochMs, wall: EpochMs): Iterable<string> {
    const { incidents } = this.#state;
    const isPassed = wall >= this.#boundary;
    if (isPassed) this.#boundary = nextBoundary(this.#state, this.#options.surveyMs ?? 0, wall);
    for (const id of this.#due.keys()) if (!incidents.has(id)) this.#due.delete(id);
    return isPassed ? [...incidents.keys()] : [...incidents.keys()].filter((id) => now >= (this.#due.get(id) ?? 0));
  }

  /** While a new installation only looks: what it would have told, once an hour. */
  async #survey(): Promise<void> {
    const { surveyMs = 0, journal, clock } = this.#options;
    const { installedAt, surveyHour } = this.#state;
    if (surveyMs === 0 || installedAt === 0) return;
    const hour = Math.floor((Math.min(clock.now(), installedAt + surveyMs) - installedAt) / HOUR_MS);
    if (hour <= surveyHour) return;
    const from = installedAt + surveyHour * HOUR_MS;
    const listed = await journal.alerts({ since: installedAt, limit: DIGEST_ALERTS_MAX });
    await this.#commit((now) => {
      if (hour <= this.#state.surveyHour) return undefined;
      const text = surveyText({ now, from, until: installedAt + surveyMs, alerts: listed });
      return { outbox: this.#toChannels({ name: `${SURVEY}${hour}`, kind: 'survey', text, now }, (channel) => channel.hasDigest ?? true) };
    });
  }

  /** The end of a catch-up, for the channels that would have heard at least one of its alerts. */
  #summaryRows(step: Step, now: EpochMs): readonly OutboxRow[] {
    const summary = catchUpSummary(this.#state, step);
    if (summary === undefined) return [];
    const message = { name: `catch-up-${this.#seq + 1}`, kind: 'summary', text: summary.text, now } as const;
    return this.#toChannels(message, (channel) => severityRank(channel.minSeverity) <= summary.worst);
  }

  #toChannels(
    message: { readonly name: string; readonly kind: NotificationKind; readonly text: string; readonly now: EpochMs },
    wants: (channel: DeskChannel) => boolean,
  ): readonly OutboxRow[] {
    const { name, kind, text, now } = message;
    return this.#options.channels
      .filter((channel) => channel.isForIncidentsOnly !== true && wants(channel))
      .map(({ notifier }) => ({ id: `${name}/${notifier.name}`, channel: notifier.name, kind, createdAt: now, dueAt: now, text }));
  }

  #senderOf(channel: DeskChannel): Sender {
    const { name } = channel.notifier;
    const { random, series, links } = this.#options;
    return new Sender(
      { notifier: channel.notifier, perSecond: channel.perSecond ?? 1, burst: channel.burst ?? 5 },
      {
        clock: this.#time,
        random,
        series,
        links,
        queue: () => this.#state.channel(name),
        commit: (decide) => this.#commit(decide),
        afterFailure: (row, result, reason, now) =>
          failureBody({ state: this.#state, row, result, channel: name, reason, fallback: fallbackOf(this.#options, name), now }),
      },
    );
  }
}
