import { MINUTE_MS } from '../core/window.ts';
import type { DurationMs, Severity } from '../core/types.ts';

/** How the alerts of one rule are confirmed and cleared. The state machine knows rules by this only. */
export type RuleSpec = {
  readonly rule: string;
  /** A breach is confirmed by `m` breaching windows among `n` in a row. 1 of 1 fires at the first. */
  readonly confirm: { readonly m: number; readonly n: number };
  /** Distance between the ends of two windows in a row; default one minute, also for sliding sums. */
  readonly stepMs?: DurationMs;
  /** How long every window must be clear before the alert is resolved. */
  readonly clearHoldMs: DurationMs;
  /** A finding of this severity or above needs no confirmation; default critical. */
  readonly immediateSeverity?: Severity;
  /** Nor does a value of this many times the limit; default 3. */
  readonly immediateRatio?: number;
  /** What the rule tells apart beside entities; part of the dedup key. */
  readonly dimension?: string;
  /** Rules that look at the same thing; default the rule itself. Of one family on one key the rule of the highest rank speaks. */
  readonly family?: string;
  readonly rank?: number;
  /** Never tuned and never muted by chance: a revoked, leaked or decoy key was used. */
  readonly isTripwire?: boolean;
  /** It finds that something is missing: says nothing while data is. */
  readonly isAbsence?: boolean;
};

export function familyOf(spec: RuleSpec | undefined, rule: string): string {
  return spec?.family ?? rule;
}

export const IMMEDIATE_SEVERITY: Severity = 'critical';
export const IMMEDIATE_RATIO = 3;

/** Of the shipped thresholds: guessing is failed authentication with more behind it. */
const FAMILIES: Readonly<Record<string, { readonly family: string; readonly rank: number }>> = {
  failed_auth: { family: 'authentication', rank: 0 },
  guessing: { family: 'authentication', rank: 1 },
};

/** The shipped thresholds: 2 of 3 closed minutes, resolved after 10 clear minutes. */
export function thresholdSpec(rule: string): RuleSpec {
  return { rule, confirm: { m: 2, n: 3 }, clearHoldMs: 10 * MINUTE_MS, ...(Object.hasOwn(FAMILIES, rule) ? FAMILIES[rule] : {}) };
}
