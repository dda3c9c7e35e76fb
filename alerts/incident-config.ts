import type { DurationMs, EntityId, Severity } from '../core/types.ts';
import { HOUR_MS, MINUTE_MS } from '../core/window.ts';
import type { EscalationSteps } from './escalation.ts';
import type { PlanChannel, Routing } from './plan.ts';
import type { RuleSpec } from './rule-spec.ts';

/** So many lineages that one rule finds within ten minutes are one incident. */
export const FLEET_LINEAGES = 5;
export const FLEET_WITHIN_MS: DurationMs = 10 * MINUTE_MS;

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
