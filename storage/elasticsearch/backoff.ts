import type { DurationMs } from '../../core/types.ts';

const BASE_MS = 500;
const MAX_MS = 30_000;

/** Full jitter: somewhere between nothing and a bound that doubles from 0.5 s to 30 s, but not before the server wants it. */
export function backoffMs(attempt: number, random: () => number, retryAfterMs = 0): DurationMs {
  return Math.max(random() * Math.min(MAX_MS, BASE_MS * 2 ** attempt), retryAfterMs);
}
