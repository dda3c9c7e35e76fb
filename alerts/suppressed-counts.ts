import type { Suppression, SuppressionReason } from '../core/incident.ts';
import type { Cases } from './cases.ts';
import type { DeskState } from './desk-state.ts';
import type { Tracked } from './episode.ts';

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

/** Counts the findings of members that this decision adds and that nobody is told of. Returns how many. */
export function addSuppressed(
  counts: SuppressedCounts,
  input: {
    readonly members: readonly Tracked[];
    readonly suppression: (tracked: Tracked) => Suppression | undefined;
    readonly cases: Cases;
    readonly state: DeskState;
  },
): number {
  let amount = 0;
  for (const tracked of input.members) {
    const { alert } = tracked;
    if (!input.cases.alerts.has(alert.id) || (alert.state !== 'firing' && alert.state !== 'acknowledged')) continue;
    const before = input.state.alerts.get(alert.dedupKey)?.alert;
    const fresh = alert.findings - (before?.id === alert.id ? before.findings : 0);
    const held = fresh > 0 ? input.suppression(tracked) : undefined;
    if (held === undefined) continue;
    counts.add(held.reason, alert.rule, fresh);
    amount += fresh;
  }
  return amount;
}
