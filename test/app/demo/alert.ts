import type { Alert } from '../../../core/alert.ts';
import { type EntityId, entityId } from '../../../core/types.ts';

/** An alert with what the demo looks at; the rest is of no interest to it. */
export function alertOf(given: { readonly entity?: EntityId; readonly at: number } & Partial<Omit<Alert, 'finding'>> & { readonly why?: string }): Alert {
  const { at, why = '1,001 requests in the minute from 13:42, limit 1,000.', entity = entityId('key', 'k1'), ...over } = given;
  const rule = over.rule ?? 'request_rate';
  const severity = over.severity ?? 'critical';
  return {
    id: `${rule}|${entity}`,
    dedupKey: `${rule}|${entity}`,
    episode: 1,
    rule,
    entity,
    label: 'acme-mobile',
    state: 'firing',
    severity,
    score: 90,
    startedAt: at - 60_000,
    firedAt: at,
    lastBreachAt: at,
    peak: 1_001,
    findings: 1,
    reopens: 0,
    dips: 0,
    excess: 0,
    ...over,
    finding: {
      id: 'f',
      rule,
      entity,
      window: { start: at - 60_000, end: at },
      severity,
      score: 90,
      why,
      observed: 1_001,
      expected: 1_000,
      unit: 'requests',
      action: 'apply rate limiting',
      contributions: [],
      isLive: true,
    },
  };
}

/** The same, never confirmed. */
export function withoutFiring(alert: Alert): Alert {
  const { firedAt, ...rest } = alert;
  return firedAt === undefined ? alert : rest;
}
