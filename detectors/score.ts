import type { RuleLimits } from '../core/directory.ts';

const SCORE_AT_WARNING = 50;
const SCORE_AT_CRITICAL = 90;
const SCORE_MAX = 100;
/** How many times the critical limit gives the full score. */
const FULL_AT = 3;

/**
 * The one place where "how far was the limit passed" becomes 0-100: 50 at the warning limit, 90 at the critical
 * one, 100 at three times that, straight lines between. A warning stays below 90; without a critical limit it gets
 * there at three times its own.
 */
export function scoreOf(observed: number, limits: RuleLimits, isCritical: boolean): number {
  const { warning, critical } = limits;
  if (isCritical && critical !== undefined) return Math.round(between(observed, critical, critical * FULL_AT, SCORE_AT_CRITICAL, SCORE_MAX));
  if (warning === undefined) return SCORE_AT_WARNING;
  const top = critical !== undefined && critical > warning ? critical : warning * FULL_AT;
  return Math.min(SCORE_AT_CRITICAL - 1, Math.round(between(observed, warning, top, SCORE_AT_WARNING, SCORE_AT_CRITICAL)));
}

function between(value: number, from: number, to: number, low: number, high: number): number {
  if (to <= from) return low;
  return low + (high - low) * Math.min(1, Math.max(0, (value - from) / (to - from)));
}
