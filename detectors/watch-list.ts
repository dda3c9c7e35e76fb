import type { Evaluation } from '../core/finding.ts';
import type { EntityId } from '../core/types.ts';

/** Windows that are clear one after another until a pair needs no more looking at within one call: no alert holds on longer. */
export const CLEARS_MAX = 60;

export type Watch = { readonly entity: EntityId; readonly rule: string; clears: number };

/**
 * The (rule, entity) pairs that are evaluated although nothing breaches: those with an open alert, and those that
 * breached since, whose alert is not open yet. Without the second kind a backlog closed in one call would show an
 * alert's beginning and never its end.
 */
export class WatchList {
  readonly #pairs = new Map<string, Watch>();

  get size(): number {
    return this.#pairs.size;
  }

  /** A breach: looked at from here on, and its count of clear windows begins again. */
  add(rule: string, entity: EntityId): void {
    const key = keyOf(rule, entity);
    const known = this.#pairs.get(key);
    if (known === undefined) this.#pairs.set(key, { entity, rule, clears: 0 });
    else known.clears = 0;
  }

  pairs(): Iterable<Watch> {
    return this.#pairs.values();
  }

  /** Counts a verdict; forgets a pair that was clear for long. */
  saw(watch: Watch, verdict: Evaluation['verdict']): void {
    watch.clears = verdict === 'clear' ? watch.clears + 1 : 0;
    if (watch.clears >= CLEARS_MAX) this.#pairs.delete(keyOf(watch.rule, watch.entity));
  }

  clear(): void {
    this.#pairs.clear();
  }
}

export function keyOf(rule: string, entity: EntityId): string {
  return `${rule} ${entity}`;
}
