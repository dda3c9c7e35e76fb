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
  /** The minute of the first breaching window: unique per dedup key, with nothing to remember after an episode is archived. */
  readonly episode: number;
  readonly rule: string;
  readonly entity: EntityId;
  /** How people call the entity: the directory's label, else `key 9f3c12ab`. */
  readonly label: string;
  readonly state: AlertState;
  /** Never drops within an episode. */
  readonly severity: Severity;
  readonly score: number;
  /** Start of the first minute that breached: for a sliding sum the last one of its window. */
  readonly startedAt: EpochMs;
  /** Wall clock of the confirmation. A resolved alert without it was never confirmed: a near miss, nobody was told. */
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
  /** The severity under which this channel first heard of the alert: a mail thread keeps its subject. */
  readonly openedAs?: Severity;
  /** Ready text, already free of hostile content: the message of kinds without an alert, a note beside the others. */
  readonly text?: string;
  /** For a message in place of many. */
  readonly covers?: Covers;
};

/** What a message in place of many tells, in numbers: so that it can be merged on, and that the channel's knowledge of each alert is kept. */
export type Covers = {
  readonly messages: number;
  readonly fired: number;
  readonly resolved: number;
  readonly rules: Readonly<Record<string, number>>;
  /** The most severe alerts as they are now; bounded. */
  readonly worst: readonly Pick<Alert, 'id' | 'label' | 'rule' | 'severity' | 'score' | 'state'>[];
  /** Ids of the alerts of which it says last that they fire, and that they ended. */
  readonly firing: readonly string[];
  readonly ended: readonly string[];
};

/** What became of one attempt. Every result but `retry` is final; `merged` went out inside the row named by `into`. */
export type Delivery = {
  readonly row: string;
  readonly at: EpochMs;
  readonly attempt: number;
  readonly result: 'sent' | 'retry' | 'dead' | 'merged';
  readonly reason?: string;
  /** For `retry`. */
  readonly nextAt?: EpochMs;
  /** For `retry`: nothing goes to this channel before (the far side asked for it, or it is down). */
  readonly pausedUntil?: EpochMs;
  /** For `merged`. */
  readonly into?: string;
};

/** What the state machine remembers of an alert beside what people see. */
export type AlertTrack = {
  /** Of the alert. */
  readonly id: string;
  /** Ends of the newest breaching windows, ascending: m-of-n counts them, and a window judged twice is known by them. */
  readonly breaches: readonly EpochMs[];
  /** Wall clock of the last change of state. */
  readonly since: EpochMs;
  /** While recovering: event time from which every window was clear. */
  readonly clearSince?: EpochMs;
  /** What people were told of this episode; absent while nobody was. */
  readonly announced?: { readonly severity: Severity; readonly reopens: number };
  /** Channels that got a row about this episode, with the severity of the first. */
  readonly channels: Readonly<Record<string, Severity>>;
};

/** Alerts found while old windows are caught up with: told in one summary, not one by one. */
export type CatchUp = {
  readonly alerts: number;
  /** Wall clock of the newest of them. */
  readonly at: EpochMs;
  /** Event time, over all of them. */
  readonly from: EpochMs;
  readonly to: EpochMs;
  readonly severities: Readonly<Partial<Record<Severity, number>>>;
  readonly rules: Readonly<Record<string, number>>;
  /** The entities with the most alerts; bounded. */
  readonly entities: readonly { readonly entity: EntityId; readonly label: string; readonly alerts: number; readonly severity: Severity }[];
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
  /** The memory of the alerts that changed. */
  readonly tracks?: readonly AlertTrack[];
  /** Alerts whose episode is over for good: the next breach of their dedup key starts another. */
  readonly archived?: readonly string[];
  /** The catch-up under way; null ends it. */
  readonly catchUp?: CatchUp | null;
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
  readonly openedAs?: Severity;
  readonly durationMs?: DurationMs;
  readonly text?: string;
  /** Requests per minute before the alert for a sparkline, oldest first; absent where nothing is stored. */
  readonly series?: readonly number[];
};
