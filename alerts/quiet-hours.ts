import type { DurationMs, EpochMs, Severity } from '../core/types.ts';
import { DAY_MS, MINUTE_MS } from '../core/window.ts';

/** Monday first. */
export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** Hours in which a route tells nobody, except of what is severe. */
export type QuietHours = {
  /** Minutes after midnight in `timezone`. Equal ones are a whole day; `to` before `from` goes over midnight. */
  readonly from: number;
  readonly to: number;
  /** On which they begin. */
  readonly days: readonly Weekday[];
  readonly timezone: string;
  /** Of this severity and above the route tells all the same. */
  readonly breakThrough: Severity;
};

const DAY_MINUTES = DAY_MS / MINUTE_MS;

/** Answers when the quiet hours that hold now end; undefined outside of them. */
export function quietUntil(quiet: QuietHours): (now: EpochMs) => EpochMs | undefined {
  const local = localClock(quiet.timezone);
  const length = ((quiet.to - quiet.from + DAY_MINUTES - 1) % DAY_MINUTES) + 1;
  return (now) => {
    const { minute, weekday, intoMinuteMs } = local(now);
    const since = (minute - quiet.from + DAY_MINUTES) % DAY_MINUTES;
    const begunOn = minute >= quiet.from ? weekday : (weekday + 6) % 7;
    const day = WEEKDAYS[begunOn];
    if (since >= length || day === undefined || !quiet.days.includes(day)) return undefined;
    const end = now - intoMinuteMs + (length - since) * MINUTE_MS;
    // Clocks may be put forward or back meanwhile.
    const off = ((local(end).minute - quiet.to + DAY_MINUTES * 1.5) % DAY_MINUTES) - DAY_MINUTES / 2;
    return end - off * MINUTE_MS;
  };
}

type LocalTime = { readonly minute: number; readonly weekday: number; readonly intoMinuteMs: DurationMs };

/** Time of day and weekday (0 is Monday) in a time zone. */
function localClock(timezone: string): (now: EpochMs) => LocalTime {
  const format = new Intl.DateTimeFormat('en-GB', { timeZone: timezone, weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  let last: { readonly minute: number; readonly time: Omit<LocalTime, 'intoMinuteMs'> } | undefined;
  return (now) => {
    const minute = Math.floor(now / MINUTE_MS);
    // Offsets are whole minutes in every zone of our time, and ten thousand alerts fire in one.
    if (last?.minute !== minute) {
      const parts = Object.fromEntries(format.formatToParts(minute * MINUTE_MS).map(({ type, value }) => [type, value]));
      const weekday = WEEKDAYS.findIndex((day) => day === parts['weekday']?.slice(0, 3).toLowerCase());
      last = { minute, time: { minute: Number(parts['hour']) * 60 + Number(parts['minute']), weekday } };
    }
    return { ...last.time, intoMinuteMs: now - minute * MINUTE_MS };
  };
}

/** `07:00`. */
export function localTime(at: EpochMs, timezone: string): string {
  return new Intl.DateTimeFormat('en-GB', { timeZone: timezone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(at);
}
