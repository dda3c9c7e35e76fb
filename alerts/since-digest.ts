import type { Delivery, OutboxRow } from '../core/alert.ts';
import type { SuppressionReason } from '../core/incident.ts';
import type { EpochMs, Severity } from '../core/types.ts';

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
  /** Findings that nobody was told of one by one, by reason. */
  readonly suppressed: Readonly<Partial<Record<SuppressionReason, number>>>;
  readonly dead: number;
  /** The newest of them. */
  readonly deadLetters: readonly DeadLetter[];
};

export function deadLetter(channel: string, row: OutboxRow, delivery: Delivery): DeadLetter {
  const letter = { channel, kind: row.kind, at: delivery.at, reason: delivery.reason ?? 'unknown' };
  return row.incident === undefined ? letter : { ...letter, label: row.incident.label, severity: row.incident.severity };
}

export function emptySince(from: EpochMs): SinceDigest {
  return { from, nearMisses: {}, summedUp: 0, merged: 0, suppressed: {}, dead: 0, deadLetters: [] };
}
