import { REJECT_REASONS } from '../core/types.ts';
import type { Rejects } from '../core/partial.ts';

/** Counts add up; the first position is the earlier one. `sign` -1 takes an older state of the same segment out again. */
export function addRejects(total: Rejects, part: Rejects, sign: 1 | -1 = 1): Rejects {
  const sum: { -readonly [Reason in keyof Rejects]: Rejects[Reason] } = {};
  for (const reason of REJECT_REASONS) {
    const a = total[reason];
    const b = part[reason];
    const count = (a?.count ?? 0) + sign * (b?.count ?? 0);
    if (count > 0) sum[reason] = { count, first: Math.min(a?.first ?? Number.POSITIVE_INFINITY, b?.first ?? Number.POSITIVE_INFINITY) };
  }
  return sum;
}
