import type { EntityId, Minute } from '../core/types.ts';
import { RULES } from './registry.ts';
import type { ThresholdRule } from './rule.ts';
import { LogCounts } from './stats/log-counts.ts';
import { quantileOf } from './stats/quantile.ts';

const USUAL = 0.999;
const HEADROOM = 1.5;
/** A suggestion may tighten a shipped limit down to this share of it; below, ordinary days of a quiet key would alert. */
const TIGHTEN_MIN = 0.1;
/** A share of errors cannot pass 100 %. */
const RATIO_MAX = 0.95;
const RATIO_CRITICAL_MAX = 0.99;
/** Breaches less than this apart are one alert: ten minutes to clear and an hour to come back (notes/alerting.md d). */
const SAME_ALERT_MINUTES = 70;
const ENTITIES_MAX = 100_000;
/** One, two or a few digits that people would choose. */
const FRIENDLY = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10];
const KB = 1024;
/** How far a value of the history may be off. */
const BUCKET_WIDTH = 0.035;

/** What the limits of one rule on one entity could be, from its own history. */
export type LimitSuggestion = {
  readonly entity: EntityId;
  readonly rule: string;
  readonly unit: 'requests' | 'ratio' | 'bytes' | 'failures';
  readonly warning: number;
  readonly critical: number;
  /** 99.9th percentile of the windows in which there was anything. */
  readonly usual: number;
  readonly windows: number;
  /** Alerts that the suggested limits would have raised. */
  readonly remaining: number;
};

/**
 * Collects the history of every entity while a log is judged and suggests limits from it. Its `observe` is the
 * judge's `observer`. A few hundred bytes per entity and rule, however long the log.
 */
export class Suggester {
  readonly #entitiesMax: number;
  readonly #byEntity = new Map<EntityId, Map<string, History>>();
  #left = 0;

  constructor(entitiesMax = ENTITIES_MAX) {
    this.#entitiesMax = entitiesMax;
  }

  /** Values of entities that came when the memory was full: nothing is suggested for those. */
  get left(): number {
    return this.#left;
  }

  readonly observe = (rule: string, entity: EntityId, minute: Minute, value: number): void => {
    const spec = SUGGESTED.get(rule);
    if (spec === undefined) return;
    let histories = this.#byEntity.get(entity);
    if (histories === undefined) {
      if (this.#byEntity.size >= this.#entitiesMax) {
        this.#left++;
        return;
      }
      this.#byEntity.set(entity, (histories = new Map<string, History>()));
    }
    let history = histories.get(rule);
    if (history === undefined) histories.set(rule, (history = new History(spec)));
    history.add(minute, value);
  };

  /** For all entities, or one; by entity, then in the order of the rules. */
  suggestions(of?: EntityId): LimitSuggestion[] {
    const entities = of === undefined ? [...this.#byEntity.keys()].sort() : [of];
    return entities.flatMap((entity) =>
      [...SUGGESTED.values()].flatMap((spec) => {
        const history = this.#byEntity.get(entity)?.get(spec.rule.id);
        return history === undefined ? [] : [history.suggest(entity)];
      }),
    );
  }
}

/** The same for a series that is at hand whole: the value of each window in a row, 0 where nothing happened. */
export function suggestFromSeries(rule: string, entity: EntityId, values: readonly number[]): LimitSuggestion | undefined {
  const spec = SUGGESTED.get(rule);
  const busy = values.filter((value) => value > 0);
  const usual = quantileOf(busy, USUAL);
  if (spec === undefined || usual === undefined) return undefined;
  const limits = limitsFor(spec, usual);
  const episodes = new Episodes(spec.criticalRatio);
  let remaining = 0;
  values.forEach((value, minute) => {
    const { from, to } = episodes.next(minute, value);
    if (from <= limits.warning && to > limits.warning) remaining++;
  });
  return { entity, rule, unit: spec.unit, ...limits, usual, windows: busy.length, remaining };
}

type Spec = {
  readonly rule: ThresholdRule;
  readonly unit: LimitSuggestion['unit'];
  /** The shipped critical limit as a multiple of the warning. */
  readonly criticalRatio: number;
  readonly warningMin: number;
  /** Integers of this size are counted: a KB, a millionth, one. */
  readonly step: number;
};

const SUGGESTED: ReadonlyMap<string, Spec> = new Map(
  RULES.flatMap((rule): [string, Spec][] => {
    const { unit, defaults } = rule;
    const { warning, critical } = defaults;
    if (warning === undefined || critical === undefined || unit === 'credentials' || unit === 'minutes' || unit === 'points') return [];
    // Failures are never usual enough to tighten their limits, only to widen them.
    const warningMin = unit === 'ratio' || unit === 'failures' ? warning : warning * TIGHTEN_MIN;
    const step = unit === 'bytes' ? KB : unit === 'ratio' ? 1e-6 : 1;
    return [[rule.id, { rule, unit, criticalRatio: critical / warning, warningMin, step }]];
  }),
);

/** The history of one rule on one entity. */
class History {
  readonly #spec: Spec;
  readonly #counts = new LogCounts();
  readonly #episodes: Episodes;

  constructor(spec: Spec) {
    this.#spec = spec;
    this.#episodes = new Episodes(spec.criticalRatio);
  }

  add(minute: Minute, value: number): void {
    const { step } = this.#spec;
    this.#counts.add(Math.ceil(value / step));
    const { from, to } = this.#episodes.next(minute, value);
    if (to > from) this.#counts.rise(Math.ceil(from / step), Math.ceil(to / step));
  }

  suggest(entity: EntityId): LimitSuggestion {
    const { rule, unit, step } = this.#spec;
    const usual = (this.#counts.quantile(USUAL) ?? 0) * step;
    const limits = limitsFor(this.#spec, usual);
    const remaining = this.#counts.risesOver(Math.floor(limits.warning / step));
    return { entity, rule: rule.id, unit, ...limits, usual, windows: this.#counts.total, remaining };
  }
}

/**
 * The level that alerts are decided by, window after window: a warning needs two of three windows, a critical one
 * alone, so it is the second highest of three or what a critical limit makes of the present one. `from` is the
 * highest level of the last 70 minutes: a limit between both is passed anew, and that is one more alert.
 */
class Episodes {
  readonly #criticalRatio: number;
  #minute = -Infinity;
  #last = 0;
  #beforeLast = 0;
  /** Minute and level in turn, levels falling: the first is the highest of those that count. */
  readonly #highest: number[] = [];

  constructor(criticalRatio: number) {
    this.#criticalRatio = criticalRatio;
  }

  next(minute: Minute, value: number): { readonly from: number; readonly to: number } {
    const gap = minute - this.#minute;
    const before = gap === 1 ? this.#last : 0;
    const beforeThat = gap === 1 ? this.#beforeLast : gap === 2 ? this.#last : 0;
    this.#minute = minute;
    this.#last = value;
    this.#beforeLast = before;
    const second = value + before + beforeThat - Math.max(value, before, beforeThat) - Math.min(value, before, beforeThat);
    const to = Math.max(second, value / this.#criticalRatio);
    const highest = this.#highest;
    while (highest.length > 0 && (highest[0] as number) <= minute - SAME_ALERT_MINUTES) highest.splice(0, 2);
    const from = highest[1] ?? 0;
    while (highest.length > 0 && (highest.at(-1) as number) <= to) highest.length -= 2;
    highest.push(minute, to);
    return { from, to };
  }
}

function limitsFor(spec: Spec, usual: number): { readonly warning: number; readonly critical: number } {
  const wanted = Math.max(spec.warningMin, usual * HEADROOM);
  if (spec.unit === 'ratio') {
    const warning = Math.min(RATIO_MAX, friendly(wanted * 100) / 100);
    return { warning, critical: Math.min(RATIO_CRITICAL_MAX, Number((warning * spec.criticalRatio).toPrecision(6))) };
  }
  const warning = spec.unit === 'bytes' ? friendlyBytes(wanted) : Math.ceil(friendly(wanted));
  return { warning, critical: Math.ceil(warning * spec.criticalRatio) };
}

/** The number that people would choose: the next higher one, or one that is lower by no more than a bucket of the history is wide. */
export function friendly(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = FRIENDLY.find((candidate) => candidate * power >= value * (1 - BUCKET_WIDTH)) ?? 10;
  return Number((step * power).toPrecision(6));
}

function friendlyBytes(value: number): number {
  let unit = 1;
  while (value / unit >= KB && unit < KB ** 4) unit *= KB;
  return Math.ceil(friendly(value / unit) * unit);
}
