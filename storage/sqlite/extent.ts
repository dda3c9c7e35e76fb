import { MINUTES_PER_HOUR, dayOf, hourOf } from '../../core/window.ts';
import { MINUTES_PER_DAY, monthLength, monthOf } from '../calendar.ts';
import { type Connection, int } from './connection.ts';
import { hourTable, minuteTable } from './schema.ts';
import type { Resolution } from '../../core/ports.ts';
import type { Minute } from '../../core/types.ts';

/** Half-open, in minutes. */
export type Span = { readonly from: Minute; readonly to: Minute };

/**
 * Rows of one table with `from <= ts < to` that also satisfy `filter`, a condition in SQL with `values` for its
 * question marks (texts that do not change stay prepared). Their times are `step` minutes apart.
 */
export type Piece = Span & { readonly table: string; readonly filter: string; readonly values: readonly number[]; readonly step: number };

const IS_NOT_EMPTY = 'length(cells) > 0';
/** Folded rows count where they lie whole inside the stretch and nothing below them changed since. */
const DAY_COUNTS = '(frozen = 1 or (ts >= ? and ts < ? and ts not in (select ts from dirty_day union all select ts - ts % 1440 from dirty_hour)))';
const HOUR_COUNTS = '(frozen = 1 or (ts <= ? and ts not in (select ts from dirty_hour)))';

/**
 * Which tables a snapshot has, and how a stretch of time is put together from them. The law: every stored
 * minute row, frozen hour and frozen day counts once, when its start is in the stretch. Folded hours and days are
 * sums of those, taken instead of them where a whole one fits and nothing below it has changed since.
 */
export class Extent {
  readonly minuteDays: ReadonlySet<Minute>;
  readonly hourMonths: ReadonlySet<Minute>;
  readonly #dirtyHours: ReadonlySet<Minute>;
  readonly #dirtyDays: ReadonlySet<Minute>;
  /** First and last day row. */
  readonly #days: Span;
  /** Days that may hold hours or minutes, ascending. */
  readonly #hourDays: readonly Minute[];

  constructor(connection: Connection) {
    const set = (sql: string): ReadonlySet<Minute> => new Set(connection.all(sql).map((row) => int(row, 0)));
    this.minuteDays = set('select day from minute_day where present = 1 order by day');
    this.hourMonths = set('select month from hour_month order by month');
    this.#dirtyHours = set('select ts from dirty_hour order by ts');
    this.#dirtyDays = new Set([...set('select ts from dirty_day'), ...Array.from(this.#dirtyHours, dayOf)]);
    const bounds = connection.get('select coalesce(min(ts), 0), coalesce(max(ts), -1440) from day');
    this.#days = bounds === undefined ? { from: 0, to: 0 } : { from: int(bounds, 0), to: int(bounds, 1) + MINUTES_PER_DAY };
    const months = Array.from(this.hourMonths, (month) => range(month, month + monthLength(month), MINUTES_PER_DAY));
    this.#hourDays = ascending([...months.flat(), ...this.minuteDays]);
  }

  /** `span` day by day, where a day may hold windows of a resolution: whole windows, those that start in `span`. */
  days(span: Span, resolution: Resolution): readonly Span[] {
    const step = stepOf(resolution);
    const whole = { from: Math.ceil(span.from / step) * step, to: Math.ceil(span.to / step) * step };
    return this.#daysOf(resolution).flatMap((day) => cut(whole, day, MINUTES_PER_DAY) ?? []);
  }

  /** How to read `span` with nothing coarser than `top`; for 'minute' and 'hour' it is within one day. */
  pieces(span: Span, top: Resolution): readonly Piece[] {
    if (top === 'minute') return this.#minutes(span);
    if (top === 'hour') return this.#hours(span);
    const whole: Span = { from: Math.ceil(span.from / MINUTES_PER_DAY) * MINUTES_PER_DAY, to: dayOf(span.to) };
    const from = Math.max(span.from, this.#days.from);
    const days: Piece = {
      from,
      to: Math.max(from, Math.min(span.to, this.#days.to)),
      table: 'day',
      step: MINUTES_PER_DAY,
      filter: DAY_COUNTS,
      values: [whole.from, whole.to],
    };
    const isFolded = (day: Minute): boolean => day >= whole.from && day < whole.to && !this.#dirtyDays.has(day);
    const rest = this.#hourDays.flatMap((day) => {
      const part = isFolded(day) ? undefined : cut(span, day, MINUTES_PER_DAY);
      return part === undefined ? [] : this.#hours(part);
    });
    return [days, ...rest];
  }

  /** `span` is within one day. */
  #hours(span: Span): readonly Piece[] {
    const month = monthOf(span.from);
    const hours: Piece = { ...span, table: hourTable(month), step: MINUTES_PER_HOUR, filter: HOUR_COUNTS, values: [span.to - MINUTES_PER_HOUR] };
    return [...(this.hourMonths.has(month) ? [hours] : []), ...this.#unfoldedMinutes(span)];
  }

  /** The hours that an edge of `span` cuts and those that are not folded, as minutes; neighbours in one piece. */
  #unfoldedMinutes(span: Span): readonly Piece[] {
    if (!this.minuteDays.has(dayOf(span.from))) return [];
    const pieces: Piece[] = [];
    let open: Span | undefined;
    for (let hour = hourOf(span.from); hour < span.to; hour += MINUTES_PER_HOUR) {
      const part = { from: Math.max(hour, span.from), to: Math.min(hour + MINUTES_PER_HOUR, span.to) };
      const isFolded = part.to - part.from === MINUTES_PER_HOUR && !this.#dirtyHours.has(hour);
      if (!isFolded) open = { from: open?.from ?? part.from, to: part.to };
      if (open === undefined || (!isFolded && part.to < span.to)) continue;
      pieces.push(...this.#minutes(open));
      open = undefined;
    }
    return pieces;
  }

  #minutes(span: Span): readonly Piece[] {
    const day = dayOf(span.from);
    return this.minuteDays.has(day) ? [{ ...span, table: minuteTable(day), step: 1, filter: IS_NOT_EMPTY, values: [] }] : [];
  }

  #daysOf(resolution: Resolution): readonly Minute[] {
    if (resolution === 'minute') return ascending([...this.minuteDays]);
    if (resolution === 'hour') return this.#hourDays;
    return ascending([...range(this.#days.from, this.#days.to, MINUTES_PER_DAY), ...this.#hourDays]);
  }
}

/** The length of a window, in minutes. */
export function stepOf(resolution: Resolution): number {
  return resolution === 'minute' ? 1 : resolution === 'hour' ? MINUTES_PER_HOUR : MINUTES_PER_DAY;
}

function range(from: Minute, to: Minute, step: number): Minute[] {
  return Array.from({ length: Math.max(0, (to - from) / step) }, (_, index) => from + index * step);
}

function ascending(minutes: readonly Minute[]): readonly Minute[] {
  return [...new Set(minutes)].sort((a, b) => a - b);
}

function cut(span: Span, start: Minute, length: number): Span | undefined {
  const from = Math.max(span.from, start);
  const to = Math.min(span.to, start + length);
  return from < to ? { from, to } : undefined;
}
