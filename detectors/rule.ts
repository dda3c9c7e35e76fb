import type { RuleLimits } from '../core/directory.ts';
import type { Finding } from '../core/finding.ts';
import type { EntityKind, Severity, TimeWindow } from '../core/types.ts';

/** What a rule can be about. `overflow` is what the entity limit counted together (`entity-table.ts`). */
export type Subject = Exclude<EntityKind, 'refused' | 'late'> | 'overflow';

/** What a person needs to know of a rule: read by the configuration, the manual and `config show`. */
export type RuleInfo = {
  readonly id: string;
  readonly family: 'threshold';
  readonly description: string;
  readonly formula: string;
  readonly unit: Finding['unit'];
  readonly defaults: RuleLimits;
  /** What a person should do. */
  readonly action: string;
  /** How many minutes one evaluation looks at. */
  readonly minutes: number;
  readonly subjects: readonly Subject[];
};

/**
 * Sums per entity for the window under judgement, one place per dense entity number. All are integers, so that
 * adding and subtracting minutes stays exact.
 */
export type Sums = {
  /** In the minute. */
  readonly requests: Float64Array;
  /** Over five minutes. */
  readonly requests5: Float64Array;
  readonly errors5: Float64Array;
  /** Over an hour. */
  readonly bytes60: Float64Array;
  readonly failed60: Float64Array;
  /** Distinct attempted credentials. In the table of entities only an upper bound: the sum over minutes. */
  readonly distinct60: Float64Array;
};

/** What the sketches of the window say beside the sums; absent where they are no longer held. */
export type Detail = {
  readonly clientErrors: number;
  readonly serverErrors: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Some event showed a request or a response size. */
  readonly isBytesInKnown: boolean;
  readonly isBytesOutKnown: boolean;
};

/** What a why-sentence is made of. */
export type Facts = {
  readonly window: TimeWindow;
  readonly observed: number;
  /** The limit that was passed. */
  readonly limit: number;
  /** Requests in the window, for a ratio its denominator. */
  readonly requests: number;
  /** False where a number comes from HyperLogLog. */
  readonly isExact: boolean;
  readonly detail: Detail | undefined;
};

/** What the shares of contributions are shares of. */
export type Basis = 'requests' | 'failures' | 'bytes' | 'none';

export type ThresholdRule = RuleInfo & {
  /** Severity below the critical limit. */
  readonly warningSeverity: Severity;
  /** Reaching the limit breaches it; else it must be passed. */
  readonly isAtLeast: boolean;
  /** The value cannot fall while its window is open, so a critical one fires at once. */
  readonly isMonotone: boolean;
  /** The value counts distinct credentials: what `Sums` has is only an upper bound, and breaches are counted out. */
  readonly isDistinct: boolean;
  readonly basis: Basis;
  value(sums: Sums, entity: number): number;
  /** Whether there is enough to breach on; absent means always. */
  isEnough?(sums: Sums, entity: number): boolean;
  why(facts: Facts): string;
};
