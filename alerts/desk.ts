import type { Alert, Delivery, JournalBody, NotificationKind, OutboxRow, Transition } from '../core/alert.ts';
import type { Clock } from '../core/clock.ts';
import type { KeyDirectory } from '../core/directory.ts';
import type { Evaluation } from '../core/finding.ts';
import type { Journal, Notifier } from '../core/ports.ts';
import { type EntityId, type EpochMs, type Minute, SEVERITIES, type Severity, severityRank } from '../core/types.ts';
import { mergedRow } from './covers.ts';
import { deadLetterBody, failingBody } from './dead-letter.ts';
import { ANNOUNCED, DeskState } from './desk-state.ts';
import { type DigestCoverage, digestText } from './digest.ts';
import { Lifecycle, type Step } from './lifecycle.ts';
import { splitRows } from './outbox.ts';
import { type ChannelRoute, routeNotices } from './route.ts';
import type { RuleSpec } from './rule-spec.ts';
import { Sender } from './sender.ts';
import { catchUpText } from './summary.ts';

/** Alerts in one entry: an entry is one text, and a text has a longest. */
const ENTRY_ALERTS_MAX = 2000;
/** Entries between two snapshots. */
export const SNAPSHOT_EVERY = 500;
const ACTOR = 'keywatch';
const DIGEST_ALERTS_MAX = 10_000;

/** One channel: who sends, what it wants to hear, how fast. */
export type DeskChannel = {
  readonly notifier: Notifier;
  /** Alerts below it are told in the digest only. */
  readonly minSeverity: Severity;
  /** Whether it gets the daily digest; default yes. */
  readonly hasDigest?: boolean;
  /** Messages per second in the long run; default 1. */
  readonly perSecond?: number;
  /** Messages at once; default 5. */
  readonly burst?: number;
};

export type DeskOptions = {
  readonly journal: Journal;
  readonly channels: readonly DeskChannel[];
  /** The channel that hears of messages which another one did not take; default the first other one. */
  readonly fallback?: string;
  readonly rules: readonly RuleSpec[];
  readonly directory: Pick<KeyDirectory, 'canonical' | 'label'>;
  readonly clock: Clock;
  /** In [0, 1), for the jitter of retries. */
  readonly random: () => number;
  /** Part of every dedup key; default `default`. */
  readonly tenant?: string;
  /** Requests per minute before an alert, oldest first, for its sparkline. */
  readonly series?: (alert: Alert) => Promise<readonly number[] | undefined>;
  /** Told after the fact, for logs and screens. Must not throw. */
  readonly onEvent?: (event: DeskEvent) => void;
};

/** What became durable just now. */
export type DeskEvent =
  | { readonly kind: 'transition'; readonly transition: Transition; readonly alert: Alert | undefined }
  | { readonly kind: 'queued'; readonly row: OutboxRow }
  | { readonly kind: 'problem'; readonly error: Error }
  | { readonly kind: 'delivery'; readonly delivery: Delivery; readonly row: OutboxRow | undefined };

export type ChannelHealth = {
  readonly channel: string;
  readonly queued: number;
  /** Failed attempts since the last success. */
  readonly failures: number;
  readonly failingSince: EpochMs | undefined;
  readonly pausedUntil: EpochMs;
};

/** Another process appended to our journal: it is the judge now, and this one must end before it sends anything more. */
export class JournalTakenError extends Error {
  override readonly name = 'JournalTakenError';

  constructor(seq: number) {
    super(`journal entry ${seq} is taken: another keywatch process judges the same data; stop one of the two, this one ends here`);
  }
}

/**
 * Where evaluations become alerts and alerts become messages. Every call that changes anything is one journal entry,
 * appended before anything is sent; what the desk knows is a fold over the journal, so that a restart changes nothing.
 */
export class AlertDesk implements AsyncDisposable {
  readonly #options: DeskOptions;
  readonly #lifecycle: Lifecycle;
  readonly #routes: readonly ChannelRoute[];
  readonly #senders: readonly Sender[];
  readonly #state: DeskState;
  #seq: number;
  #snapshotSeq: number;
  #tail: Promise<void> = Promise.resolve();
  #fault: Error | undefined;

  private constructor(options: DeskOptions, state: DeskState, seq: number, snapshotSeq: number) {
    this.#options = options;
    this.#state = state;
    this.#seq = seq;
    this.#snapshotSeq = snapshotSeq;
    const rules = new Map(options.rules.map((spec) => [spec.rule, spec]));
    this.#lifecycle = new Lifecycle({ tenant: options.tenant ?? 'default', rules, directory: options.directory });
    this.#routes = options.channels.map(({ notifier, minSeverity }) => ({ name: notifier.name, minSeverity }));
    this.#senders = options.channels.map((channel) => this.#senderOf(channel));
  }

  /** Loads what the journal says, and ends the alerts of rules and the rows of channels that are no longer configured. */
  static async open(options: DeskOptions): Promise<AlertDesk> {
    const names = options.channels.map((channel) => channel.notifier.name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) throw new Error(`two notification channels are named '${twice}'; give each its own name`);
    if (options.fallback !== undefined && !names.includes(options.fallback))
      throw new Error(`the fallback channel '${options.fallback}' is not among the channels: ${names.join(', ')}`);
    const snapshot = await options.journal.snapshot();
    const restored = snapshot === undefined ? undefined : DeskState.fromJson(snapshot.state);
    const state = restored ?? new DeskState();
    const snapshotSeq = restored === undefined ? 0 : (snapshot?.seq ?? 0);
    let seq = snapshotSeq;
    for await (const entry of options.journal.entries(snapshotSeq + 1)) {
      state.apply(entry);
      seq = entry.seq;
    }
    const desk = new AlertDesk(options, state, seq, snapshotSeq);
    await desk.#commit((now) => desk.#bodyOf(desk.#lifecycle.retire(state, now), now));
    await desk.#commit((now) => desk.#dropUnknownChannels(now));
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
    await this.#commit((now) => {
      const judgedThrough = progress.judgedThrough ?? this.#state.judgedThrough;
      const body = this.#bodyOf(this.#lifecycle.observe(this.#state, { evaluations, judgedThrough, now }), now);
      return judgedThrough > this.#state.judgedThrough ? { ...body, judgedThrough } : body;
    });
  }

  /** Timers of the wall clock. Call it about every ten seconds. */
  async tick(): Promise<void> {
    await this.#commit((now) => this.#bodyOf(this.#lifecycle.tick(this.#state, now), now));
  }

  /** Pairs of entity and rule with an open alert: they must be evaluated although nothing breaches. */
  watched(): ReadonlyMap<EntityId, ReadonlySet<string>> {
    const watched = new Map<EntityId, Set<string>>();
    for (const { alert } of this.#state.alerts.values()) {
      if (alert.state === 'resolved') continue;
      const entity = this.#options.directory.canonical(alert.entity);
      const rules = watched.get(entity);
      if (rules === undefined) watched.set(entity, new Set([alert.rule]));
      else rules.add(alert.rule);
    }
    return watched;
  }

  /** Every alert whose episode is not archived. */
  alerts(): readonly Alert[] {
    return [...this.#state.alerts.values()].map((tracked) => tracked.alert);
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
      const text = digestText({ now, since: this.#state.sinceDigest, alerts: listed, coverage: input.coverage, queues: this.health() });
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
    await this.#together(signal, (sender, stop) => sender.run(stop, { untilEmpty: false }));
  }

  /** Resolves once nothing is left to send, or when aborted. */
  async drain(signal: AbortSignal): Promise<void> {
    await this.#together(signal, (sender, stop) => (sender.isRunning ? sender.whenEmpty(stop) : sender.run(stop, { untilEmpty: true })));
  }

  /** Waits for what is being written and saves a snapshot. Abort `run` first. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tail.catch(() => undefined);
    if (this.#fault === undefined) await this.#snapshot();
  }

  /** One sender that fails stops all of them. */
  async #together(signal: AbortSignal, work: (sender: Sender, stop: AbortSignal) => Promise<void>): Promise<void> {
    const stop = new AbortController();
    const onAbort = (): void => stop.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) stop.abort();
    try {
      const ends = await Promise.allSettled(
        this.#senders.map(async (sender) => {
          try {
            await work(sender, stop.signal);
          } catch (error) {
            stop.abort();
            throw error;
          }
        }),
      );
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** One decision at a time: decide on the state, append, apply, wake. */
  async #commit(decide: (now: EpochMs) => Partial<JournalBody> | undefined): Promise<void> {
    const turn = this.#tail.then(async () => {
      if (this.#fault !== undefined) throw this.#fault;
      const now = this.#options.clock.now();
      const decided = decide(now);
      if (decided === undefined || isEmpty(decided)) return;
      for (const part of splitBody(decided, ENTRY_ALERTS_MAX)) await this.#append(part, now);
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
    this.#tell(body);
    this.#state.apply(body);
  }

  async #snapshot(): Promise<void> {
    if (this.#seq === this.#snapshotSeq) return;
    await this.#options.journal.saveSnapshot({ seq: this.#seq, state: this.#state.toJson() });
    this.#snapshotSeq = this.#seq;
  }

  #bodyOf(step: Step, now: EpochMs): Partial<JournalBody> {
    const { notices, changed } = step;
    const { rows, tracks } = routeNotices({ notices, changed, channels: this.#routes, queues: this.#state.channels, now });
    const outbox = this.#routes.flatMap(({ name }) => this.#condense(name, rows, now));
    return {
      transitions: step.transitions,
      alerts: changed.map((tracked) => tracked.alert),
      outbox: [...outbox, ...this.#summaryRows(step, now)],
      ...(tracks.length === 0 ? {} : { tracks }),
      ...(step.archived.length === 0 ? {} : { archived: step.archived }),
      ...(step.catchUp === undefined ? {} : { catchUp: step.catchUp }),
    };
  }

  /** A storm is told in few messages from the start: a hundred thousand rows would only be merged later. */
  #condense(channel: string, rows: readonly OutboxRow[], now: EpochMs): readonly OutboxRow[] {
    const { kept, merged } = splitRows(rows.filter((row) => row.channel === channel));
    return merged.length === 0 ? kept : [...kept, mergedRow(merged, { id: `storm-${this.#seq + 1}/${channel}`, channel, now })];
  }

  /** The end of a catch-up, for the channels that would have heard at least one of its alerts. */
  #summaryRows({ summary, changed }: Step, now: EpochMs): readonly OutboxRow[] {
    if (summary === undefined) return [];
    const after = new Map([...this.#state.alerts.values(), ...changed].map(({ alert, track }) => [alert.id, { alert, track }]));
    const stillFiring = [...after.values()].filter(({ alert }) => alert.state === 'firing' && alert.startedAt <= summary.to).length;
    const worst = SEVERITIES.findLastIndex((severity) => (summary.severities[severity] ?? 0) > 0);
    const text = catchUpText(summary, stillFiring);
    return this.#toChannels({ name: `catch-up-${this.#seq + 1}`, kind: 'summary', text, now }, (channel) => severityRank(channel.minSeverity) <= worst);
  }

  #toChannels(
    message: { readonly name: string; readonly kind: NotificationKind; readonly text: string; readonly now: EpochMs },
    wants: (channel: DeskChannel) => boolean,
  ): readonly OutboxRow[] {
    const { name, kind, text, now } = message;
    return this.#options.channels
      .filter(wants)
      .map(({ notifier }) => ({ id: `${name}/${notifier.name}`, channel: notifier.name, kind, createdAt: now, dueAt: now, text }));
  }

  #dropUnknownChannels(now: EpochMs): Partial<JournalBody> {
    const known = new Set(this.#routes.map((route) => route.name));
    const rows = [...this.#state.channels].filter(([name]) => !known.has(name)).flatMap(([, queue]) => [...queue.rows.values()]);
    return {
      deliveries: rows.map(({ row, attempts }) => ({
        row: row.id,
        at: now,
        attempt: attempts,
        result: 'dead',
        reason: `the channel ${row.channel} is no longer configured`,
      })),
    };
  }

  #senderOf(channel: DeskChannel): Sender {
    const { name } = channel.notifier;
    const { clock, random, series } = this.#options;
    return new Sender(
      { notifier: channel.notifier, perSecond: channel.perSecond ?? 1, burst: channel.burst ?? 5 },
      {
        clock,
        random,
        series,
        queue: () => this.#state.channel(name),
        commit: (decide) => this.#commit(decide),
        afterFailure: (row, result, reason, now) => {
          const fallback = this.#fallbackOf(name);
          // A report about a lost report would go in circles.
          if (fallback === undefined || (result === 'dead' && row.kind === 'pipeline')) return {};
          if (result === 'dead') return deadLetterBody({ state: this.#state, row, reason, fallback, now });
          return failingBody({ state: this.#state, channel: name, reason, fallback, now }) ?? {};
        },
      },
    );
  }

  #fallbackOf(channel: string): string | undefined {
    const { fallback } = this.#options;
    return fallback !== undefined && fallback !== channel ? fallback : this.#routes.find((route) => route.name !== channel)?.name;
  }

  #tell(body: JournalBody): void {
    const { onEvent } = this.#options;
    if (onEvent === undefined) return;
    const alerts = new Map(body.alerts.map((alert) => [alert.id, alert]));
    for (const transition of body.transitions) onEvent({ kind: 'transition', transition, alert: alerts.get(transition.alert) });
    for (const row of body.outbox) onEvent({ kind: 'queued', row });
    for (const delivery of body.deliveries) {
      const row = [...this.#state.channels.values()].map((queue) => queue.rows.get(delivery.row)?.row).find((found) => found !== undefined);
      onEvent({ kind: 'delivery', delivery, row });
    }
  }
}

/** Whether an entry with nothing but this in it would say anything. */
function isEmpty(body: Partial<JournalBody>): boolean {
  return Object.values(body).every((part) => part === undefined || (Array.isArray(part) && part.length === 0));
}

/**
 * A decision about very many alerts, as several entries. Messages stand in the first one, how far was judged in the
 * last: after a crash between two the windows are judged again, and what was told may be told twice, but nothing is lost.
 */
function splitBody(body: Partial<JournalBody>, alertsMax: number): readonly Partial<JournalBody>[] {
  const { alerts = [], tracks = [], transitions = [], archived = [], judgedThrough, ...rest } = body;
  if (alerts.length <= alertsMax) return [body];
  const parts: Partial<JournalBody>[] = [];
  const known = new Set(alerts.map((alert) => alert.id));
  for (let from = 0; from < alerts.length; from += alertsMax) {
    const some = alerts.slice(from, from + alertsMax);
    const ids = new Set(some.map((alert) => alert.id));
    const isLast = from + alertsMax >= alerts.length;
    parts.push({
      ...(from === 0 ? rest : {}),
      alerts: some,
      tracks: tracks.filter((track) => ids.has(track.id)),
      transitions: transitions.filter((move) => ids.has(move.alert)),
      archived: archived.filter((id) => ids.has(id) || (isLast && !known.has(id))),
      ...(isLast && judgedThrough !== undefined ? { judgedThrough } : {}),
    });
  }
  return parts;
}
