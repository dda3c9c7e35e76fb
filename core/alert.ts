import type { Finding } from './finding.ts';
import type { ChannelMemory, Exception, Incident, Maintenance, Resolution, Silence, SuppressionReason } from './incident.ts';
import type { Actor, CommandResult } from './operator.ts';
import type { DurationMs, EntityId, EpochMs, Severity } from './types.ts';

/**
 * ok (no alert) → pending → firing ⇄ acknowledged → recovering → resolved → archived. Overlays (silenced, inhibited,
 * maintenance, flapping, data_stale) are never states: they are applied when a notification is decided.
 */
export type AlertState = 'pending' | 'firing' | 'acknowledged' | 'recovering' | 'resolved' | 'archived';

/** Confirmed and not over. */
export const OPEN_STATES: readonly AlertState[] = ['firing', 'acknowledged', 'recovering'];

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
  /** The episode is over for good. */
  readonly archivedAt?: EpochMs;
  readonly lastBreachAt: EpochMs;
  readonly peak: number;
  readonly findings: number;
  readonly reopens: number;
  /** How often it recovered and breached again without being resolved. */
  readonly dips: number;
  /** What was observed over the limit, summed over the breaching windows. */
  readonly excess: number;
  /** The incident that people see it in; absent until it is confirmed. */
  readonly incident?: string;
  /** The incident of all keys that its rule found at once. */
  readonly fleet?: string;
  /** How it ended, where a person or the configuration ended it. */
  readonly resolution?: Resolution;
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
  | 'key_deleted'
  | 'first_breach'
  | 'acknowledged'
  | 'ack_expired'
  | 'ack_broken'
  | 'ack_withdrawn'
  | 'manual'
  | 'quiet_hour';
export type Transition = {
  readonly at: EpochMs;
  readonly alert: string;
  readonly from: AlertState | 'ok';
  readonly to: AlertState | 'ok';
  readonly cause: TransitionCause;
};

/**
 * Why a channel is told. About an incident:
 * - fired: the first that this channel hears of it · joined: another alert of the same key · severity_up · reopened
 * - ack_broken: somebody has it, and it got worse or the time is up; the text says which
 * - still_firing: a silence or a maintenance ended · repeat · escalated · flapping, flapping_ended · resolved
 * - contained, containment_failed: what came of a revocation
 * - acknowledged, updated: no news for a channel without threads, and only sent to one that has them (`Notifier.hasThreads`)
 *
 * About many: digest, summary (old traffic, or too many messages waiting), storm, survey. About Keywatch: pipeline, sample.
 */
export type NotificationKind =
  | 'fired'
  | 'joined'
  | 'severity_up'
  | 'reopened'
  | 'ack_broken'
  | 'still_firing'
  | 'repeat'
  | 'escalated'
  | 'flapping'
  | 'flapping_ended'
  | 'contained'
  | 'containment_failed'
  | 'resolved'
  | 'acknowledged'
  | 'updated'
  | 'digest'
  | 'summary'
  | 'storm'
  | 'survey'
  | 'pipeline'
  | 'sample';

/** One message to one channel. Stored before it is sent; its id is stable, so that a repeat can be recognised. */
export type OutboxRow = {
  readonly id: string;
  readonly channel: string;
  readonly kind: NotificationKind;
  readonly createdAt: EpochMs;
  /** Not before. */
  readonly dueAt: EpochMs;
  /** The incident as it was when this was decided. */
  readonly incident?: Incident;
  /** Its alerts that people should see, worst first; bounded. */
  readonly alerts?: readonly Alert[];
  /** The one of them that caused this message. */
  readonly alert?: Alert;
  /** The severity under which this channel first heard of the incident: a mail thread keeps its subject. */
  readonly openedAs?: Severity;
  /** Ready text, already free of hostile content: the message of kinds without an incident, a note beside the others. */
  readonly text?: string;
  /** What happened by itself already, and what will if nobody acts. Plain words. */
  readonly done?: readonly string[];
  readonly next?: { readonly what: string; readonly at: EpochMs };
  /** Somebody is to be called by name: escalation. */
  readonly mentions?: boolean;
  /** For a message in place of many. */
  readonly covers?: Covers;
};

/** What a message in place of many tells, in numbers: so that it can be merged on, and that the channel's knowledge of each alert is kept. */
export type Covers = {
  readonly messages: number;
  readonly fired: number;
  readonly resolved: number;
  readonly rules: Readonly<Record<string, number>>;
  /** The most severe incidents; bounded. */
  readonly worst: readonly {
    readonly id: string;
    readonly label: string;
    readonly rule: string;
    readonly severity: Severity;
    readonly score: number;
    readonly state: Incident['state'];
  }[];
  /** Ids of the incidents of which it says last that they fire, and that they ended. */
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
  /** While recovering: a breach makes it acknowledged again, not firing. */
  readonly isAcknowledged?: boolean;
  /** Networks and countries that took part, `dimension value`; bounded. */
  readonly origins: readonly string[];
  /** What the machine wants people to know of this episode; absent for what was found in old traffic only. */
  readonly announced?: { readonly severity: Severity; readonly reopens: number };
};

/** Finding scores of each rule as of `at`, the largest of them, and when its newest came. */
type Risk = {
  readonly at: EpochMs;
  readonly rules: Readonly<Record<string, { readonly sum: number; readonly max: number; readonly at: EpochMs }>>;
};

/** What the desk remembers of an incident beside what people see. */
export type IncidentTrack = {
  /** Of the incident. */
  readonly id: string;
  /** The first notice is not before; absent once it was decided on. */
  readonly waitUntil?: EpochMs;
  /** Escalation counts from here, and so many of its steps are done. */
  readonly escalation?: { readonly from: EpochMs; readonly done: number };
  /** What risk is made of; of a key only. */
  readonly risk?: Risk;
  /** The risk that an alert was last raised for, and the families of rules in it. */
  readonly riskTold?: Risk & { readonly families: readonly string[] };
  readonly channels: Readonly<Record<string, ChannelMemory>>;
};

/** How often the alerts of one dedup key came and went within a day. Outlives an episode. */
export type Flap = { readonly dedupKey: string; readonly since: EpochMs | null };

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
  readonly audit?: readonly AuditNote[];
  /** Every incident that changed, whole, and the memory of it. */
  readonly incidents?: readonly Incident[];
  readonly incidentTracks?: readonly IncidentTrack[];
  readonly silences?: readonly Silence[];
  readonly maintenances?: readonly Maintenance[];
  readonly exceptions?: readonly Exception[];
  /** Answers to operators. An id that stands here is never applied again. */
  readonly commands?: readonly CommandResult[];
  /** Breaches of these dedup keys are counted and raise nothing until then: a person ended their alert. */
  readonly quiet?: readonly { readonly dedupKey: string; readonly until: EpochMs }[];
  readonly flaps?: readonly Flap[];
  /** The watermark is behind: since when; null ends it. */
  readonly stale?: { readonly since: EpochMs; readonly watermark: EpochMs } | null;
  /** Findings that nobody was told of, by reason and rule, since the entry before. */
  readonly suppressed?: readonly { readonly reason: SuppressionReason; readonly rule: string; readonly amount: number }[];
};

/** One act as the audit tells it. Without an actor it is the entry's. */
export type AuditNote = {
  readonly action: string;
  readonly subject: string;
  readonly note?: string;
  readonly actor?: Actor;
  /** Id of the command that asked for it. */
  readonly command?: string;
};

/** An audit note with its place in the chain of hashes: number of the entry, and which of its notes, from 0. */
export type AuditRow = AuditNote & { readonly seq: number; readonly index: number; readonly at: EpochMs; readonly actor: Actor };

/** A message and what became of it, without its content. */
export type MessageRecord = {
  readonly id: string;
  readonly channel: string;
  readonly kind: NotificationKind;
  readonly incident?: string;
  readonly createdAt: EpochMs;
  readonly attempts: number;
  readonly result: 'waiting' | 'sent' | 'dead' | 'merged';
  /** Of the newest attempt; absent before the first. */
  readonly at?: EpochMs;
  readonly reason?: string;
};

export type JournalEntry = JournalBody & {
  readonly seq: number;
  readonly prevHash: string;
  /** sha256 of prevHash and the canonical body. */
  readonly hash: string;
};

/** Where a reader goes from a message. Only to what exists. */
export type Link = { readonly name: string; readonly url: string };

/** What a message is made of: the outbox row as a channel shows it. */
export type Notification = {
  /** Stable over repeats. */
  readonly id: string;
  readonly kind: NotificationKind;
  readonly at: EpochMs;
  readonly attempt: number;
  /** What people see, as it was when the message was decided. Absent for messages about many, or about Keywatch. */
  readonly incident?: Incident;
  /** The alerts of the incident that the message shows, worst first; bounded (`incident.alertsTotal` says how many there are). */
  readonly alerts?: readonly Alert[];
  /** The one that caused the message, and whose finding it explains. */
  readonly alert?: Alert;
  /** The severity under which this channel first heard of the incident. */
  readonly openedAs?: Severity;
  /** Of what is over. */
  readonly durationMs?: DurationMs;
  readonly text?: string;
  readonly done?: readonly string[];
  readonly next?: { readonly what: string; readonly at: EpochMs };
  readonly mentions?: boolean;
  readonly links?: readonly Link[];
  /** Requests per minute before the alert for a sparkline, oldest first; absent where nothing is stored. */
  readonly series?: readonly number[];
};
