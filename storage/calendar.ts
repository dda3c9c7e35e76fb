import { dayOf, startOf } from '../core/window.ts';
import type { Minute } from '../core/types.ts';

/** Windows are stored by UTC day and hours by UTC month, so that retention drops whole tables. */
export const MINUTES_PER_DAY = 1440;

/** `2026-11-23`. */
export function dayName(day: Minute): string {
  return new Date(startOf(day)).toISOString().slice(0, 10);
}

/** The first minute of the UTC month that holds `minute`. */
export function monthOf(minute: Minute): Minute {
  const day = dayOf(minute);
  return day - (new Date(startOf(day)).getUTCDate() - 1) * MINUTES_PER_DAY;
}

/** The first minute of the next month. No month is longer than 31 days, and 32 days on from its start is never two months on. */
export function nextMonth(month: Minute): Minute {
  return monthOf(month + 32 * MINUTES_PER_DAY);
}

/** `2026-11`. */
export function monthName(month: Minute): string {
  return dayName(month).slice(0, 7);
}

export function monthLength(month: Minute): number {
  return nextMonth(month) - month;
}
