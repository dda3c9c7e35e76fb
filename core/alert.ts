import type { Finding } from './finding.ts';
import type { DurationMs, EntityId, EpochMs, Severity } from './types.ts';

/** Overlays (silence, inhibition, maintenance) are never states: they are applied when a notification is decided. */
export type AlertState = 'pending' | 'firing' | 'recovering' | 'resolved';

/** An episode of findings under one dedup key. */
export type Alert = {
  /** `<dedup key>-<episode>`: stable over restarts. */
  readonly id: string;
  /** hash(tenant, rule, lineage, dimension). Severity, value, time and host are left out on purpose. */
  readonly dedupKey: string;
  readonly episode: number;
  readonly rule: string;
  readonly entity: EntityId;
  /** How people call the entity: the directory's label, else `key 9f3c12ab`. */
  readonly label: string;
  readonly state: AlertState;
  /** Never drops within an episode. */
  readonly severity: Severity;
  readonly score: number;
  /** Start of the first breaching window. */
  readonly startedAt: EpochMs;
  readonly firedAt?: EpochMs;
  readonly resolvedAt?: EpochMs;
  readonly lastBreachAt: EpochMs;
  readonly peak: number;
  readonly findings: number;
  readonly reopens: number;
  /** The most severe finding, newest among equals: what a message explains. */
  readonly finding: Finding;
};

export type TransitionCause =
  | 'confirmed'
  | 'severity_up'
  | 'cleared'
  | 'breach_again'
  | 'held_clear'
  | 'not_confirmed'
  | 'reopened'
  | 'rule_removed'
  | 'first_breach';
export type Transition = {
  readonly at: EpochMs;
  readonly alert: string;
  readonly from: AlertState | 'ok';
  readonly to: AlertState | 'ok';
  readonly cause: TransitionCause;
};

export type NotificationKind = 'fired' | 'severity_up' | 'reopened' | 'resolved' | 'digest' | 'summary' | 'sample' | 'pipeline';

/** One message to one channel. Stored before it is sent; its id is stable, so that a repeat can be recognised. */
export type OutboxRow = {
  readonly id: string;
  readonly channel: string;
  readonly kind: NotificationKind;
  readonly createdAt: EpochMs;
  /** Not before. */
  readonly dueAt: EpochMs;
  readonly alert?: Alert;
  /** For kinds without one alert: ready text, already free of hostile content. */
  readonly text?: string;
};

export type Delivery = {
  readonly row: string;
  readonly at: EpochMs;
  readonly attempt: number;
  readonly result: 'sent' | 'retry' | 'dead';
  readonly reason?: string;
  /** For `retry`. */
  readonly nextAt?: EpochMs;
};

/** One tick's decisions, durable together. */
export type JournalBody = {
  readonly at: EpochMs;
  readonly actor: string;
  readonly transitions: readonly Transition[];
  /** Every alert that changed, whole: the projection is these, by id, newest seq wins. */
  readonly alerts: readonly Alert[];
  readonly outbox: readonly OutboxRow[];
  readonly deliveries: readonly Delivery[];
  /** Windows before this minute are judged and their findings durable. */
  readonly judgedThrough?: number;
  readonly audit?: readonly { readonly action: string; readonly subject: string; readonly note?: string }[];
};

export type JournalEntry = JournalBody & {
  readonly seq: number;
  readonly prevHash: string;
  /** sha256 of prevHash and the canonical body. */
  readonly hash: string;
};

/** What a message is made of. `alert` kinds carry the alert; `resolved` also how long it lasted. */
export type Notification = {
  readonly id: string;
  readonly kind: NotificationKind;
  readonly at: EpochMs;
  readonly attempt: number;
  readonly alert?: Alert;
  readonly durationMs?: DurationMs;
  readonly text?: string;
  /** Per-minute values before the alert for a sparkline, oldest first; absent where nothing is stored. */
  readonly series?: readonly number[];
};
