import type { Alert, Flap, IncidentTrack, JournalBody, OutboxRow, Transition, TransitionCause } from '../core/alert.ts';
import type { Acknowledgement, Incident, Suppression, SuppressionReason } from '../core/incident.ts';
import { type DurationMs, type EntityId, type EpochMs, type Severity, severityRank } from '../core/types.ts';
import { HOUR_MS, MINUTE_MS } from '../core/window.ts';
import { type DeskState, INCIDENT, type TrackedIncident } from './desk-state.ts';
import type { Tracked } from './episode.ts';
import type { EscalationSteps } from './escalation.ts';
import { afterTransition, isRestless, isSteady } from './flapping.ts';
import type { Step } from './lifecycle.ts';
import { type OverlayContext, suppressionOf } from './overlay.ts';
import { type PlanChannel, type Routing, byWorst, planIncident } from './plan.ts';
import { addRisk, riskAt } from './risk.ts';
import { type RuleSpec, familyOf } from './rule-spec.ts';
import { without } from './without.ts';

/** So many lineages that one rule finds within ten minutes are one incident. */
export const FLEET_LINEAGES = 5;
export const FLEET_WITHIN_MS: DurationMs = 10 * MINUTE_MS;
const ALERTS_LISTED = 20;
const SHARED_SAMPLE = 2000;
const SHARED_MAX = 5;
const SHARED_SHARE = 0.5;
const ACK_SCORE_STEP = 20;

/** How long somebody has it, by severity. */
export function acknowledgedFor(severity: Severity): DurationMs {
  return severity === 'critical' ? 4 * HOUR_MS : 24 * HOUR_MS;
}

export type IncidentConfig = {
  readonly rules: ReadonlyMap<string, RuleSpec>;
  readonly canonical: (entity: EntityId) => EntityId;
  readonly channels: readonly PlanChannel[];
  readonly routing: Routing;
  readonly steps: EscalationSteps;
  readonly waits: Readonly<Record<Severity, DurationMs>>;
  readonly fleetLineages: number;
};

/**
 * Alerts into incidents, and incidents into messages: what one call decides, over a view that does not change. Pure; the
 * desk appends what `body` returns and folds it in.
 */
export class IncidentDraft {
  readonly #state: DeskState;
  readonly #config: IncidentConfig;
  readonly #now: EpochMs;
  /** By dedup key, over the state; undefined where an episode is archived. */
  readonly #current = new Map<string, Tracked | undefined>();
  /** By alert id. */
  readonly #alerts = new Map<string, Tracked>();
  readonly #incidents = new Map<string, TrackedIncident>();
  readonly #members = new Map<string, Set<string>>();
  readonly #transitions: Transition[] = [];
  readonly #touched = new Set<string>();
  readonly #suppressed = new Map<string, { readonly reason: SuppressionReason; readonly rule: string; amount: number }>();
  readonly #rows: OutboxRow[] = [];
  readonly #flaps: Flap[] = [];
  readonly #archived: string[] = [];
  #number: number;

  constructor(state: DeskState, config: IncidentConfig, now: EpochMs) {
    this.#state = state;
    this.#config = config;
    this.#now = now;
    this.#number = state.incidentNumber;
  }

  /** Incidents to plan although none of their alerts changed. */
  touch(ids: Iterable<string>): void {
    for (const id of ids) if (this.#tracked(id) !== undefined) this.#touched.add(id);
  }

  /** Flapping as it will be when this is applied. */
  isFlapping(key: string): boolean {
    const mark = this.#flaps.find((flap) => flap.dedupKey === key);
    return mark === undefined ? this.#state.isFlapping(key) : mark.since !== null;
  }

  incident(id: string): Incident | undefined {
    return this.#tracked(id)?.incident;
  }

  alert(id: string): Tracked | undefined {
    const changed = this.#alerts.get(id);
    if (changed !== undefined) return changed;
    const known = this.#state.alerts.get(id.slice(0, id.lastIndexOf('-')));
    return known?.alert.id === id ? known : undefined;
  }

  /** What the state machine decided: alerts join incidents, incidents follow their alerts. */
  take(step: Step): void {
    this.#transitions.push(...step.transitions);
    this.#archived.push(...step.archived);
    const archived = new Set(step.archived);
    for (const tracked of step.changed) {
      this.#put(tracked, archived.has(tracked.alert.id));
      for (const id of [tracked.alert.incident, tracked.alert.fleet]) if (id !== undefined && this.#tracked(id) !== undefined) this.#touched.add(id);
    }
    for (const [rule, amount] of Object.entries(step.quieted)) this.#suppress('quiet', rule, amount);
    this.#flap(step.transitions);
    for (const { alert } of step.changed) {
      const tracked = this.#alerts.get(alert.id);
      if (tracked !== undefined && !archived.has(alert.id)) this.#assign(tracked);
    }
    this.#mergeFleets(step.transitions);
    for (const id of this.#touched) this.#recompute(id);
    this.#breakAcks();
  }

  /** Alerts of an entry whose incident was not written any more. */
  repair(): void {
    for (const tracked of this.#state.alerts.values()) {
      const { incident } = tracked.alert;
      if (tracked.alert.state !== 'pending' && (incident === undefined || this.#tracked(incident) === undefined)) this.#assign(tracked);
    }
    for (const id of this.#touched) this.#recompute(id);
  }

  /** What only the clock decides. */
  expire(): void {
    for (const [id, { incident }] of this.#state.incidents) {
      if (incident.acknowledged === undefined || incident.acknowledged.until > this.#now) continue;
      this.#endAck(id, 'ack_expired', `the time is up, and it still ${incident.state === 'recovering' ? 'recovers' : 'fires'}`);
    }
    for (const [key, memory] of this.#state.flaps) {
      if (memory.since === undefined || !isSteady(memory, this.#now)) continue;
      this.#flaps.push({ dedupKey: key, since: null });
      const alert = this.#current.get(key)?.alert ?? this.#state.alerts.get(key)?.alert;
      if (alert?.incident !== undefined) this.touch([alert.incident]);
    }
  }

  acknowledge(id: string, ack: Omit<Acknowledgement, 'seen'>): void {
    const known = this.#tracked(id);
    if (known === undefined) return;
    const open = this.#membersOf(id).filter(({ alert }) => alert.state !== 'resolved' && alert.state !== 'archived');
    const { incident, track } = known;
    const seen: Acknowledgement['seen'] = {
      severity: incident.severity,
      score: incident.score,
      families: [...new Set(open.map(({ alert }) => this.#familyOf(alert)))],
      origins: [...new Set(open.flatMap((tracked) => tracked.track.origins))],
      entities: incident.kind === 'fleet' ? [] : [...new Set(open.map(({ alert }) => alert.entity))],
      lineages: incident.lineages,
    };
    const rest = without(track, 'escalation');
    this.#incidents.set(id, { incident: { ...incident, acknowledged: { ...ack, seen }, changedAt: this.#now }, track: rest });
    for (const tracked of open) this.#setAcknowledged(tracked, 'acknowledged');
    this.#touched.add(id);
    this.#recompute(id);
    this.#recomputeOthers(open, id);
  }

  endAck(id: string, why: string): void {
    this.#endAck(id, 'ack_withdrawn', why);
  }

  setFeedback(id: string, feedback: NonNullable<Incident['feedback']>): void {
    const known = this.#tracked(id);
    if (known !== undefined) this.#incidents.set(id, { ...known, incident: { ...known.incident, feedback, changedAt: this.#now } });
  }

  /** Decides what each channel is told of every incident that was touched. Returns when to look at each again. */
  plan(context: OverlayContext, believesFiring: (incident: string, channel: string) => boolean): ReadonlyMap<string, EpochMs> {
    const due = new Map<string, EpochMs>();
    // A fleet speaks for its members: what becomes of it is decided first.
    const ids = [...this.#touched].sort(
      (a, b) => Number(this.#isFleet(b)) - Number(this.#isFleet(a)) || Number(a.slice(INCIDENT.length)) - Number(b.slice(INCIDENT.length)),
    );
    for (const id of ids) {
      const known = this.#tracked(id);
      if (known === undefined) continue;
      const members = this.#membersOf(id);
      const siblings = known.incident.kind === 'fleet' ? [] : members.map(({ alert }) => alert);
      const suppression = (tracked: Tracked): Suppression | undefined =>
        suppressionOf(known.incident.kind === 'fleet' ? withoutFleet(tracked.alert) : tracked.alert, tracked.track, siblings, context);
      const plan = planIncident({
        incident: known.incident,
        track: known.track,
        members,
        now: this.#now,
        channels: this.#config.channels,
        routing: this.#config.routing,
        suppression,
        steps: this.#config.steps,
        waits: this.#config.waits,
        believesFiring: (channel) => believesFiring(id, channel),
      });
      const suppressed = known.incident.kind === 'fleet' ? 0 : this.#countSuppressed(members, suppression);
      const incident = suppressed === 0 ? plan.incident : { ...plan.incident, suppressed: plan.incident.suppressed + suppressed };
      this.#rows.push(...plan.rows.map((row) => (row.incident === undefined ? row : { ...row, incident: { ...incident, channels: {} } })));
      const before = this.#state.incidents.get(id);
      const isChanged = before === undefined || !isEqual(before.incident, incident) || !isEqual(before.track, plan.track);
      if (isChanged) this.#incidents.set(id, { incident, track: plan.track });
      else this.#incidents.delete(id);
      due.set(id, Math.min(plan.dueAt, incident.acknowledged?.until ?? Number.POSITIVE_INFINITY));
    }
    return due;
  }

  body(): Partial<JournalBody> & Pick<JournalBody, 'outbox'> {
    const incidents = [...this.#incidents.values()];
    const suppressed = [...this.#suppressed.values()];
    return {
      transitions: this.#transitions,
      alerts: [...this.#alerts.values()].map(({ alert }) => alert),
      tracks: [...this.#alerts.values()].map(({ track }) => track),
      archived: this.#archived,
      outbox: this.#rows,
      incidents: incidents.map(({ incident }) => incident),
      incidentTracks: incidents.map(({ track }) => track),
      flaps: this.#flaps,
      suppressed,
    };
  }

  #isFleet(id: string): boolean {
    return this.#tracked(id)?.incident.kind === 'fleet';
  }

  #tracked(id: string): TrackedIncident | undefined {
    return this.#incidents.get(id) ?? this.#state.incidents.get(id);
  }

  #put(tracked: Tracked, isArchived = false): void {
    const { alert } = tracked;
    this.#alerts.set(alert.id, tracked);
    const current = this.#current.get(alert.dedupKey) ?? this.#state.alerts.get(alert.dedupKey);
    if (isArchived && current !== undefined && current.alert.id !== alert.id) return;
    this.#current.set(alert.dedupKey, isArchived ? undefined : tracked);
  }

  #memberKeys(id: string): Set<string> {
    let keys = this.#members.get(id);
    if (keys === undefined) this.#members.set(id, (keys = new Set(this.#state.members(id))));
    return keys;
  }

  /** Its alerts that are not archived, as they will be. */
  #membersOf(id: string): readonly Tracked[] {
    const members: Tracked[] = [];
    for (const key of this.#members.get(id) ?? this.#state.members(id)) {
      const tracked = this.#current.has(key) ? this.#current.get(key) : this.#state.alerts.get(key);
      if (tracked !== undefined && (tracked.alert.incident === id || tracked.alert.fleet === id)) members.push(tracked);
    }
    return members;
  }

  /** An alert that people may hear of belongs to the open incident of its key, or begins one. */
  #assign(tracked: Tracked): void {
    const { alert, track } = tracked;
    if (track.announced === undefined || (alert.incident !== undefined && this.#tracked(alert.incident) !== undefined)) return;
    const lineage = this.#config.canonical(alert.entity);
    const open = [...this.#incidentsOf(lineage)].find(({ incident }) => incident.state !== 'resolved');
    const id = open?.incident.id ?? this.#open(alert, { kind: 'key', lineage, label: alert.label });
    this.#put({ alert: { ...alert, incident: id }, track });
    this.#memberKeys(id).add(alert.dedupKey);
    this.#touched.add(id);
  }

  /** Incidents of a lineage that are not archived: those of its alerts. */
  *#incidentsOf(lineage: EntityId): Generator<TrackedIncident> {
    for (const id of this.#byLineage().get(lineage) ?? []) {
      const known = this.#tracked(id);
      if (known?.incident.kind === 'key') yield known;
    }
  }

  #lineages: Map<EntityId, string[]> | undefined;
  #byLineage(): Map<EntityId, string[]> {
    if (this.#lineages !== undefined) return this.#lineages;
    const lineages = new Map<EntityId, string[]>();
    for (const { incident } of this.#state.incidents.values()) {
      const lineage = this.#config.canonical(incident.lineage);
      const known = lineages.get(lineage);
      if (known === undefined) lineages.set(lineage, [incident.id]);
      else known.push(incident.id);
    }
    return (this.#lineages = lineages);
  }

  #open(alert: Alert, parts: Pick<Incident, 'kind' | 'lineage' | 'label'> & { readonly rule?: string }): string {
    const id = `${INCIDENT}${++this.#number}`;
    const incident: Incident = {
      id,
      ...parts,
      state: 'firing',
      severity: alert.severity,
      score: alert.score,
      risk: 0,
      startedAt: alert.startedAt,
      openedAt: this.#now,
      changedAt: this.#now,
      reopens: 0,
      alerts: [],
      alertsTotal: 0,
      lineages: 1,
      suppressed: 0,
      channels: {},
    };
    this.#incidents.set(id, { incident, track: { id, waitUntil: this.#now + this.#config.waits[alert.severity], channels: {} } });
    this.#touched.add(id);
    if (parts.kind === 'key') {
      const lineages = this.#byLineage();
      lineages.set(parts.lineage, [...(lineages.get(parts.lineage) ?? []), id]);
    }
    return id;
  }

  /** Many lineages that one rule found at once are one incident. */
  #mergeFleets(transitions: readonly Transition[]): void {
    const fresh = new Map<string, Tracked[]>();
    for (const { alert: id, to, cause } of transitions) {
      if (to !== 'firing' || (cause !== 'confirmed' && cause !== 'reopened')) continue;
      const tracked = this.#alerts.get(id);
      if (tracked === undefined || tracked.track.announced === undefined || tracked.alert.fleet !== undefined) continue;
      fresh.set(tracked.alert.rule, [...(fresh.get(tracked.alert.rule) ?? []), tracked]);
    }
    for (const [rule, found] of fresh) {
      const open = [...this.#state.incidents.values(), ...this.#incidents.values()].find(
        ({ incident }) => incident.kind === 'fleet' && incident.rule === rule && incident.state !== 'resolved' && incident.state !== 'archived',
      );
      const candidates = open === undefined ? this.#recentlyFired(rule) : found;
      const lineages = new Set(candidates.map(({ alert }) => this.#config.canonical(alert.entity)));
      const first = candidates[0];
      if (first === undefined || (open === undefined && lineages.size < this.#config.fleetLineages)) continue;
      const lineage = this.#config.canonical(first.alert.entity);
      const id = open?.incident.id ?? this.#open(first.alert, { kind: 'fleet', lineage, label: '', rule });
      for (const tracked of candidates) this.#joinFleet(tracked, id);
      this.#touched.add(id);
    }
  }

  #joinFleet({ alert: { id } }: Tracked, fleet: string): void {
    const tracked = this.alert(id);
    if (tracked === undefined) return;
    this.#put({ alert: { ...tracked.alert, fleet }, track: tracked.track });
    this.#memberKeys(fleet).add(tracked.alert.dedupKey);
    const own = tracked.alert.incident;
    const known = own === undefined ? undefined : this.#tracked(own);
    if (own === undefined || known === undefined) return;
    this.#incidents.set(own, { ...known, incident: { ...known.incident, fleet } });
    this.#touched.add(own);
  }

  #recentlyFired(rule: string): readonly Tracked[] {
    const from = this.#now - FLEET_WITHIN_MS;
    const found: Tracked[] = [];
    const look = (tracked: Tracked | undefined): void => {
      if (tracked === undefined || tracked.alert.rule !== rule || tracked.track.announced === undefined || tracked.alert.fleet !== undefined) return;
      const { alert } = tracked;
      const isRecent = (alert.firedAt ?? 0) >= from || (alert.reopens > 0 && tracked.track.since >= from);
      if (alert.state !== 'resolved' && alert.state !== 'pending' && isRecent) found.push(tracked);
    };
    for (const [key, tracked] of this.#state.alerts) if (!this.#current.has(key)) look(tracked);
    for (const tracked of this.#current.values()) look(tracked);
    return found.sort((a, b) => a.alert.startedAt - b.alert.startedAt || (a.alert.id < b.alert.id ? -1 : 1));
  }

  /** The incident as its alerts make it. */
  #recompute(id: string): void {
    const known = this.#tracked(id);
    if (known === undefined) return;
    const { incident, track } = known;
    const members = this.#membersOf(id);
    const alerts = members.map((member) => member.alert);
    const state = stateOf(alerts);
    const isOver = state === 'resolved' || state === 'archived';
    const wasOver = incident.state === 'resolved';
    const worst = alerts.toSorted(byWorst);
    const newest = worst[0];
    const names = [...new Set([...worst.slice(0, ALERTS_LISTED).map((alert) => alert.id), ...incident.alerts])].slice(0, ALERTS_LISTED);
    const joined = alerts.filter((alert) => !this.#wasMember(id, alert)).length;
    // Counted over what is stored: this may be called twice within one decision.
    const base = this.#state.incidents.get(id)?.incident;
    const lineages = incident.kind === 'fleet' ? (base?.lineages ?? 0) + joined : 1;
    const rest = without(incident, 'resolvedAt', 'resolution');
    const ended = alerts.findLast((alert) => alert.resolution !== undefined)?.resolution ?? incident.resolution;
    const risk = incident.kind === 'fleet' ? undefined : this.#riskOf(track, members);
    const next: Incident = {
      ...rest,
      state,
      label: incident.kind === 'fleet' ? `${lineages.toLocaleString('en-US')} keys` : (newest?.label ?? incident.label),
      severity: newest !== undefined && severityRank(newest.severity) > severityRank(incident.severity) ? newest.severity : incident.severity,
      score: Math.max(incident.score, ...worst.slice(0, 1).map((alert) => alert.score)),
      risk: risk === undefined ? 0 : Math.round(riskAt(risk, this.#now)),
      startedAt: alerts.reduce((first, alert) => Math.min(first, alert.startedAt), incident.startedAt),
      reopens: incident.reopens + (wasOver && !isOver ? 1 : 0),
      alerts: names,
      alertsTotal: (base?.alertsTotal ?? 0) + joined,
      lineages,
      ...(isOver ? { resolvedAt: incident.resolvedAt ?? alerts.reduce((last, alert) => Math.max(last, alert.resolvedAt ?? 0), 0) } : {}),
      ...(isOver && ended !== undefined ? { resolution: ended } : {}),
      ...(state === 'archived' ? { archivedAt: this.#now } : {}),
      ...(incident.kind === 'fleet' && joined > 0 ? { shared: sharedOf(worst) } : {}),
    };
    // Whoever had it has it no more once it is over: should it come back, it is somebody's decision again.
    const settled = isOver && next.acknowledged !== undefined ? withoutAck(next) : next;
    const isChanged = !isEqual({ ...settled, changedAt: 0 }, { ...incident, changedAt: 0 });
    const waitUntil = wasOver && !isOver ? { waitUntil: this.#now } : {};
    this.#incidents.set(id, {
      incident: isChanged ? { ...settled, changedAt: this.#now } : incident,
      track: { ...track, ...waitUntil, ...(risk === undefined ? {} : { risk }) },
    });
  }

  #wasMember(id: string, { dedupKey, id: alert }: Alert): boolean {
    const known = this.#state.alerts.get(dedupKey)?.alert;
    return known?.id === alert && (known.incident === id || known.fleet === id) && this.#state.incidents.has(id);
  }

  #riskOf(track: IncidentTrack, members: readonly Tracked[]): IncidentTrack['risk'] {
    let risk = this.#state.incidents.get(track.id)?.track.risk;
    for (const { alert } of members) {
      if (!this.#alerts.has(alert.id)) continue;
      const before = this.#state.alerts.get(alert.dedupKey)?.alert;
      const fresh = alert.findings - (before?.id === alert.id && before.incident === alert.incident ? before.findings : 0);
      if (fresh > 0) risk = addRisk(risk, { rule: alert.rule, score: alert.score, amount: fresh, at: this.#now });
    }
    return risk;
  }

  /** What goes beyond what the person saw ends the acknowledgement; what does not is theirs as well. */
  #breakAcks(): void {
    for (const id of this.#touched) {
      const known = this.#tracked(id);
      const acknowledged = known?.incident.acknowledged;
      if (known === undefined || acknowledged === undefined) continue;
      const open = this.#membersOf(id).filter(({ alert }) => alert.state === 'firing' || alert.state === 'acknowledged');
      const why = this.#beyond(known.incident, acknowledged, open);
      if (why !== undefined) this.#endAck(id, 'ack_broken', why);
      else for (const tracked of open) if (tracked.alert.state === 'firing') this.#setAcknowledged(tracked, 'acknowledged');
      this.#recompute(id);
    }
  }

  #beyond(incident: Incident, { seen }: Acknowledgement, open: readonly Tracked[]): string | undefined {
    if (severityRank(incident.severity) > severityRank(seen.severity)) return `it is ${incident.severity} now, it was ${seen.severity}`;
    const family = open.map(({ alert }) => this.#familyOf(alert)).find((each) => !seen.families.includes(each));
    if (family !== undefined) return 'another kind of rule fires, too';
    if (incident.kind === 'key' && open.some(({ alert }) => !seen.entities.includes(alert.entity))) return 'a second key joined';
    if (incident.kind === 'fleet' && incident.lineages >= seen.lineages * 2)
      return `it is ${incident.lineages.toLocaleString('en-US')} keys now, it was ${seen.lineages.toLocaleString('en-US')}`;
    const origin = open.flatMap(({ track }) => track.origins).find((each) => !seen.origins.includes(each));
    if (origin !== undefined)
      return origin.startsWith('country') ? 'traffic comes from a country that it did not come from' : 'traffic comes from a network that it did not come from';
    const score = Math.max(0, ...open.map(({ alert }) => alert.score));
    return score >= seen.score + ACK_SCORE_STEP ? `its score is ${Math.round(score)}, it was ${Math.round(seen.score)}` : undefined;
  }

  #endAck(id: string, cause: TransitionCause, why: string): void {
    const known = this.#tracked(id);
    if (known?.incident.acknowledged === undefined) return;
    const incident: Incident = { ...withoutAck(known.incident), ackEnded: { at: this.#now, why }, changedAt: this.#now };
    this.#incidents.set(id, { incident, track: { ...known.track, escalation: { from: this.#now, done: 0 } } });
    const members = this.#membersOf(id);
    for (const tracked of members) this.#setAcknowledged(tracked, cause);
    this.#touched.add(id);
    this.#recompute(id);
    this.#recomputeOthers(members, id);
  }

  /** To and from `acknowledged`; what recovers remembers it. */
  #setAcknowledged(tracked: Tracked, cause: TransitionCause): void {
    const { alert, track } = tracked;
    const isOn = cause === 'acknowledged';
    if (alert.state === 'recovering' && (track.isAcknowledged === true) !== isOn) {
      this.#put({ alert, track: isOn ? { ...track, isAcknowledged: true } : without(track, 'isAcknowledged') });
    } else if (alert.state === (isOn ? 'firing' : 'acknowledged')) {
      const to = isOn ? 'acknowledged' : 'firing';
      this.#transitions.push({ at: this.#now, alert: alert.id, from: alert.state, to, cause });
      this.#put({ alert: { ...alert, state: to }, track: { ...track, since: this.#now } });
    }
  }

  /** A fleet's alerts are those of their keys' incidents as well. */
  #recomputeOthers(members: readonly Tracked[], id: string): void {
    const others = new Set(members.flatMap(({ alert }) => [alert.incident, alert.fleet]));
    for (const other of others) {
      if (other === undefined || other === id || this.#tracked(other) === undefined) continue;
      this.#touched.add(other);
      this.#recompute(other);
    }
  }

  #flap(transitions: readonly Transition[]): void {
    const keys = new Map<string, ReturnType<typeof afterTransition>>();
    for (const transition of transitions) {
      const key = transition.alert.slice(0, transition.alert.lastIndexOf('-'));
      keys.set(key, afterTransition(keys.get(key) ?? this.#state.flaps.get(key), transition));
    }
    for (const [key, memory] of keys) {
      if (memory === undefined || memory.since !== undefined || !isRestless(memory, this.#now)) continue;
      const alert = (this.#current.get(key) ?? this.#state.alerts.get(key))?.alert;
      const isExempt = alert !== undefined && alert.severity === 'critical' && this.#config.rules.get(alert.rule)?.isTripwire === true;
      if (!isExempt) this.#flaps.push({ dedupKey: key, since: this.#now });
    }
  }

  #countSuppressed(members: readonly Tracked[], suppression: (tracked: Tracked) => Suppression | undefined): number {
    let amount = 0;
    for (const tracked of members) {
      const { alert } = tracked;
      if (!this.#alerts.has(alert.id) || (alert.state !== 'firing' && alert.state !== 'acknowledged')) continue;
      const before = this.#state.alerts.get(alert.dedupKey)?.alert;
      const fresh = alert.findings - (before?.id === alert.id ? before.findings : 0);
      const held = fresh > 0 ? suppression(tracked) : undefined;
      if (held === undefined) continue;
      this.#suppress(held.reason, alert.rule, fresh);
      amount += fresh;
    }
    return amount;
  }

  #suppress(reason: SuppressionReason, rule: string, amount: number): void {
    const key = `${reason}\n${rule}`;
    const known = this.#suppressed.get(key);
    if (known === undefined) this.#suppressed.set(key, { reason, rule, amount });
    else known.amount += amount;
  }

  #familyOf(alert: Alert): string {
    return familyOf(this.#config.rules.get(alert.rule), alert.rule);
  }
}

/** Of its worst alert. */
function stateOf(alerts: readonly Alert[]): Incident['state'] {
  if (alerts.length === 0) return 'archived';
  const states = new Set(alerts.map((alert) => alert.state));
  return (['firing', 'acknowledged', 'recovering'] as const).find((state) => states.has(state)) ?? 'resolved';
}

/** The fleet itself is not muted by the fleet. */
function withoutFleet(alert: Alert): Alert {
  return without(alert, 'fleet');
}

function withoutAck(incident: Incident): Incident {
  return without(incident, 'acknowledged');
}

/** What at least half of the members have in common. */
function sharedOf(alerts: readonly Alert[]): NonNullable<Incident['shared']> {
  const sample = alerts.slice(0, SHARED_SAMPLE);
  const counts = new Map<string, { readonly dimension: string; readonly value: string; amount: number }>();
  for (const { finding } of sample) {
    for (const { dimension, value } of finding.contributions) {
      const key = `${dimension}\n${value}`;
      const known = counts.get(key);
      if (known === undefined) counts.set(key, { dimension, value, amount: 1 });
      else known.amount++;
    }
  }
  return [...counts.values()]
    .filter(({ amount }) => amount >= sample.length * SHARED_SHARE && amount > 1)
    .sort((a, b) => b.amount - a.amount)
    .slice(0, SHARED_MAX)
    .map(({ dimension, value, amount }) => ({ dimension, value, share: amount / sample.length }));
}

/** Plain data, compared as the journal would write it. */
function isEqual(a: object, b: object): boolean {
  return a === b || JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

function sorted(value: object): unknown {
  return Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([x], [y]) => (x < y ? -1 : 1));
}
