import { updatedAt } from '../journal-chain.ts';
import { type EntityId, entityKind, entityName, severityRank } from '../../core/types.ts';
import { type Alert, OPEN_STATES } from '../../core/alert.ts';

/** An alert as dashboards and people search it. `alert` is the whole of it, not indexed: what `Journal.alerts` gives back. */
export type AlertDocument = Readonly<Record<string, unknown>> & { readonly alert: Alert };

export function alertDocument(alert: Alert, seq: number): AlertDocument {
  return {
    '@timestamp': alert.startedAt,
    id: alert.id,
    ...owner(alert.entity),
    label: alert.label,
    rule: alert.rule,
    state: alert.state,
    // What a person still has to look at: confirmed and not over.
    is_open: OPEN_STATES.includes(alert.state),
    severity: alert.severity,
    severity_rank: severityRank(alert.severity),
    score: alert.score,
    why: alert.finding.why,
    action: alert.finding.action,
    unit: alert.finding.unit,
    observed: alert.finding.observed,
    expected: alert.finding.expected,
    peak: alert.peak,
    findings: alert.findings,
    reopens: alert.reopens,
    started: alert.startedAt,
    fired: alert.firedAt,
    last_breach: alert.lastBreachAt,
    resolved: alert.resolvedAt,
    updated: updatedAt(alert),
    seq,
    incident: alert.incident,
    alert,
  };
}

/** Who a document is about. The whole id is `key`, the word that dashboards use for it. */
export function owner(entity: EntityId): { readonly key: EntityId; readonly kind: string; readonly name: string } {
  return { key: entity, kind: entityKind(entity), name: entityName(entity) };
}
