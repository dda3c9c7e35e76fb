import type { KeyDirectory } from '../core/directory.ts';
import { type Evaluation, findingId } from '../core/finding.ts';
import type { EntityId, Minute, TimeWindow } from '../core/types.ts';
import { startOf } from '../core/window.ts';
import { explain } from './explain.ts';
import type { LedgerState } from './ledger/state.ts';
import type { Walk } from './ledger/walk.ts';
import type { Levels } from './limits.ts';
import type { Sums, ThresholdRule } from './rule.ts';
import { scoreOf } from './score.ts';

/** A rule's value on one owner and window. */
export type Measure = {
  readonly value: number;
  /** Enough happened for a breach. */
  readonly isEnough: boolean;
  readonly requests: number;
  readonly isExact: boolean;
};

export const SILENT: Measure = { value: 0, isEnough: true, requests: 0, isExact: true };

type OneSums = { -readonly [K in keyof Sums]: Float64Array };

/** Measures rules on windows and says what came of it. Knows no time and keeps nothing. */
export class Assessor {
  readonly #state: LedgerState;
  readonly #walk: Walk;
  /** Sums of a single entity, so that one formula serves the scan over all and the look at one. */
  readonly #one: OneSums = {
    requests: new Float64Array(1),
    requests5: new Float64Array(1),
    errors5: new Float64Array(1),
    bytes60: new Float64Array(1),
    failed60: new Float64Array(1),
    distinct60: new Float64Array(1),
  };

  constructor(state: LedgerState, walk: Walk) {
    this.#state = state;
    this.#walk = walk;
  }

  /** The minute that was closed last, from the running sums. */
  closed(rule: ThresholdRule, owner: number, minute: Minute): Measure {
    if (rule.isDistinct) return this.any(rule, owner, minute);
    const { table } = this.#state;
    const requests = (rule.minutes === 1 ? table.requests[owner] : table.requests5[owner]) as number;
    return { value: rule.value(table, owner), isEnough: rule.isEnough?.(table, owner) ?? true, requests, isExact: true };
  }

  /** The window that ends with any minute, closed or not, from what is held of it. */
  any(rule: ThresholdRule, owner: number, minute: Minute): Measure {
    const from = minute - rule.minutes + 1;
    const one = this.#one;
    if (rule.isDistinct) {
      const { count, isExact } = this.#walk.distinct(owner, from, minute);
      one.distinct60[0] = count;
      return { value: rule.value(one, 0), isEnough: true, requests: 0, isExact };
    }
    const { requests, errors, failed, bytes } = this.#walk.sums(owner, from, minute);
    one.requests[0] = requests;
    one.requests5[0] = requests;
    one.errors5[0] = errors;
    one.failed60[0] = failed;
    one.bytes60[0] = bytes;
    return { value: rule.value(one, 0), isEnough: rule.isEnough?.(one, 0) ?? true, requests, isExact: true };
  }

  /** No window that is open now can be above this. */
  bound(rule: ThresholdRule, owner: number): number {
    const { table } = this.#state;
    const one = this.#one;
    one.requests[0] = table.openRequests[owner] as number;
    one.bytes60[0] = (table.bytes60[owner] as number) + (table.openBytes[owner] as number);
    one.failed60[0] = (table.failed60[owner] as number) + (table.openFailed[owner] as number);
    one.distinct60[0] = (table.distinct60[owner] as number) + (table.openDistinct[owner] as number);
    return rule.value(one, 0);
  }

  /** The evaluation of a window that breaches. */
  breach(input: {
    readonly rule: ThresholdRule;
    readonly levels: Levels;
    readonly owner: number;
    readonly minute: Minute;
    readonly measure: Measure;
    readonly isLive: boolean;
    readonly directory: KeyDirectory;
  }): Evaluation {
    const { rule, levels, owner, minute, measure, isLive, directory } = input;
    const entity = this.#state.table.id(owner);
    const window = windowOfRule(rule, minute);
    const isCritical = passes(rule, measure.value, levels.critical);
    const severity = isCritical ? 'critical' : rule.warningSeverity;
    const limit = isCritical ? levels.critical : levels.lowest;
    const { contributions, detail } = explain({ walk: this.#walk, owner, from: minute - rule.minutes + 1, to: minute, basis: rule.basis, directory });
    const { value: observed, requests, isExact } = measure;
    return {
      rule: rule.id,
      entity,
      window,
      observed,
      verdict: 'breach',
      finding: {
        id: findingId(rule.id, entity, window.start, severity),
        rule: rule.id,
        entity,
        window,
        severity,
        score: scoreOf(observed, levels.limits, isCritical),
        why: rule.why({ window, observed, limit, requests, isExact, detail }),
        observed,
        expected: limit,
        unit: rule.unit,
        action: rule.action,
        contributions,
        isLive,
      },
    };
  }
}

export function isBreach(rule: ThresholdRule, measure: Measure, levels: Levels): boolean {
  return measure.isEnough && passes(rule, measure.value, levels.lowest);
}

/** Reaching a limit or passing it, as the rule has it; nothing never breaches. */
export function passes(rule: ThresholdRule, value: number, limit: number): boolean {
  return rule.isAtLeast ? value >= limit && value > 0 : value > limit;
}

/** The evaluation of a window without a breach, for an alert that is open. */
export function quiet(rule: ThresholdRule, entity: EntityId, minute: Minute, value: number, levels: Levels): Evaluation {
  // Nothing at all clears whatever the limit is.
  const verdict = value < levels.clear || value === 0 ? 'clear' : 'hold';
  return { rule: rule.id, entity, window: windowOfRule(rule, minute), observed: value, verdict };
}

function windowOfRule(rule: ThresholdRule, minute: Minute): TimeWindow {
  return { start: startOf(minute - rule.minutes + 1), end: startOf(minute + 1) };
}
