import type { Alert, CatchUp } from '../core/alert.ts';
import { type EpochMs, type Severity, severityRank } from '../core/types.ts';

/** Entities remembered while catching up; beyond it the one with the fewest alerts makes room. */
const ENTITIES_MAX = 50;

/** The catch-up with one more alert in it, which fired now, on a window that ended at `end`. */
export function addToCatchUp(catchUp: CatchUp | undefined, alert: Alert, breach: { readonly end: EpochMs; readonly now: EpochMs }): CatchUp {
  const rules = catchUp?.rules ?? {};
  const severities: Partial<Record<Severity, number>> = catchUp?.severities ?? {};
  return {
    alerts: (catchUp?.alerts ?? 0) + 1,
    at: breach.now,
    from: Math.min(catchUp?.from ?? alert.startedAt, alert.startedAt),
    to: Math.max(catchUp?.to ?? breach.end, breach.end),
    severities: { ...severities, [alert.severity]: (severities[alert.severity] ?? 0) + 1 },
    rules: { ...rules, [alert.rule]: (rules[alert.rule] ?? 0) + 1 },
    entities: addEntity(catchUp?.entities ?? [], alert),
  };
}

function addEntity(entities: CatchUp['entities'], alert: Alert): CatchUp['entities'] {
  const known = entities.find((each) => each.entity === alert.entity);
  const severity = known !== undefined && severityRank(known.severity) > severityRank(alert.severity) ? known.severity : alert.severity;
  const entry = { entity: alert.entity, label: alert.label, alerts: (known?.alerts ?? 0) + 1, severity };
  const others = entities.filter((each) => each !== known);
  return [...others, entry].sort((a, b) => severityRank(b.severity) - severityRank(a.severity) || b.alerts - a.alerts).slice(0, ENTITIES_MAX);
}
