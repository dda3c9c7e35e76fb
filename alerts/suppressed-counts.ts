import type { SuppressionReason } from '../core/incident.ts';

type Count = { readonly reason: SuppressionReason; readonly rule: string; readonly amount: number };

/** Findings that nobody was told of, by reason and rule. */
export class SuppressedCounts {
  readonly #counts = new Map<string, Count>();

  add(reason: SuppressionReason, rule: string, amount: number): void {
    const key = `${reason}\n${rule}`;
    this.#counts.set(key, { reason, rule, amount: (this.#counts.get(key)?.amount ?? 0) + amount });
  }

  list(): readonly Count[] {
    return [...this.#counts.values()];
  }
}
