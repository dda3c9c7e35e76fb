import type { Delivery, NotificationKind, OutboxRow } from '../core/alert.ts';
import type { EpochMs } from '../core/types.ts';
import { MINUTE_MS } from '../core/window.ts';

/** A row that is not finished yet. */
export type QueuedRow = {
  readonly row: OutboxRow;
  readonly attempts: number;
  /** Not before: the row's own due time, then its next attempt. */
  readonly nextAt: EpochMs;
};

export type QueueJson = {
  readonly rows: readonly QueuedRow[];
  readonly told: readonly string[];
  readonly failures: number;
  readonly pausedUntil: EpochMs;
  readonly failingSince: EpochMs | null;
  readonly isFailureReported: boolean;
  readonly posts: readonly EpochMs[];
  readonly stormToldAt: EpochMs;
};

const TELLS_THAT_IT_FIRED: readonly NotificationKind[] = [
  'fired',
  'joined',
  'severity_up',
  'reopened',
  'ack_broken',
  'still_firing',
  'repeat',
  'escalated',
  'flapping',
  'flapping_ended',
  'containment_failed',
];
/** Posts are remembered so long: more than a few in it are a storm. */
export const STORM_WINDOW_MS = 10 * MINUTE_MS;
const POSTS_KEPT = 40;

export function tellsThatItFired(row: OutboxRow): boolean {
  return row.incident !== undefined && TELLS_THAT_IT_FIRED.includes(row.kind);
}

/** What one channel still has to send, and whom it has told what. A fold over the journal: it changes by `enqueue` and `record` only. */
export class ChannelQueue {
  readonly #rows = new Map<string, QueuedRow>();
  /** Incidents of which this channel was told that they fired, and not yet that they ended. */
  readonly #told = new Set<string>();
  #failures = 0;
  #pausedUntil: EpochMs = 0;
  #failingSince: EpochMs | undefined;
  #isFailureReported = false;
  #posts: readonly EpochMs[] = [];
  #stormToldAt: EpochMs = 0;

  constructor(json?: QueueJson) {
    if (json === undefined) return;
    for (const queued of json.rows) this.#rows.set(queued.row.id, queued);
    for (const incident of json.told) this.#told.add(incident);
    this.#failures = json.failures;
    this.#pausedUntil = json.pausedUntil;
    this.#failingSince = json.failingSince ?? undefined;
    this.#isFailureReported = json.isFailureReported;
    this.#posts = json.posts;
    this.#stormToldAt = json.stormToldAt;
  }

  /** As if nothing had ever happened: a snapshot leaves it out. */
  get isPristine(): boolean {
    return (
      this.#rows.size === 0 && this.#told.size === 0 && this.#failures === 0 && this.#pausedUntil === 0 && !this.#isFailureReported && this.#posts.length === 0
    );
  }

  /** Unfinished rows, oldest first. */
  get rows(): ReadonlyMap<string, QueuedRow> {
    return this.#rows;
  }

  /** Failed attempts since the last success. */
  get failures(): number {
    return this.#failures;
  }

  get pausedUntil(): EpochMs {
    return this.#pausedUntil;
  }

  /** Wall clock of the first of these failures. */
  get failingSince(): EpochMs | undefined {
    return this.#failingSince;
  }

  get isFailureReported(): boolean {
    return this.#isFailureReported;
  }

  /** Whether the newest thing this channel knows of the incident, or will know when the queue is empty, is that it fired. */
  willBelieveFiring(incident: string): boolean {
    let believes = this.#told.has(incident);
    for (const { row } of this.#rows.values()) {
      if (row.covers?.firing.includes(incident) === true) believes = true;
      else if (row.covers?.ended.includes(incident) === true) believes = false;
      if (row.incident?.id !== incident) continue;
      if (tellsThatItFired(row)) believes = true;
      else if (row.kind === 'resolved') believes = false;
    }
    return believes;
  }

  wasTold(incident: string): boolean {
    return this.#told.has(incident);
  }

  enqueue(row: OutboxRow): void {
    // As with rows that are merged: who may be told counts as told.
    this.#takeCovers(row);
    if (row.kind === 'storm') this.#stormToldAt = row.createdAt;
    this.#rows.set(row.id, { row, attempts: 0, nextAt: row.dueAt });
  }

  #takeCovers({ covers }: OutboxRow): void {
    for (const incident of covers?.firing ?? []) this.#told.add(incident);
    for (const incident of covers?.ended ?? []) this.#told.delete(incident);
  }

  record(delivery: Delivery): void {
    const queued = this.#rows.get(delivery.row);
    if (queued === undefined) return;
    const { row } = queued;
    const incident = row.incident?.id;
    // A failed attempt may have arrived all the same: who may have been told counts as told.
    if (incident !== undefined && tellsThatItFired(row) && delivery.result !== 'dead') this.#told.add(incident);
    if (delivery.result === 'retry') {
      this.#rows.set(row.id, { row, attempts: delivery.attempt, nextAt: delivery.nextAt ?? delivery.at });
      this.#failures++;
      this.#failingSince ??= delivery.at;
      this.#pausedUntil = Math.max(this.#pausedUntil, delivery.pausedUntil ?? 0);
      return;
    }
    this.#rows.delete(row.id);
    if (incident !== undefined && row.kind === 'resolved') this.#told.delete(incident);
    if (delivery.result !== 'sent') return;
    // Once more: what went out before it may have said otherwise.
    this.#takeCovers(row);
    this.#posts = [...this.#posts.filter((at) => at > delivery.at - STORM_WINDOW_MS), delivery.at].slice(-POSTS_KEPT);
    this.#failures = 0;
    this.#failingSince = undefined;
    this.#isFailureReported = false;
    this.#pausedUntil = 0;
  }

  /** Other channels heard that this one fails. */
  markFailureReported(): void {
    this.#isFailureReported = true;
  }

  /** The incident is over for good. */
  forget(incident: string): void {
    if (!this.#told.has(incident)) return;
    for (const { row } of this.#rows.values()) if (row.incident?.id === incident) return;
    this.#told.delete(incident);
  }

  /** Messages that arrived within the last ten minutes. */
  postsAt(now: EpochMs): number {
    return this.#posts.filter((at) => at > now - STORM_WINDOW_MS && at <= now).length;
  }

  /** When the oldest of them stops counting. */
  get firstPostAt(): EpochMs {
    return this.#posts[0] ?? 0;
  }

  /** When a storm was summed up last. */
  get stormToldAt(): EpochMs {
    return this.#stormToldAt;
  }

  toJson(): QueueJson {
    return {
      rows: [...this.#rows.values()],
      told: [...this.#told],
      failures: this.#failures,
      pausedUntil: this.#pausedUntil,
      failingSince: this.#failingSince ?? null,
      isFailureReported: this.#isFailureReported,
      posts: this.#posts,
      stormToldAt: this.#stormToldAt,
    };
  }
}
