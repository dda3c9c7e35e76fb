import type { CatchUp, Delivery, JournalBody, OutboxRow } from '../core/alert.ts';
import type { EpochMs, Minute, Severity } from '../core/types.ts';
import { ChannelQueue, type QueueJson } from './channel-queue.ts';
import type { Tracked } from './episode.ts';
import type { LifecycleView } from './lifecycle.ts';

/** A message that was given up. */
export type DeadLetter = {
  readonly channel: string;
  readonly kind: OutboxRow['kind'];
  readonly at: EpochMs;
  readonly reason: string;
  readonly label?: string;
  readonly severity?: Severity;
};

/** What the next digest tells beside the alerts themselves. */
export type SinceDigest = {
  readonly from: EpochMs;
  /** Alerts that were never confirmed, per rule. */
  readonly nearMisses: Readonly<Record<string, number>>;
  /** Alerts told in a catch-up summary only. */
  readonly summedUp: number;
  /** Messages that went out inside another one. */
  readonly merged: number;
  readonly dead: number;
  /** The newest of them. */
  readonly deadLetters: readonly DeadLetter[];
};

const DEAD_LETTERS_MAX = 20;
const SNAPSHOT_VERSION = 1;

type Json = {
  readonly version: number;
  readonly alerts: readonly Tracked[];
  readonly judgedThrough: Minute;
  readonly advancedAt: EpochMs;
  readonly catchUp: CatchUp | null;
  readonly channels: Readonly<Record<string, QueueJson>>;
  readonly sinceDigest: SinceDigest;
  readonly lastDigest: string | null;
  readonly announced: readonly string[];
};

/** How the ids of announcements begin. */
export const ANNOUNCED = 'note-';
const ANNOUNCED_MAX = 100;

/** The audit action that marks a channel's failure as reported to another. */
export const CHANNEL_FAILING = 'channel_failing';

/**
 * Everything the alert desk knows: a fold over the journal. It changes by `apply` only, with exactly what was
 * appended, so that a restart (snapshot and the entries after it, or all entries) ends in the same state.
 */
export class DeskState implements LifecycleView {
  readonly #alerts = new Map<string, Tracked>();
  readonly #channels = new Map<string, ChannelQueue>();
  #judgedThrough: Minute = 0;
  #advancedAt: EpochMs = 0;
  #catchUp: CatchUp | undefined;
  #sinceDigest: SinceDigest = emptySince(0);
  #lastDigest: string | undefined;
  #announced: readonly string[] = [];

  get alerts(): ReadonlyMap<string, Tracked> {
    return this.#alerts;
  }

  get judgedThrough(): Minute {
    return this.#judgedThrough;
  }

  get advancedAt(): EpochMs {
    return this.#advancedAt;
  }

  get catchUp(): CatchUp | undefined {
    return this.#catchUp;
  }

  get channels(): ReadonlyMap<string, ChannelQueue> {
    return this.#channels;
  }

  get sinceDigest(): SinceDigest {
    return this.#sinceDigest;
  }

  /** Name of the last digest that was queued. */
  get lastDigest(): string | undefined {
    return this.#lastDigest;
  }

  /** Names of the newest announcements: each is queued once. */
  get announced(): readonly string[] {
    return this.#announced;
  }

  /** The queue of a channel, made when first named. */
  channel(name: string): ChannelQueue {
    let queue = this.#channels.get(name);
    if (queue === undefined) this.#channels.set(name, (queue = new ChannelQueue()));
    return queue;
  }

  apply(body: JournalBody): void {
    if (this.#sinceDigest.from === 0) this.#sinceDigest = emptySince(body.at);
    this.#applyAlerts(body);
    if (body.catchUp !== undefined) this.#catchUp = body.catchUp ?? undefined;
    for (const delivery of body.deliveries) this.#applyDelivery(delivery);
    for (const row of body.outbox) this.channel(row.channel).enqueue(row);
    // After the rows of this entry: an episode may end and be over for good in one step, and its end is still to be told.
    for (const alert of body.archived ?? []) for (const queue of this.#channels.values()) queue.forget(alert);
    const notes = new Set(body.outbox.map(messageName).filter((name) => name.startsWith(ANNOUNCED)));
    if (notes.size > 0) this.#announced = [...this.#announced, ...notes].slice(-ANNOUNCED_MAX);
    for (const { action, subject } of body.audit ?? []) if (action === CHANNEL_FAILING) this.channel(subject).markFailureReported();
    const digest = body.outbox.find((row) => row.kind === 'digest');
    if (digest !== undefined) {
      this.#lastDigest = messageName(digest);
      this.#sinceDigest = emptySince(body.at);
    }
    if (body.judgedThrough !== undefined && body.judgedThrough > this.#judgedThrough) {
      this.#judgedThrough = body.judgedThrough;
      this.#advancedAt = body.at;
    }
  }

  toJson(): string {
    const json: Json = {
      version: SNAPSHOT_VERSION,
      alerts: [...this.#alerts.values()],
      judgedThrough: this.#judgedThrough,
      advancedAt: this.#advancedAt,
      catchUp: this.#catchUp ?? null,
      channels: Object.fromEntries([...this.#channels].filter(([, queue]) => !queue.isPristine).map(([name, queue]) => [name, queue.toJson()])),
      sinceDigest: this.#sinceDigest,
      lastDigest: this.#lastDigest ?? null,
      announced: this.#announced,
    };
    return JSON.stringify(json);
  }

  /** Undefined for a snapshot of another version: the caller folds the whole journal instead. */
  static fromJson(text: string): DeskState | undefined {
    const json = JSON.parse(text) as Json;
    if (json.version !== SNAPSHOT_VERSION) return undefined;
    const state = new DeskState();
    for (const tracked of json.alerts) state.#alerts.set(tracked.alert.dedupKey, tracked);
    for (const [name, queue] of Object.entries(json.channels)) state.#channels.set(name, new ChannelQueue(queue));
    state.#judgedThrough = json.judgedThrough;
    state.#advancedAt = json.advancedAt;
    state.#catchUp = json.catchUp ?? undefined;
    state.#sinceDigest = json.sinceDigest;
    state.#lastDigest = json.lastDigest ?? undefined;
    state.#announced = json.announced;
    return state;
  }

  #applyAlerts(body: JournalBody): void {
    const archived = new Set(body.archived);
    if (archived.size > 0) for (const [key, { alert }] of this.#alerts) if (archived.has(alert.id)) this.#alerts.delete(key);
    const tracks = new Map((body.tracks ?? []).map((track) => [track.id, track]));
    for (const alert of body.alerts) {
      const track = tracks.get(alert.id);
      if (track !== undefined && !archived.has(alert.id)) this.#alerts.set(alert.dedupKey, { alert, track });
    }
    const rules = new Map(body.alerts.map((alert) => [alert.id, alert.rule]));
    for (const { alert, cause } of body.transitions) {
      const since = this.#sinceDigest;
      const rule = rules.get(alert) ?? 'unknown';
      if (cause === 'not_confirmed') this.#sinceDigest = { ...since, nearMisses: { ...since.nearMisses, [rule]: (since.nearMisses[rule] ?? 0) + 1 } };
      if (cause === 'confirmed' && tracks.get(alert)?.announced === undefined) this.#sinceDigest = { ...since, summedUp: since.summedUp + 1 };
    }
  }

  #applyDelivery(delivery: Delivery): void {
    for (const [channel, queue] of this.#channels) {
      const row = queue.rows.get(delivery.row)?.row;
      if (row === undefined) continue;
      queue.record(delivery);
      const since = this.#sinceDigest;
      if (delivery.result === 'merged') this.#sinceDigest = { ...since, merged: since.merged + 1 };
      // Attempt 0: never tried, because it would have said nothing.
      if (delivery.result !== 'dead' || delivery.attempt === 0) continue;
      const letter = deadLetter(channel, row, delivery);
      this.#sinceDigest = { ...since, dead: since.dead + 1, deadLetters: [...since.deadLetters, letter].slice(-DEAD_LETTERS_MAX) };
    }
  }
}

/** Rows of one message to several channels differ in their channel only: `<name>/<channel>`. */
function messageName(row: OutboxRow): string {
  return row.id.slice(0, row.id.indexOf('/'));
}

function deadLetter(channel: string, row: OutboxRow, delivery: Delivery): DeadLetter {
  const letter = { channel, kind: row.kind, at: delivery.at, reason: delivery.reason ?? 'unknown' };
  return row.alert === undefined ? letter : { ...letter, label: row.alert.label, severity: row.alert.severity };
}

function emptySince(from: EpochMs): SinceDigest {
  return { from, nearMisses: {}, summedUp: 0, merged: 0, dead: 0, deadLetters: [] };
}
