import type { EpochMs } from '../../core/types.ts';

export function isoTime(time: EpochMs): string;
export function isoTime(time: EpochMs | null | undefined): string | null;
/** RFC 3339 in UTC with milliseconds; null for what has no time. */
export function isoTime(time: EpochMs | null | undefined): string | null {
  return time === null || time === undefined ? null : new Date(time).toISOString();
}
