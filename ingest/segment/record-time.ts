import type { DurationMs, EpochMs } from '../../core/types.ts';
import { DAY_MS, EVENT_TIME_MAX, EVENT_TIME_MIN, MINUTE_MS } from '../../core/window.ts';

/** An event is at most so much later than its record; what is later has a wrong clock and takes the record's time. */
export const AHEAD_OF_RECORD_MAX_MS: DurationMs = 2 * MINUTE_MS;
/** An event that came later than this does not change its own window any more: it is counted on the day of its record. */
export const BEHIND_RECORD_MAX_MS: DurationMs = 2 * DAY_MS;

/** The time of a record where it is one: a producer may send anything, -1 says that there is none. */
export function recordTime(stamped: number): EpochMs {
  return stamped >= EVENT_TIME_MIN && stamped < EVENT_TIME_MAX ? stamped : -1;
}
