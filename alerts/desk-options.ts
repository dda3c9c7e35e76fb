import type { Alert, Delivery, Link, OutboxRow, Transition } from '../core/alert.ts';
import type { Clock } from '../core/clock.ts';
import type { KeyDirectory } from '../core/directory.ts';
import type { Incident } from '../core/incident.ts';
import type { Journal, Notifier } from '../core/ports.ts';
import type { DurationMs, EntityId, EpochMs, Severity } from '../core/types.ts';
import type { EscalationSteps } from './escalation.ts';
import type { Labels } from './matchers.ts';
import type { RouteDecision } from './route.ts';
import type { RuleSpec } from './rule-spec.ts';

/** One channel: who sends, what it wants to hear, how fast. */
export type DeskChannel = {
  readonly notifier: Notifier;
  /** Alerts below it are told in the digest only. */
  readonly minSeverity: Severity;
  /** It hears of incidents and of nothing else: whoever owns a key is not told about Keywatch. */
  readonly isForIncidentsOnly?: boolean;
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
  /** Labels from the key inventory: owner, team, environment, plan, tier. */
  readonly labels?: ((entity: EntityId) => Labels) | undefined;
  /** The channels that hear of what has these labels; default every channel whose `minSeverity` it reaches. Pure. */
  readonly route?: ((labels: Labels, now: EpochMs) => Pick<RouteDecision, 'channels' | 'why' | 'until'>) | undefined;
  /** Over the default steps. */
  readonly escalation?: EscalationSteps | undefined;
  /** How alerts become incidents; default `FIRST_WAIT_MS` and `FLEET_LINEAGES`. */
  readonly grouping?: { readonly waits?: Readonly<Partial<Record<Severity, DurationMs>>>; readonly fleetLineages?: number } | undefined;
  /** A new installation only reports for so long; default 0, not at all. */
  readonly surveyMs?: DurationMs | undefined;
  readonly isRevoked?: ((entity: EntityId) => boolean) | undefined;
  /** It left the registry of keys: its alerts end with one notice. */
  readonly isDeleted?: ((entity: EntityId) => boolean) | undefined;
  /** Where a reader goes from a message. */
  readonly links?: ((incident: Incident, alert: Alert | undefined) => readonly Link[]) | undefined;
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
