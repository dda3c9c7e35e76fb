import type { Delivery, NotificationKind, OutboxRow } from '../core/alert.ts';
import type { EpochMs } from '../core/types.ts';

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
};

const TELLS_THAT_IT_FIRED: readonly NotificationKind[] = ['fired', 'severity_up', 'reopened'];

export function tellsThatItFired(row: OutboxRow): boolean {
  return row.alert !== undefined && TELLS_THAT_IT_FIRED.includes(row.kind);
}

/** What one channel still has to send, and whom it has told what. A fold over the journal: it changes by `enqueue` and `record` only. */
export class ChannelQueue {
  readonly #rows = new Map<string, QueuedRow>();
  /** Alerts of which this channel was told that they fired, and not yet that they ended. */
  readonly #told = new Set<string>();
  #failures = 0;
  #pausedUntil: EpochMs = 0;
  #failingSince: EpochMs | undefined;
  #isFailureReported = false;

  constructor(json?: QueueJson) {
    if (json === undefined) return;
    for (const queued of json.rows) this.#rows.set(queued.row.id, queued);
    for (const alert of json.told) this.#told.add(alert);
    this.#failures = json.failures;
    this.#pausedUntil = json.pausedUntil;
    this.#failingSince = json.failingSince ?? undefined;
    this.#isFailureReported = json.isFailureReported;
  }

  /** As if nothing had ever happened: a snapshot leaves it out. */
  get isPristine(): boolean {
    return this.#rows.size === 0 && this.#told.size === 0 && this.#failures === 0 && this.#pausedUntil === 0 && !this.#isFailureReported;
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

  /** Whether the newest thing this channel knows of the alert, or will know when the queue is empty, is that it fired. */
  willBelieveFiring(alert: string): boolean {
    let believes = this.#told.has(alert);
    for (const { row } of this.#rows.values()) {
      if (row.alert?.id !== alert) continue;
      if (tellsThatItFired(row)) believes = true;
      else if (row.kind === 'resolved') believes = false;
    }
    return believes;
  }

  wasTold(alert: string): boolean {
    return this.#told.has(alert);
  }

  enqueue(row: OutboxRow): void {
    // As with rows that are merged: who may be told counts as told.
    for (const alert of row.covers?.firing ?? []) this.#told.add(alert);
    for (const alert of row.covers?.ended ?? []) this.#told.delete(alert);
    this.#rows.set(row.id, { row, attempts: 0, nextAt: row.dueAt });
  }

  record(delivery: Delivery): void {
    const queued = this.#rows.get(delivery.row);
    if (queued === undefined) return;
    const { row } = queued;
    const alert = row.alert?.id;
    // A failed attempt may have arrived all the same: who may have been told counts as told.
    if (alert !== undefined && tellsThatItFired(row) && delivery.result !== 'dead') this.#told.add(alert);
    if (delivery.result === 'retry') {
      this.#rows.set(row.id, { row, attempts: delivery.attempt, nextAt: delivery.nextAt ?? delivery.at });
      this.#failures++;
      this.#failingSince ??= delivery.at;
      this.#pausedUntil = Math.max(this.#pausedUntil, delivery.pausedUntil ?? 0);
      return;
    }
    this.#rows.delete(row.id);
    if (alert !== undefined && row.kind === 'resolved') this.#told.delete(alert);
    if (delivery.result !== 'sent') return;
    this.#failures = 0;
    this.#failingSince = undefined;
    this.#isFailureReported = false;
    this.#pausedUntil = 0;
  }

  /** Other channels heard that this one fails. */
  markFailureReported(): void {
    this.#isFailureReported = true;
  }

  /** The alert's episode is over for good. */
  forget(alert: string): void {
    if (!this.#told.has(alert)) return;
    for (const { row } of this.#rows.values()) if (row.alert?.id === alert) return;
    this.#told.delete(alert);
  }

  toJson(): QueueJson {
    return {
      rows: [...this.#rows.values()],
      told: [...this.#told],
      failures: this.#failures,
      pausedUntil: this.#pausedUntil,
      failingSince: this.#failingSince ?? null,
      isFailureReported: this.#isFailureReported,
    };
  }
}
