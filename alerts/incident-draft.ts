import type { Alert, Flap, JournalBody, OutboxRow, Transition, TransitionCause } from '../core/alert.ts';
import type { Acknowledgement, Incident, Suppression } from '../core/incident.ts';
import { type EpochMs, severityRank } from '../core/types.ts';
import { Cases } from './cases.ts';
import { type DeskState, INCIDENT } from './desk-state.ts';
import type { Tracked } from './episode.ts';
import { afterTransition, isRestless, isSteady } from './flapping.ts';
import { FLEET_WITHIN_MS, type IncidentConfig } from './incident-config.ts';
import { beyond, isEqual, sharedOf, stateOf, withoutAck, withoutFleet } from './incident-facts.ts';
import type { Step } from './lifecycle.ts';
import { type OverlayContext, suppressionOf } from './overlay.ts';
import { byWorst, planIncident } from './plan.ts';
import { RISK, riskAt, riskOf } from './risk.ts';
import { type RiskWord, freshFindings, riskWord } from './risk-alert.ts';
import { familyOf } from './rule-spec.ts';
import { SuppressedCounts, addSuppressed } from './suppressed-counts.ts';
import { without } from './without.ts';

const ALERTS_LISTED = 20;

/**
 * Alerts into incidents, and incidents into messages: what one call decides, over a view that does not change. Pure; the
 * desk appends what `body` returns and folds it in.
 */
export class IncidentDraft {
  readonly #state: DeskState;
  readonly #config: IncidentConfig;
  readonly #now: EpochMs;
  readonly cases: Cases;
  readonly #transitions: Transition[] = [];
  readonly #touched = new Set<string>();
  readonly #suppressed = new SuppressedCounts();
  readonly #rows: OutboxRow[] = [];
  readonly #flaps: Flap[] = [];
  readonly #archived: string[] = [];
  #number: number;

  constructor(state: DeskState, config: IncidentConfig, now: EpochMs) {
    this.#state = state;
    this.#config = config;
    this.#now = now;
    this.cases = new Cases(state, config.canonical);
    this.#number = state.incidentNumber;
  }

  /** Incidents to plan although none of their alerts changed. */
  touch(ids: Iterable<string>): void {
    for (const id of ids) if (this.cases.tracked(id) !== undefined) this.#touched.add(id);
  }

  /** Flapping as it will be when this is applied. */
  isFlapping(key: string): boolean {
    const mark = this.#flaps.find((flap) => flap.dedupKey === key);
    return mark === undefined ? this.#state.isFlapping(key) : mark.since !== null;
  }

  /** What the state machine decided: alerts join incidents, incidents follow their alerts. */
  take(step: Step): void {
    this.#transitions.push(...step.transitions);
    this.#archived.push(...step.archived);
    const archived = new Set(step.archived);
    for (const tracked of step.changed) {
      this.cases.put(tracked, archived.has(tracked.alert.id));
      for (const id of [tracked.alert.incident, tracked.alert.fleet]) if (id !== undefined && this.cases.tracked(id) !== undefined) this.#touched.add(id);
    }
    for (const [rule, amount] of Object.entries(step.quieted)) this.#suppressed.add('quiet', rule, amount);
    this.#flap(step.transitions);
    for (const { alert } of step.changed) {
      const tracked = this.cases.alerts.get(alert.id);
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
      if (tracked.alert.state !== 'pending' && (incident === undefined || this.cases.tracked(incident) === undefined)) this.#assign(tracked);
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
      const alert = this.cases.current.get(key)?.alert ?? this.#state.alerts.get(key)?.alert;
      if (alert?.incident !== undefined) this.touch([alert.incident]);
    }
  }

  /** What the risk rule says of the keys that were touched. */
  risks(wall: EpochMs): readonly (RiskWord & { readonly incident: string })[] {
    return [...this.#touched].flatMap((id) => {
      const known = this.cases.tracked(id);
      if (known?.track.risk === undefined || known.incident.kind === 'fleet') return [];
      const members = this.cases.membersOf(id);
      const familyOfRule = (rule: string): string => familyOf(this.#config.rules.get(rule), rule);
      const word = riskWord({ ...known, members, familyOf: familyOfRule, entity: this.#config.canonical(known.incident.lineage), now: this.#now, wall });
      return word === undefined ? [] : [{ ...word, incident: id }];
    });
  }

  /** The risk that an alert was raised for. */
  setRiskTold(id: string, riskTold: RiskWord['told']): void {
    const known = this.cases.tracked(id);
    if (known !== undefined && riskTold !== undefined) this.cases.incidents.set(id, { ...known, track: { ...known.track, riskTold } });
  }

  acknowledge(id: string, ack: Omit<Acknowledgement, 'seen'>): void {
    const known = this.cases.tracked(id);
    if (known === undefined) return;
    const open = this.cases.membersOf(id).filter(({ alert }) => alert.state !== 'resolved' && alert.state !== 'archived');
    const { incident, track } = known;
    const seen: Acknowledgement['seen'] = {
      severity: incident.severity,
      score: incident.score,
      // Risk is made of families, and is none by itself.
      families: [...new Set([RISK, ...open.map(({ alert }) => this.#familyOf(alert))])],
      origins: [...new Set(open.flatMap((tracked) => tracked.track.origins))],
      entities: incident.kind === 'fleet' ? [] : [...new Set(open.map(({ alert }) => alert.entity))],
      lineages: incident.lineages,
    };
    const rest = without(track, 'escalation');
    this.cases.incidents.set(id, { incident: { ...incident, acknowledged: { ...ack, seen }, changedAt: this.#now }, track: rest });
    for (const tracked of open) this.#setAcknowledged(tracked, 'acknowledged');
    this.#touched.add(id);
    this.#recompute(id);
    this.#recomputeOthers(open, id);
  }

  endAck(id: string, why: string): void {
    this.#endAck(id, 'ack_withdrawn', why);
  }

  setFeedback(id: string, feedback: NonNullable<Incident['feedback']>): void {
    const known = this.cases.tracked(id);
    if (known !== undefined) this.cases.incidents.set(id, { ...known, incident: { ...known.incident, feedback, changedAt: this.#now } });
  }

  /** Decides what each channel is told of every incident that was touched. Returns when to look at each again. */
  plan(context: OverlayContext, believesFiring: (incident: string, channel: string) => boolean): ReadonlyMap<string, EpochMs> {
    const due = new Map<string, EpochMs>();
    // A fleet speaks for its members: what becomes of it is decided first.
    const ids = [...this.#touched].sort(
      (a, b) => Number(this.#isFleet(b)) - Number(this.#isFleet(a)) || Number(a.slice(INCIDENT.length)) - Number(b.slice(INCIDENT.length)),
    );
    for (const id of ids) {
      const known = this.cases.tracked(id);
      if (known === undefined) continue;
      const members = this.cases.membersOf(id);
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
      const suppressed = known.incident.kind === 'fleet' ? 0 : addSuppressed(this.#suppressed, { members, suppression, cases: this.cases, state: this.#state });
      const incident = suppressed === 0 ? plan.incident : { ...plan.incident, suppressed: plan.incident.suppressed + suppressed };
      this.#rows.push(...plan.rows.map((row) => (row.incident === undefined ? row : { ...row, incident: { ...incident, channels: {} } })));
      const before = this.#state.incidents.get(id);
      const isChanged = before === undefined || !isEqual(before.incident, incident) || !isEqual(before.track, plan.track);
      if (isChanged) this.cases.incidents.set(id, { incident, track: plan.track });
      else this.cases.incidents.delete(id);
      due.set(id, Math.min(plan.dueAt, incident.acknowledged?.until ?? Number.POSITIVE_INFINITY));
    }
    return due;
  }

  body(): Partial<JournalBody> & Pick<JournalBody, 'outbox'> {
    const incidents = [...this.cases.incidents.values()];
    const suppressed = this.#suppressed.list();
    return {
      transitions: this.#transitions,
      alerts: [...this.cases.alerts.values()].map(({ alert }) => alert),
      tracks: [...this.cases.alerts.values()].map(({ track }) => track),
      archived: this.#archived,
      outbox: this.#rows,
      incidents: incidents.map(({ incident }) => incident),
      incidentTracks: incidents.map(({ track }) => track),
      flaps: this.#flaps,
      suppressed,
    };
  }

  #isFleet(id: string): boolean {
    return this.cases.tracked(id)?.incident.kind === 'fleet';
  }

  /** An alert that people may hear of belongs to the open incident of its key, or begins one. */
  #assign(tracked: Tracked): void {
    const { alert, track } = tracked;
    if (track.announced === undefined || (alert.incident !== undefined && this.cases.tracked(alert.incident) !== undefined)) return;
    const lineage = this.#config.canonical(alert.entity);
    const open = [...this.cases.incidentsOf(lineage)].find(({ incident }) => incident.state !== 'resolved');
    const id = open?.incident.id ?? this.#open(alert, { kind: 'key', lineage, label: alert.label });
    this.cases.put({ alert: { ...alert, incident: id }, track });
    this.cases.memberKeys(id).add(alert.dedupKey);
    this.#touched.add(id);
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
    const risk = parts.kind === 'key' ? this.#state.risks.of(parts.lineage) : {};
    this.cases.incidents.set(id, { incident, track: { id, ...risk, waitUntil: this.#now + this.#config.waits[alert.severity], channels: {} } });
    this.#touched.add(id);
    if (parts.kind === 'key') {
      this.cases.addLineage(parts.lineage, id);
    }
    return id;
  }

  /** Many lineages that one rule found at once are one incident. */
  #mergeFleets(transitions: readonly Transition[]): void {
    const fresh = new Map<string, Tracked[]>();
    for (const { alert: id, to, cause } of transitions) {
      if (to !== 'firing' || (cause !== 'confirmed' && cause !== 'reopened')) continue;
      const tracked = this.cases.alerts.get(id);
      if (tracked === undefined || tracked.track.announced === undefined || tracked.alert.fleet !== undefined) continue;
      fresh.set(tracked.alert.rule, [...(fresh.get(tracked.alert.rule) ?? []), tracked]);
    }
    for (const [rule, found] of fresh) {
      const open = [...this.#state.incidents.values(), ...this.cases.incidents.values()].find(
        ({ incident }) => incident.kind === 'fleet' && incident.rule === rule && incident.state !== 'resolved' && incident.state !== 'archived',
      );
      const candidates = open === undefined ? this.cases.recentlyFired(rule, this.#now - FLEET_WITHIN_MS) : found;
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
    const tracked = this.cases.alert(id);
    if (tracked === undefined) return;
    this.cases.put({ alert: { ...tracked.alert, fleet }, track: tracked.track });
    this.cases.memberKeys(fleet).add(tracked.alert.dedupKey);
    const own = tracked.alert.incident;
    const known = own === undefined ? undefined : this.cases.tracked(own);
    if (own === undefined || known === undefined) return;
    this.cases.incidents.set(own, { ...known, incident: { ...known.incident, fleet } });
    this.#touched.add(own);
  }

  /** The incident as its alerts make it. */
  #recompute(id: string): void {
    const known = this.cases.tracked(id);
    if (known === undefined) return;
    const { incident, track } = known;
    const members = this.cases.membersOf(id);
    const alerts = members.map((member) => member.alert);
    const state = stateOf(alerts);
    const isOver = state === 'resolved' || state === 'archived';
    const wasOver = incident.state === 'resolved';
    const worst = alerts.toSorted(byWorst);
    const newest = worst[0];
    const names = [...new Set([...worst.slice(0, ALERTS_LISTED).map((alert) => alert.id), ...incident.alerts])].slice(0, ALERTS_LISTED);
    const joined = alerts.filter((alert) => !this.cases.wasMember(id, alert)).length;
    // Counted over what is stored: this may be called twice within one decision.
    const base = this.#state.incidents.get(id)?.incident;
    const lineages = incident.kind === 'fleet' ? (base?.lineages ?? 0) + joined : 1;
    const rest = without(incident, 'resolvedAt', 'resolution');
    const past = [...alerts, ...this.cases.endedOf(id)];
    const ended = past.findLast((alert) => alert.resolution !== undefined)?.resolution ?? incident.resolution;
    const stored = (this.#state.incidents.get(id)?.track ?? this.#state.risks.of(incident.lineage)).risk;
    const risk = incident.kind === 'fleet' ? undefined : riskOf(stored, freshFindings(members, this.cases, this.#state), this.#now);
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
      ...(isOver ? { resolvedAt: incident.resolvedAt ?? past.reduce((last, alert) => Math.max(last, alert.resolvedAt ?? 0), incident.startedAt) } : {}),
      ...(isOver && ended !== undefined ? { resolution: ended } : {}),
      ...(state === 'archived' ? { archivedAt: this.#now } : {}),
      ...(incident.kind === 'fleet' && joined > 0 ? { shared: sharedOf(worst) } : {}),
    };
    // Whoever had it has it no more once it is over: should it come back, it is somebody's decision again.
    const settled = isOver && next.acknowledged !== undefined ? withoutAck(next) : next;
    const isChanged = !isEqual({ ...settled, changedAt: 0 }, { ...incident, changedAt: 0 });
    const waitUntil = wasOver && !isOver ? { waitUntil: this.#now } : {};
    this.cases.incidents.set(id, {
      incident: isChanged ? { ...settled, changedAt: this.#now } : incident,
      track: { ...track, ...waitUntil, ...(risk === undefined ? {} : { risk }) },
    });
  }

  /** What goes beyond what the person saw ends the acknowledgement; what does not is theirs as well. */
  #breakAcks(): void {
    for (const id of this.#touched) {
      const known = this.cases.tracked(id);
      const acknowledged = known?.incident.acknowledged;
      if (known === undefined || acknowledged === undefined) continue;
      const open = this.cases.membersOf(id).filter(({ alert }) => alert.state === 'firing' || alert.state === 'acknowledged');
      const why = beyond(known.incident, acknowledged, open, (alert) => this.#familyOf(alert));
      if (why !== undefined) this.#endAck(id, 'ack_broken', why);
      else for (const tracked of open) if (tracked.alert.state === 'firing') this.#setAcknowledged(tracked, 'acknowledged');
      this.#recompute(id);
    }
  }

  #endAck(id: string, cause: TransitionCause, why: string): void {
    const known = this.cases.tracked(id);
    if (known?.incident.acknowledged === undefined) return;
    const incident: Incident = { ...withoutAck(known.incident), ackEnded: { at: this.#now, why }, changedAt: this.#now };
    this.cases.incidents.set(id, { incident, track: { ...known.track, escalation: { from: this.#now, done: 0 } } });
    const members = this.cases.membersOf(id);
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
      this.cases.put({ alert, track: isOn ? { ...track, isAcknowledged: true } : without(track, 'isAcknowledged') });
    } else if (alert.state === (isOn ? 'firing' : 'acknowledged')) {
      const to = isOn ? 'acknowledged' : 'firing';
      this.#transitions.push({ at: this.#now, alert: alert.id, from: alert.state, to, cause });
      this.cases.put({ alert: { ...alert, state: to }, track: { ...track, since: this.#now } });
    }
  }

  /** A fleet's alerts are those of their keys' incidents as well. */
  #recomputeOthers(members: readonly Tracked[], id: string): void {
    const others = new Set(members.flatMap(({ alert }) => [alert.incident, alert.fleet]));
    for (const other of others) {
      if (other === undefined || other === id || this.cases.tracked(other) === undefined) continue;
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
      const alert = (this.cases.current.get(key) ?? this.#state.alerts.get(key))?.alert;
      const isExempt = alert !== undefined && alert.severity === 'critical' && this.#config.rules.get(alert.rule)?.isTripwire === true;
      if (!isExempt) this.#flaps.push({ dedupKey: key, since: this.#now });
    }
  }

  #familyOf(alert: Alert): string {
    return familyOf(this.#config.rules.get(alert.rule), alert.rule);
  }
}
