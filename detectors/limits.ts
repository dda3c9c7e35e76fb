import type { KeyDirectory, RuleLimits } from '../core/directory.ts';
import type { EntityId } from '../core/types.ts';
import { subjectOf } from './ledger/entity-table.ts';
import { floats, nextSize } from './ledger/grow.ts';
import type { ThresholdRule } from './rule.ts';

/** An alert clears below this share of the limit that opened it (hysteresis). */
export const CLEAR_SHARE = 0.8;

/** The limits of one rule in the shape that comparing needs; Infinity where a level is off. */
export type Levels = {
  readonly limits: RuleLimits;
  /** The lower of both: what makes a breach. */
  readonly lowest: number;
  readonly critical: number;
  /** Below it an alert clears; Infinity when the rule is off, so that everything clears. */
  readonly clear: number;
};

/**
 * The limits of all rules per entity, as numbers of distinct sets: most entities share the defaults, so a million
 * of them cost four bytes each and comparing needs no look-up in the directory.
 */
export class Limits {
  directory: KeyDirectory;
  readonly #rules: readonly ThresholdRule[];
  readonly #sets: (readonly Levels[])[] = [];
  readonly #byContent = new Map<string, number>();
  /** Per rule, the lowest level of every set: what the scan over all entities compares with. */
  readonly #lowest: Float64Array[];

  constructor(directory: KeyDirectory, rules: readonly ThresholdRule[]) {
    this.directory = directory;
    this.#rules = rules;
    this.#lowest = rules.map(() => new Float64Array(16));
  }

  /** The number of the set of an entity. */
  numberOf(id: EntityId): number {
    const subject = subjectOf(id);
    const levels = this.#rules.map((rule) => levelsOf(rule.subjects.includes(subject) ? this.directory.limits(rule.id, id, rule.defaults) : {}));
    const content = levels.map(({ limits }) => `${limits.warning}/${limits.critical}`).join(' ');
    const known = this.#byContent.get(content);
    if (known !== undefined) return known;
    const number = this.#sets.length;
    this.#sets.push(levels);
    this.#byContent.set(content, number);
    levels.forEach(({ lowest }, rule) => {
      let column = this.lowest(rule);
      if (number >= column.length) this.#lowest[rule] = column = floats(column, nextSize(column.length));
      column[number] = lowest;
    });
    return number;
  }

  /** Of the rule at place `rule` in the list of rules. */
  levels(set: number, rule: number): Levels {
    const levels = this.#sets[set]?.[rule];
    if (levels === undefined) throw new Error(`BUG: no limits in set ${set} for rule ${rule}`);
    return levels;
  }

  /** By number of the set. */
  lowest(rule: number): Float64Array {
    const column = this.#lowest[rule];
    if (column === undefined) throw new Error(`BUG: no rule ${rule}`);
    return column;
  }
}

function levelsOf(limits: RuleLimits): Levels {
  const warning = limits.warning ?? Infinity;
  const critical = limits.critical ?? Infinity;
  const limit = limits.warning ?? critical;
  // Twelve digits: 0.8 times 0.05 must be 0.04 and not one bit more.
  const clear = limit === Infinity ? Infinity : Number((limit * CLEAR_SHARE).toPrecision(12));
  return { limits, lowest: Math.min(warning, critical), critical, clear };
}
