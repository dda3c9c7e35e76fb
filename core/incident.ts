/** What people see and decide about: incidents, and the things that keep them from being told of one. */
import type { Actor, FeedbackVerdict, Matcher, ResolveReason } from './operator.ts';
import type { EntityId, EpochMs, Severity } from './types.ts';

/** Worst member: firing > acknowledged > recovering > resolved. */
export type IncidentState = 'firing' | 'acknowledged' | 'recovering' | 'resolved' | 'archived';

export type Acknowledgement = {
  readonly actor: Actor;
  readonly at: EpochMs;
  /** Then it fires again by itself. */
  readonly until: EpochMs;
  readonly note?: string;
  /** What the person saw: what goes beyond it ends the acknowledgement. */
  readonly seen: {
    readonly severity: Severity;
    readonly score: number;
    readonly families: readonly string[];
    readonly origins: readonly string[];
    readonly entities: readonly EntityId[];
    /** Of a fleet. */
    readonly lineages: number;
  };
};

/** How an alert or an incident was ended other than by clear windows. */
export type Resolution = {
  readonly cause: 'manual' | 'rule_removed' | 'key_deleted';
  readonly reason?: ResolveReason;
  readonly actor?: Actor;
  readonly note?: string;
};

/**
 * What people see: the alerts of one lineage of keys, or of many that one rule found at once (a fleet). The alerts of a
 * fleet are members of their own key's incident as well; that one names the fleet and is not told while the fleet is.
 */
export type Incident = {
  /** `INC-4821`. */
  readonly id: string;
  readonly kind: 'key' | 'fleet';
  /** Of a fleet: the lineage that fired first. */
  readonly lineage: EntityId;
  /** How people call it: the key's label; of a fleet `1,204 keys`. */
  readonly label: string;
  /** Of a fleet: the rule that found it. */
  readonly rule?: string;
  readonly state: IncidentState;
  /** Of its worst alert; never drops while it is open. */
  readonly severity: Severity;
  readonly score: number;
  /** Sum of finding scores of the key in 24 h, half-life 6 h, each rule capped; 0 for a fleet. */
  readonly risk: number;
  /** Event time of its first breach. */
  readonly startedAt: EpochMs;
  /** Wall clock. */
  readonly openedAt: EpochMs;
  /** Wall clock of the newest change. */
  readonly changedAt: EpochMs;
  readonly resolvedAt?: EpochMs;
  readonly archivedAt?: EpochMs;
  readonly reopens: number;
  /** Ids of its alerts, worst first; bounded. */
  readonly alerts: readonly string[];
  readonly alertsTotal: number;
  /** Keys in it; 1 unless it is a fleet. */
  readonly lineages: number;
  /** Of a fleet: what its members have in common, with the share of members. */
  readonly shared?: readonly { readonly dimension: string; readonly value: string; readonly share: number }[];
  /** The fleet that speaks for it. */
  readonly fleet?: string;
  readonly acknowledged?: Acknowledgement;
  /** Why the last acknowledgement ended other than by its person. */
  readonly ackEnded?: { readonly at: EpochMs; readonly why: string };
  readonly resolution?: Resolution;
  readonly feedback?: { readonly verdict: FeedbackVerdict; readonly actor: Actor; readonly at: EpochMs; readonly note?: string };
  /** Findings of it that nobody was told of one by one: "+37 suppressed". */
  readonly suppressed: number;
  /** What each channel was told, or why it was not. */
  readonly channels: Readonly<Record<string, Standing>>;
};

/** Why somebody is not told now. */
export type SuppressionReason =
  /** Less severe than the channel wants: the digest has it. */
  | 'below_severity'
  /** No route leads to the channel. */
  | 'not_routed'
  /** Related alerts are waited for. */
  | 'waiting'
  | 'silence'
  | 'maintenance'
  | 'exception'
  /** A fleet incident speaks for it. */
  | 'fleet'
  /** A higher rule of the same family fires on the key. */
  | 'family'
  | 'revoked'
  | 'ingest_gap'
  | 'flapping'
  | 'data_stale'
  | 'survey'
  /** Found in old traffic: told in one summary. */
  | 'catch_up'
  | 'acknowledged'
  /** A person ended the alert less than 30 minutes ago. */
  | 'quiet'
  /** Not open, or never confirmed. */
  | 'not_firing';

/** Names the deciding clause. `by` is the id of the silence, maintenance, exception, alert or fleet; `detail` a plain sentence part. */
export type Suppression = { readonly reason: SuppressionReason; readonly by?: string; readonly until?: EpochMs; readonly detail?: string };

/** Where a channel stands with an incident. */
export type Standing =
  | {
      readonly status: 'told';
      readonly at: EpochMs;
      readonly openedAs: Severity;
      readonly kind: string;
      /** Not told of what came since. */ readonly held?: Suppression;
    }
  | { readonly status: 'held'; readonly at: EpochMs; readonly held: Suppression };

/** What the desk knows of one channel and incident beside that. */
export type ChannelMemory = {
  readonly openedAs: Severity;
  /** What was decided to be told last. */
  readonly severity: Severity;
  readonly reopens: number;
  /** Alerts that this channel was told of by name; bounded. */
  readonly alerts: readonly string[];
  /** Messages of this incident to this channel: part of their ids. */
  readonly sequence: number;
  readonly repeats: number;
  /** When a message was decided last. */
  readonly queuedAt: EpochMs;
  /** Wall clock at which that one arrived, or was given up; repeats count from it. */
  readonly sentAt?: EpochMs;
  /** Something mutes it: its end is told as `still_firing`, of flapping as `flapping_ended`. */
  readonly muted?: SuppressionReason;
  /** The end of an acknowledgement that it was told of. */
  readonly ackEndedAt?: EpochMs;
  /** What a living message shows. */
  readonly shown: string;
};

export type Silence = {
  readonly id: string;
  readonly matchers: readonly Matcher[];
  readonly startsAt: EpochMs;
  readonly endsAt: EpochMs;
  readonly actor: Actor;
  readonly createdAt: EpochMs;
  readonly reason: string;
  readonly includeCritical: boolean;
  /** Ended before its time, by whom. */
  readonly endedAt?: EpochMs;
  readonly endedBy?: Actor;
  /** Open alerts that matched when it was made: it stops covering one that gets more severe, or passes twice this value. */
  readonly covers: Readonly<Record<string, { readonly severity: Severity; readonly value: number }>>;
};

export type Maintenance = Omit<Silence, 'covers'>;

/** Expected behaviour of one lineage under one rule, up to a value. */
export type Exception = {
  readonly id: string;
  readonly lineage: EntityId;
  readonly label: string;
  readonly rule: string;
  readonly upTo: number;
  readonly until: EpochMs;
  readonly reason: string;
  readonly actor: Actor;
  readonly createdAt: EpochMs;
  readonly endedAt?: EpochMs;
  readonly endedBy?: Actor;
};

/** Whether a silence, a maintenance or an exception holds at a time. */
export function isInForce(
  overlay: { readonly startsAt?: EpochMs; readonly endsAt?: EpochMs; readonly until?: EpochMs; readonly endedAt?: EpochMs },
  now: EpochMs,
): boolean {
  const end = Math.min(overlay.endsAt ?? Number.POSITIVE_INFINITY, overlay.until ?? Number.POSITIVE_INFINITY, overlay.endedAt ?? Number.POSITIVE_INFINITY);
  return now >= (overlay.startsAt ?? 0) && now < end;
}
