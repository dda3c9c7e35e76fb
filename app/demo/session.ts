import type { Alert } from '../../core/alert.ts';
import type { Clock } from '../../core/clock.ts';
import { type DurationMs, severityRank } from '../../core/types.ts';
import { AttackLedger } from './ledger.ts';
import type { DemoPlan } from './plan.ts';
import type { FeedAlert, ScreenModel } from './screen-model.ts';
import type { DemoStats, ReceivedMessage } from './types.ts';

/** More are of no use to a reader of a screen. */
const FEED_MAX = 60;
/** The rate on the screen is over so much of the wall. */
const RATE_WINDOW_MS: DurationMs = 3_000;

/** What is known of a running demo: the feed of alerts, the messages, the rate. Decides nothing and prints nothing. */
export class DemoSession {
  readonly ledger: AttackLedger;
  readonly #plan: DemoPlan;
  readonly #speed: number;
  readonly #clock: Clock;
  readonly #wall: Clock;
  readonly #alerts = new Map<string, Alert>();
  readonly #feed: FeedAlert[] = [];
  readonly #messages: ReceivedMessage[] = [];
  readonly #samples: { readonly at: DurationMs; readonly events: number }[] = [];

  /** `clock` is the demo's, `wall` the real one. */
  constructor(plan: DemoPlan, deps: { readonly speed: number; readonly clock: Clock; readonly wall: Clock }) {
    this.#plan = plan;
    this.#speed = deps.speed;
    this.#clock = deps.clock;
    this.#wall = deps.wall;
    this.#samples.push({ at: deps.wall.monotonic(), events: 0 });
    this.ledger = new AttackLedger(plan.attacks, { speed: deps.speed });
  }

  /** Takes a changed alert; answers what a person should see of it, if anything. */
  alert(alert: Alert): FeedAlert | undefined {
    const before = this.#alerts.get(alert.id);
    this.#alerts.set(alert.id, alert);
    // Pending, and what was never confirmed, is nobody's business.
    if (alert.firedAt === undefined) return undefined;
    const now = this.#clock.now();
    const attack = this.ledger.record(alert, now);
    const kind = kindOf(before, alert);
    if (kind === undefined) return undefined;
    const entry: FeedAlert = {
      at: now,
      kind,
      severity: alert.severity,
      rule: alert.rule,
      label: alert.label,
      why: alert.finding.why,
      afterMs: attack === undefined ? undefined : Math.max(0, now - attack.start),
      attack: attack?.title,
    };
    this.#feed.unshift(entry);
    this.#feed.length = Math.min(this.#feed.length, FEED_MAX);
    return entry;
  }

  message(message: ReceivedMessage): void {
    this.#messages.push(message);
  }

  get messages(): readonly ReceivedMessage[] {
    return this.#messages;
  }

  /** Everything the screen shows, with `stats` of this moment. `writtenThrough` is the time of the newest line written. */
  model(stats: DemoStats, writtenThrough: number, note: string | undefined): ScreenModel {
    const now = this.#clock.now();
    return {
      speed: this.#speed,
      now: Math.min(now, this.#plan.end),
      start: this.#plan.start,
      end: this.#plan.end,
      stats,
      eventsPerSecond: this.#rate(stats.events),
      lagMs: Math.max(0, writtenThrough - stats.newest) / this.#speed,
      openAlerts: [...this.#alerts.values()].filter((alert) => alert.firedAt !== undefined && alert.state !== 'resolved').length,
      attacks: this.ledger.lines(now),
      alerts: this.#feed,
      messages: this.#messages,
      note,
    };
  }

  #rate(events: number): number {
    const at = this.#wall.monotonic();
    this.#samples.push({ at, events });
    while (this.#samples.length > 2 && at - (this.#samples[1]?.at ?? at) >= RATE_WINDOW_MS) this.#samples.shift();
    const oldest = this.#samples[0];
    return oldest === undefined || at - oldest.at < 200 ? 0 : ((events - oldest.events) / (at - oldest.at)) * 1000;
  }
}

/** What changed, if people should hear of it. */
function kindOf(before: Alert | undefined, now: Alert): FeedAlert['kind'] | undefined {
  if (now.state === 'resolved') return before === undefined || before.state === 'resolved' ? undefined : 'resolved';
  if (before?.firedAt === undefined) return 'fired';
  if (before.state === 'resolved') return 'reopened';
  return severityRank(now.severity) > severityRank(before.severity) ? 'severity_up' : undefined;
}
