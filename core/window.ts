import type { EpochMs, Minute, TimeWindow } from './types.ts';

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;
export const MINUTES_PER_HOUR = 60;

/** Event times outside [2000-01-01, 2100-01-01) are rejected: a file has no pure clock to correct them by. */
export const EVENT_TIME_MIN: EpochMs = 946_684_800_000;
export const EVENT_TIME_MAX: EpochMs = 4_102_444_800_000;

export function minuteOf(time: EpochMs): Minute {
  return Math.floor(time / MINUTE_MS);
}

export function startOf(minute: Minute): EpochMs {
  return minute * MINUTE_MS;
}

export function windowOf(minute: Minute): TimeWindow {
  return { start: minute * MINUTE_MS, end: (minute + 1) * MINUTE_MS };
}

/** The first minute of the hour that holds `minute`. */
export function hourOf(minute: Minute): Minute {
  return minute - (minute % MINUTES_PER_HOUR);
}

/** The first minute of the UTC day that holds `minute`. */
export function dayOf(minute: Minute): Minute {
  return minute - (minute % 1440);
}
