import type { Alert, CatchUp, Transition, TransitionCause } from '../core/alert.ts';
import type { KeyDirectory } from '../core/directory.ts';
import type { Evaluation, Finding } from '../core/finding.ts';
import { safeText } from '../core/text.ts';
import { type DurationMs, type EntityId, type EpochMs, type Minute, severityRank } from '../core/types.ts';
import { HOUR_MS, MINUTE_MS, minuteOf, startOf } from '../core/window.ts';
import { addToCatchUp } from './catch-up.ts';
import { dedupKey } from './dedup.ts';
import type { Resolution } from '../core/incident.ts';
import { type Tracked, absorb, breachStart, enter, isConfirmed, isImmediate, noticeKind, reopen, stepOf } from './episode.ts';
import type { RuleSpec } from './rule-spec.ts';

/** The state that decisions are made on. JSON in, JSON out: the same view and input always give the same step. */
export type LifecycleView = {
  /** By dedup key. Every episode that is not archived. */
  readonly alerts: ReadonlyMap<string, Tracked>;
  /** Windows before it are judged; 0 before the first. */
  readonly judgedThrough: Minute;
  /** Wall clock of its last advance. */
  readonly advancedAt: EpochMs;
  readonly catchUp: CatchUp | undefined;
  /** A person ended the alert of this dedup key: its breaches raise nothing before. */
  quietUntil(key: string): EpochMs;
  isFlapping(key: string): boolean;
  /** The data is behind: nothing ends because it is silent. */
  readonly isStale: boolean;
};

/** What one call decided. Nothing is changed until a fold applies it. */
export type Step = {
  readonly transitions: readonly Transition[];
  /** Each alert that changed, once, as it ended up. Two episodes of one dedup key are two alerts. */
  readonly changed: readonly Tracked[];
  /** Ids of alerts whose episode is over for good, near misses among them. */
  readonly archived: readonly string[];
  /** Breaches that raised nothing, because a person ended their alert just before, by rule. */
  readonly quieted: Readonly<Record<string, number>>;
  /** Set when it changed; null when the catch-up ended. */
  readonly catchUp?: CatchUp | null;
  /** The catch-up that ended. */
  readonly summary?: CatchUp;
};

export type LifecycleConfig = {
  readonly tenant: string;
  readonly rules: ReadonlyMap<string, RuleSpec>;
  readonly directory: Pick<KeyDirectory, 'canonical' | 'label'>;
  /** The key is not in the registry any more. */
  readonly isDeleted?: ((entity: EntityId) => boolean) | undefined;
};

/** A breach whose window ended longer ago is recorded and summed up, not paged. */
export const LATE_AFTER_MS: DurationMs = 30 * MINUTE_MS;
/** Of an alert that flaps, instead of the rule's. */
export const FLAPPING_HOLD_MS: DurationMs = HOUR_MS;
/** A breach this soon after the end belongs to the same episode. */
export const REOPEN_MS: DurationMs = HOUR_MS;
/** A catch-up that stops advancing for this long is summed up as far as it came. */
export const CATCH_UP_IDLE_MS: DurationMs = 5 * MINUTE_MS;
/**
 * The alert state machine: ok → pending → firing ⇄ recovering → resolved. It does no I/O and reads no clock.
 *
 * Two clocks: windows (event time) decide what can be decided by them; the wall clock takes over only while no
 * window closes, so that a silent installation still resolves and a slow one does not resolve what it has not judged.
 */
export class Lifecycle {
  readonly #config: LifecycleConfig;

  constructor(config: LifecycleConfig) {
    this.#config = config;
  }

  /**
   * Judged windows, in any order; windows before `judgedThrough` are complete with them. `isPartial`: more of the same
   * call comes, with later windows, so nothing is settled beyond what these show.
   */
  observe(
    view: LifecycleView,
    input: {
      readonly evaluations: readonly Evaluation[];
      readonly judgedThrough: Minute;
      readonly now: EpochMs;
      readonly wall?: EpochMs;
      readonly isPartial?: boolean;
    },
  ): Step {
    const { now, wall = now } = input;
    const draft = new Draft(view, this.#config, now, wall);
    const through = startOf(Math.max(view.judgedThrough, input.judgedThrough));
    for (const evaluation of input.evaluations.toSorted((a, b) => a.window.end - b.window.end)) draft.evaluate(evaluation, through);
    if (input.isPartial === true) return draft.step();
    if (input.judgedThrough > view.judgedThrough) draft.settleAll(through);
    if (through >= wall - LATE_AFTER_MS) draft.endCatchUp();
    return draft.step();
  }

  /** The wall clock moved. */
  tick(view: LifecycleView, now: EpochMs): Step {
    const draft = new Draft(view, this.#config, now);
    draft.wallClock();
    return draft.step();
  }

  /** Ends alerts because a person says so. */
  resolve(view: LifecycleView, input: { readonly ids: ReadonlySet<string>; readonly resolution: Resolution; readonly now: EpochMs }): Step {
    const draft = new Draft(view, this.#config, input.now);
    draft.resolveByPerson(input.ids, input.resolution);
    return draft.step();
  }

  /** Ends every alert of a rule or a key that is no longer configured. */
  retire(view: LifecycleView, now: EpochMs): Step {
    const draft = new Draft(view, this.#config, now);
    draft.retire();
    return draft.step();
  }
}

/** Copy on write over a view: collects what one call decides. */
class Draft {
  readonly #view: LifecycleView;
  readonly #config: LifecycleConfig;
  readonly #now: EpochMs;
  /** As traffic is stamped. */
  readonly #wall: EpochMs;
  readonly #transitions: Transition[] = [];
  /** By dedup key, over the view; undefined where an episode ended for good. */
  readonly #current = new Map<string, Tracked | undefined>();
  /** By alert id. */
  readonly #changed = new Map<string, Tracked>();
  readonly #archived: string[] = [];
  readonly #quieted: Record<string, number> = {};
  /** Alerts whose entity got another canonical name since they opened, by rule and the new name. */
  readonly #moved = new Map<string, string[]>();
  #catchUp: CatchUp | undefined;
  #summary: CatchUp | undefined;

  constructor(view: LifecycleView, config: LifecycleConfig, now: EpochMs, wall: EpochMs = now) {
    this.#view = view;
    this.#config = config;
    this.#now = now;
    this.#wall = wall;
    this.#catchUp = view.catchUp;
    for (const [key, { alert }] of view.alerts) {
      const entity = config.directory.canonical(alert.entity);
      if (entity === alert.entity) continue;
      const at = pairOf(alert.rule, entity);
      this.#moved.set(at, [...(this.#moved.get(at) ?? []), key]);
    }
  }

  step(): Step {
    const step = { transitions: this.#transitions, changed: [...this.#changed.values()], archived: this.#archived, quieted: this.#quieted };
    if (this.#summary !== undefined) return { ...step, catchUp: null, summary: this.#summary };
    return this.#catchUp === this.#view.catchUp || this.#catchUp === undefined ? step : { ...step, catchUp: this.#catchUp };
  }

  evaluate(evaluation: Evaluation, through: EpochMs): void {
    const spec = this.#config.rules.get(evaluation.rule);
    if (spec === undefined) throw new Error(`BUG: an evaluation of rule '${evaluation.rule}', which has no rule spec`);
    const entity = this.#config.directory.canonical(evaluation.entity);
    const key = dedupKey({ tenant: this.#config.tenant, rule: spec.rule, lineage: entity, dimension: spec.dimension ?? '' });
    const keys = [key, ...(this.#moved.get(pairOf(spec.rule, entity)) ?? [])];
    // Windows before this one are judged: whatever they settle comes first.
    const before = Math.min(evaluation.window.end - stepOf(spec), through);
    for (const each of keys) this.#settle(each, before);
    const open = keys.filter((each) => this.#get(each) !== undefined);
    if (evaluation.verdict === 'breach') {
      if (evaluation.finding === undefined) throw new Error(`BUG: a breach of rule '${evaluation.rule}' without a finding`);
      if (open.length === 0 && this.#view.quietUntil(key) > this.#now) {
        this.#quieted[spec.rule] = (this.#quieted[spec.rule] ?? 0) + 1;
        return;
      }
      this.#breach(open[0] ?? key, spec, entity, evaluation.window.end, evaluation.finding);
    } else {
      for (const each of open) this.#quiet(each, evaluation.window.end, evaluation.verdict === 'clear');
    }
  }

  settleAll(through: EpochMs): void {
    for (const key of this.#keys()) this.#settle(key, through);
  }

  wallClock(): void {
    for (const key of this.#keys()) {
      const tracked = this.#get(key);
      const spec = tracked === undefined ? undefined : this.#config.rules.get(tracked.alert.rule);
      if (tracked === undefined || spec === undefined) continue;
      const quietMs = this.#now - Math.max(tracked.track.since, this.#view.advancedAt);
      if (this.#view.isStale) continue;
      if (tracked.alert.state === 'recovering' && quietMs >= this.#holdOf(key, spec)) this.#resolve(key, tracked, this.#now, 'held_clear');
      else if (tracked.alert.state === 'resolved' && quietMs >= REOPEN_MS) this.#archive(key, tracked);
    }
    if (this.#now - Math.max(this.#view.advancedAt, this.#catchUp?.at ?? 0) >= CATCH_UP_IDLE_MS) this.endCatchUp();
  }

  retire(): void {
    for (const key of this.#keys()) {
      const tracked = this.#get(key);
      if (tracked === undefined) continue;
      const isRuleGone = !this.#config.rules.has(tracked.alert.rule);
      if (!isRuleGone && this.#config.isDeleted?.(tracked.alert.entity) !== true) continue;
      const cause = isRuleGone ? 'rule_removed' : 'key_deleted';
      const note = isRuleGone
        ? `The rule ${tracked.alert.rule} was removed from the configuration.`
        : `${tracked.alert.label} was removed from the registry of keys.`;
      if (tracked.alert.state === 'resolved') this.#archive(key, tracked);
      else if (tracked.alert.state === 'pending') this.#drop(key, tracked, this.#now, cause);
      else this.#resolve(key, tracked, this.#now, cause, { cause, note });
    }
  }

  resolveByPerson(ids: ReadonlySet<string>, resolution: Resolution): void {
    for (const key of this.#keys()) {
      const tracked = this.#get(key);
      if (tracked === undefined || !ids.has(tracked.alert.id)) continue;
      if (tracked.alert.state === 'pending') this.#drop(key, tracked, this.#now, 'manual');
      else if (tracked.alert.state !== 'resolved') {
        this.#resolve(key, tracked, this.#now, 'manual', resolution);
        // What breaches after the quiet time is a new episode, not this one again.
        const ended = this.#get(key);
        if (ended !== undefined) this.#archive(key, ended);
      }
    }
  }

  endCatchUp(): void {
    if (this.#catchUp === undefined) return;
    this.#summary = this.#catchUp;
    this.#catchUp = undefined;
  }

  #breach(key: string, spec: RuleSpec, entity: EntityId, end: EpochMs, finding: Finding): void {
    const before = this.#get(key) ?? this.#open(key, spec, entity, finding);
    const isKnown = before.track.breaches.includes(end);
    const rises = severityRank(finding.severity) > severityRank(before.alert.severity);
    const after = absorb(before, end, finding);
    switch (before.alert.state) {
      case 'pending':
        if (!isImmediate(finding, spec) && !isConfirmed(after.track.breaches, spec)) return this.#put(key, after);
        this.#fire(key, after, 'confirmed', { ...after.alert, state: 'firing', firedAt: this.#now });
        if (this.#isLate(end)) this.#catchUp = addToCatchUp(this.#catchUp, after.alert, { end, now: this.#now });
        break;
      case 'firing':
      case 'acknowledged':
        if (rises) this.#move(after.alert, before.alert.state, before.alert.state, 'severity_up');
        this.#put(key, rises ? { alert: after.alert, track: { ...after.track, since: this.#now } } : after);
        break;
      case 'recovering':
        // A window judged twice says nothing new.
        if (isKnown && !rises) return this.#put(key, after);
        this.#fire(key, after, 'breach_again', {
          ...after.alert,
          state: before.track.isAcknowledged === true ? 'acknowledged' : 'firing',
          dips: after.alert.dips + 1,
        });
        break;
      case 'resolved':
        if (isKnown && !rises) return this.#put(key, after);
        this.#fire(key, after, 'reopened', reopen(after.alert));
        break;
      case 'archived':
        throw new Error(`BUG: alert ${before.alert.id} is archived and still followed`);
    }
    if (!this.#isLate(end)) this.#announce(key);
  }

  /** The first breach of an episode. */
  #open(key: string, spec: RuleSpec, entity: EntityId, finding: Finding): Tracked {
    const episode = minuteOf(finding.window.start);
    const alert: Alert = {
      id: `${key}-${episode}`,
      dedupKey: key,
      episode,
      rule: spec.rule,
      entity,
      label: safeText(this.#config.directory.label(entity)),
      state: 'pending',
      severity: finding.severity,
      score: finding.score,
      startedAt: breachStart(finding),
      lastBreachAt: finding.window.end,
      peak: finding.observed,
      findings: 0,
      reopens: 0,
      dips: 0,
      excess: 0,
      finding,
    };
    this.#move(alert, 'ok', 'pending', 'first_breach');
    return { alert, track: { id: alert.id, breaches: [], since: this.#now, origins: [] } };
  }

  #fire(key: string, tracked: Tracked, cause: TransitionCause, alert: Alert): void {
    this.#move(alert, tracked.alert.state, alert.state, cause);
    this.#put(key, { alert, track: enter(tracked.track, this.#now) });
  }

  /** A window without a breach, after the last breach: starts or restarts the clearing. */
  #quiet(key: string, end: EpochMs, isClear: boolean): void {
    const tracked = this.#get(key);
    if (tracked === undefined || end <= tracked.alert.lastBreachAt) return;
    const { alert, track } = tracked;
    if ((alert.state === 'firing' || alert.state === 'acknowledged') && isClear) {
      this.#move(alert, alert.state, 'recovering', 'cleared');
      const isAcknowledged = alert.state === 'acknowledged';
      this.#put(key, { alert: { ...alert, state: 'recovering' }, track: enter(track, this.#now, { clearSince: end, isAcknowledged }) });
    } else if (alert.state === 'recovering' && !isClear && end > (track.clearSince ?? 0)) {
      // Above the clearing line again: it must be held anew.
      this.#put(key, { alert, track: enter(track, this.#now, { clearSince: end, isAcknowledged: track.isAcknowledged === true }) });
    }
  }

  /** Applies what event time alone decides once every window up to `through` is judged. */
  #settle(key: string, through: EpochMs): void {
    const tracked = this.#get(key);
    const spec = tracked === undefined ? undefined : this.#config.rules.get(tracked.alert.rule);
    if (tracked === undefined || spec === undefined) return;
    const { alert, track } = tracked;
    if (alert.state === 'pending') {
      const spanMs = (spec.confirm.n - 1) * stepOf(spec);
      const breaches = track.breaches.filter((end) => end + spanMs > through);
      if (breaches.length === 0) this.#drop(key, tracked, through, 'not_confirmed');
      else if (breaches.length < track.breaches.length) this.#put(key, { alert, track: { ...track, breaches } });
    } else if (alert.state === 'recovering' && track.clearSince !== undefined) {
      const endAt = track.clearSince + this.#holdOf(key, spec);
      if (endAt > through) return;
      this.#resolve(key, tracked, endAt, 'held_clear');
      this.#settle(key, through);
    } else if (alert.state === 'resolved' && alert.resolvedAt !== undefined && alert.resolvedAt + REOPEN_MS <= through) {
      this.#archive(key, tracked);
    }
  }

  #resolve(key: string, tracked: Tracked, resolvedAt: EpochMs, cause: TransitionCause, resolution?: Resolution): void {
    const alert: Alert = {
      ...tracked.alert,
      state: 'resolved',
      resolvedAt: Math.max(resolvedAt, tracked.alert.startedAt),
      ...(resolution === undefined ? {} : { resolution }),
    };
    this.#move(alert, tracked.alert.state, 'resolved', cause);
    this.#put(key, { alert, track: enter(tracked.track, this.#now) });
  }

  /** A pending alert that never fired leaves: stored as resolved without `firedAt`. */
  #drop(key: string, tracked: Tracked, at: EpochMs, cause: TransitionCause): void {
    const alert: Alert = { ...tracked.alert, state: 'resolved', resolvedAt: Math.max(at, tracked.alert.startedAt) };
    this.#move(alert, 'pending', 'ok', cause);
    this.#changed.set(alert.id, { alert, track: tracked.track });
    this.#current.set(key, undefined);
    this.#archived.push(alert.id);
  }

  #archive(key: string, tracked: Tracked): void {
    const alert: Alert = { ...tracked.alert, state: 'archived', archivedAt: this.#now };
    this.#move(alert, 'resolved', 'archived', 'quiet_hour');
    this.#changed.set(alert.id, { alert, track: tracked.track });
    this.#current.set(key, undefined);
    this.#archived.push(alert.id);
  }

  #holdOf(key: string, spec: RuleSpec): DurationMs {
    return this.#view.isFlapping(key) ? Math.max(spec.clearHoldMs, FLAPPING_HOLD_MS) : spec.clearHoldMs;
  }

  /** Decides whether people must hear of a firing alert now, once per severity and reopening. */
  #announce(key: string): void {
    const tracked = this.#get(key);
    if (tracked === undefined || (tracked.alert.state !== 'firing' && tracked.alert.state !== 'acknowledged')) return;
    const { alert, track } = tracked;
    if (noticeKind(alert, track.announced) === undefined) return;
    this.#put(key, { alert, track: { ...track, announced: { severity: alert.severity, reopens: alert.reopens } } });
  }

  #isLate(end: EpochMs): boolean {
    return end < this.#wall - LATE_AFTER_MS;
  }

  #move(alert: Alert, from: Transition['from'], to: Transition['to'], cause: TransitionCause): void {
    this.#transitions.push({ at: this.#now, alert: alert.id, from, to, cause });
  }

  #get(key: string): Tracked | undefined {
    return this.#current.has(key) ? this.#current.get(key) : this.#view.alerts.get(key);
  }

  #put(key: string, tracked: Tracked): void {
    this.#current.set(key, tracked);
    this.#changed.set(tracked.alert.id, tracked);
  }

  #keys(): readonly string[] {
    return [...new Set([...this.#view.alerts.keys(), ...this.#current.keys()])];
  }
}

function pairOf(rule: string, entity: EntityId): string {
  return `${rule}\n${entity}`;
}
