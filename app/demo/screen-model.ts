import type { DurationMs, EpochMs, Severity } from '../../core/types.ts';
import type { AttackLine } from './ledger.ts';
import type { DemoStats, ReceivedMessage } from './types.ts';

/** An alert as the feed shows it. */
export type FeedAlert = {
  /** Clock of the demo. */
  readonly at: EpochMs;
  readonly kind: 'fired' | 'severity_up' | 'reopened' | 'resolved';
  readonly severity: Severity;
  readonly rule: string;
  readonly label: string;
  readonly why: string;
  /** How long the attack had lasted; undefined for what belongs to none. */
  readonly afterMs: DurationMs | undefined;
  readonly attack: string | undefined;
};

/** Everything the screen shows at one moment. */
export type ScreenModel = {
  readonly speed: number;
  readonly now: EpochMs;
  readonly start: EpochMs;
  readonly end: EpochMs;
  readonly stats: DemoStats;
  /** Over the last seconds of the wall. */
  readonly eventsPerSecond: number;
  readonly lagMs: DurationMs;
  readonly openAlerts: number;
  readonly attacks: readonly AttackLine[];
  /** Newest first. */
  readonly alerts: readonly FeedAlert[];
  readonly messages: readonly ReceivedMessage[];
  /** What happens after the last event: "finishing". */
  readonly note: string | undefined;
};

/** `14:12:30Z`. */
export function clock(time: EpochMs): string {
  return `${new Date(time).toISOString().slice(11, 19)}Z`;
}
