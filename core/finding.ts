import type { EntityId, EpochMs, Severity, TimeWindow } from './types.ts';

/** One value of a dimension and its share of what was observed, 0..1. The value came from traffic: it is hostile text. */
export type Contribution = { readonly dimension: string; readonly value: string; readonly share: number };

/** Immutable result of one rule on one entity and window. Its id is a function of the input, so that judging twice makes one finding. */
export type Finding = {
  /** `rule|entity|window start|severity`. */
  readonly id: string;
  readonly rule: string;
  readonly entity: EntityId;
  /** What the rule looked at: a minute for rates, an hour for sliding sums, five minutes for ratios. */
  readonly window: TimeWindow;
  readonly severity: Severity;
  /** 0-100, mapped from how far the limit was passed. */
  readonly score: number;
  /** One sentence in plain words, without a full stop missing and without text that came from traffic. */
  readonly why: string;
  readonly observed: number;
  /** The limit, or the middle of the expected band. */
  readonly expected: number;
  readonly unit: 'requests' | 'ratio' | 'bytes' | 'failures' | 'credentials' | 'minutes' | 'points';
  /** What a person should do: "apply rate limiting". */
  readonly action: string;
  readonly contributions: readonly Contribution[];
  /** True when it was made on a window that is still open: only for what cannot un-breach. */
  readonly isLive: boolean;
};

/**
 * What one rule said of one entity and window.
 * - breach: there is a finding · hold: below the limit, above the clearing line · clear: below the clearing line
 */
export type Evaluation = {
  readonly rule: string;
  readonly entity: EntityId;
  readonly window: TimeWindow;
  readonly observed: number;
  readonly verdict: 'breach' | 'hold' | 'clear';
  readonly finding?: Finding;
};

export function findingId(rule: string, entity: EntityId, windowStart: EpochMs, severity: Severity): string {
  return `${rule}|${entity}|${windowStart}|${severity}`;
}
