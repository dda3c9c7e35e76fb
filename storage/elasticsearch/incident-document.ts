import { incidentUpdatedAt } from '../journal-records.ts';
import { owner } from './alert-document.ts';
import { actorText } from '../../core/operator.ts';
import { severityRank } from '../../core/types.ts';
import type { Incident } from '../../core/incident.ts';

/** An incident as dashboards and people search it. `incident` is the whole of it, not indexed: what `Journal.incidents` gives back. */
export type IncidentDocument = Readonly<Record<string, unknown>> & { readonly incident: Incident };

export function incidentDocument(incident: Incident, seq: number): IncidentDocument {
  return {
    '@timestamp': incident.startedAt,
    id: incident.id,
    incident_kind: incident.kind,
    ...owner(incident.lineage),
    label: incident.label,
    rule: incident.rule,
    state: incident.state,
    is_open: incident.state !== 'resolved' && incident.state !== 'archived',
    severity: incident.severity,
    severity_rank: severityRank(incident.severity),
    score: incident.score,
    risk: incident.risk,
    alerts: incident.alertsTotal,
    keys: incident.lineages,
    reopens: incident.reopens,
    suppressed: incident.suppressed,
    fleet: incident.fleet,
    acknowledged_by: incident.acknowledged === undefined ? undefined : actorText(incident.acknowledged.actor),
    started: incident.startedAt,
    opened: incident.openedAt,
    resolved: incident.resolvedAt,
    updated: incidentUpdatedAt(incident),
    seq,
    incident,
  };
}
