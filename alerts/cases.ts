import type { Alert } from '../core/alert.ts';
import type { Incident } from '../core/incident.ts';
import type { EntityId, EpochMs } from '../core/types.ts';
import type { DeskState, TrackedIncident } from './desk-state.ts';
import type { Tracked } from './episode.ts';

/** Alerts and incidents as they will be: what one decision changed, over a state that does not change. */
export class Cases {
  readonly #state: DeskState;
  readonly #canonical: (entity: EntityId) => EntityId;
  /** By dedup key, over the state; undefined where an episode is archived. */
  readonly current = new Map<string, Tracked | undefined>();
  /** That changed, by alert id. */
  readonly alerts = new Map<string, Tracked>();
  /** That changed. */
  readonly incidents = new Map<string, TrackedIncident>();
  readonly #members = new Map<string, Set<string>>();
  readonly #ended = new Map<string, readonly Alert[]>();
  #lineages: Map<EntityId, string[]> | undefined;

  constructor(state: DeskState, canonical: (entity: EntityId) => EntityId) {
    this.#state = state;
    this.#canonical = canonical;
  }

  incident(id: string): Incident | undefined {
    return this.tracked(id)?.incident;
  }

  alert(id: string): Tracked | undefined {
    const changed = this.alerts.get(id);
    if (changed !== undefined) return changed;
    const known = this.#state.alerts.get(id.slice(0, id.lastIndexOf('-')));
    return known?.alert.id === id ? known : undefined;
  }

  tracked(id: string): TrackedIncident | undefined {
    return this.incidents.get(id) ?? this.#state.incidents.get(id);
  }

  put(tracked: Tracked, isArchived = false): void {
    const { alert } = tracked;
    this.alerts.set(alert.id, tracked);
    if (isArchived) for (const id of [alert.incident, alert.fleet]) if (id !== undefined) this.#ended.set(id, [...(this.#ended.get(id) ?? []), alert]);
    const current = this.current.get(alert.dedupKey) ?? this.#state.alerts.get(alert.dedupKey);
    if (isArchived && current !== undefined && current.alert.id !== alert.id) return;
    this.current.set(alert.dedupKey, isArchived ? undefined : tracked);
  }

  /** Its alerts whose episode ended for good in this decision: no members any more, but they say when and how. */
  endedOf(id: string): readonly Alert[] {
    return this.#ended.get(id) ?? [];
  }

  memberKeys(id: string): Set<string> {
    let keys = this.#members.get(id);
    if (keys === undefined) this.#members.set(id, (keys = new Set(this.#state.members(id))));
    return keys;
  }

  /** Its alerts that are not archived, as they will be. */
  membersOf(id: string): readonly Tracked[] {
    const members: Tracked[] = [];
    for (const key of this.#members.get(id) ?? this.#state.members(id)) {
      const tracked = this.current.has(key) ? this.current.get(key) : this.#state.alerts.get(key);
      if (tracked !== undefined && (tracked.alert.incident === id || tracked.alert.fleet === id)) members.push(tracked);
    }
    return members;
  }

  wasMember(id: string, { dedupKey, id: alert }: Alert): boolean {
    const known = this.#state.alerts.get(dedupKey)?.alert;
    return known?.id === alert && (known.incident === id || known.fleet === id) && this.#state.incidents.has(id);
  }

  /** Incidents of a lineage that are not archived: those of its alerts. */
  *incidentsOf(lineage: EntityId): Generator<TrackedIncident> {
    for (const id of this.#byLineage().get(lineage) ?? []) {
      const known = this.tracked(id);
      if (known?.incident.kind === 'key') yield known;
    }
  }

  #byLineage(): Map<EntityId, string[]> {
    if (this.#lineages !== undefined) return this.#lineages;
    const lineages = new Map<EntityId, string[]>();
    for (const { incident } of this.#state.incidents.values()) {
      const lineage = this.#canonical(incident.lineage);
      const known = lineages.get(lineage);
      if (known === undefined) lineages.set(lineage, [incident.id]);
      else known.push(incident.id);
    }
    return (this.#lineages = lineages);
  }

  /** Open alerts of a rule that fired since then and are in no fleet, the first ones first. */
  recentlyFired(rule: string, from: EpochMs): readonly Tracked[] {
    const found: Tracked[] = [];
    const look = (tracked: Tracked | undefined): void => {
      if (tracked === undefined || tracked.alert.rule !== rule || tracked.track.announced === undefined || tracked.alert.fleet !== undefined) return;
      const { alert } = tracked;
      const isRecent = (alert.firedAt ?? 0) >= from || (alert.reopens > 0 && tracked.track.since >= from);
      if (alert.state !== 'resolved' && alert.state !== 'pending' && isRecent) found.push(tracked);
    };
    for (const [key, tracked] of this.#state.alerts) if (!this.current.has(key)) look(tracked);
    for (const tracked of this.current.values()) look(tracked);
    return found.sort((a, b) => a.alert.startedAt - b.alert.startedAt || (a.alert.id < b.alert.id ? -1 : 1));
  }

  /** A new incident of a lineage. */
  addLineage(lineage: EntityId, id: string): void {
    const lineages = this.#byLineage();
    lineages.set(lineage, [...(lineages.get(lineage) ?? []), id]);
  }
}
