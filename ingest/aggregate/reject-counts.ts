import type { Rejects } from '../../core/partial.ts';
import { type Offset, REJECT_REASONS, type RejectReason } from '../../core/types.ts';
import { type Verdict, fault, reasonOf } from '../parse/normaliser.ts';

/** Records of the open segment that were no events: how many for which reason, and where the first was. */
export class RejectCounts {
  readonly #counts = new Float64Array(REJECT_REASONS.length);
  readonly #first = new Float64Array(REJECT_REASONS.length);

  add(code: Verdict, offset: Offset): void {
    const index = code - 1;
    if (this.#counts[index] === 0) this.#first[index] = offset;
    this.#counts[index] = (this.#counts[index] as number) + 1;
  }

  clear(): void {
    this.#counts.fill(0);
  }

  toJson(): Rejects {
    const rejects: Partial<Record<RejectReason, { count: number; first: Offset }>> = {};
    for (let i = 0; i < REJECT_REASONS.length; i++) {
      const count = this.#counts[i] as number;
      if (count > 0) rejects[reasonOf(i + 1)] = { count, first: this.#first[i] as number };
    }
    return rejects;
  }

  restore(rejects: Rejects): void {
    for (const [reason, { count, first }] of Object.entries(rejects)) {
      const index = fault(reason as RejectReason) - 1;
      this.#counts[index] = count;
      this.#first[index] = first;
    }
  }
}
