import { MINUTES_PER_HOUR, dayOf, hourOf } from '../core/window.ts';
import { MINUTES_PER_DAY, monthLength, monthOf } from './calendar.ts';
import type { Resolution } from '../core/ports.ts';
import type { Minute } from '../core/types.ts';

/** Half-open, in minutes. */
export type Span = { readonly from: Minute; readonly to: Minute };

/** What a store holds at one moment, and how it reads a stretch of one level. */
export type Levels<Piece> = {
  /** Days with minutes. */
  readonly minuteDays: ReadonlySet<Minute>;
  /** Months with hours. */
  readonly hourMonths: ReadonlySet<Minute>;
  /** Days that may have a row of their own, ascending. */
  readonly days: () => readonly Minute[];
  /** Hours below which something changed since they were folded. */
  readonly dirtyHours: ReadonlySet<Minute>;
  /** Those with a dirty hour, too. */
  readonly dirtyDays: ReadonlySet<Minute>;
  /** Within one day that has minutes. */
  readonly readMinutes: (span: Span) => Piece;
  /** Within one day of a month that has hours; frozen ones, and those that lie whole in it and are not dirty. */
  readonly readHours: (span: Span) => Piece;
  /** Frozen ones, and those that lie in `whole` and are not dirty. */
  readonly readDays: (span: Span, whole: Span) => readonly Piece[];
};

/**
 * How a stretch of time is put together. The law: every stored minute row, frozen hour and frozen day counts once, when
 * its start is in the stretch. Folded hours and days are sums of those, taken instead of them where a whole one fits and
 * nothing below it has changed since.
 */
export class ReadPlan<Piece> {
  readonly #levels: Levels<Piece>;
  /** Days that may hold hours or minutes, ascending. */
  readonly #hourDays: readonly Minute[];

  constructor(levels: Levels<Piece>) {
    this.#levels = levels;
    const months = Array.from(levels.hourMonths, (month) => range({ from: month, to: month + monthLength(month) }, MINUTES_PER_DAY));
    this.#hourDays = ascending([...months.flat(), ...levels.minuteDays]);
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
    const isFolded = (day: Minute): boolean => day >= whole.from && day < whole.to && !this.#levels.dirtyDays.has(day);
    const rest = this.#hourDays.flatMap((day) => {
      const part = isFolded(day) ? undefined : cut(span, day, MINUTES_PER_DAY);
      return part === undefined ? [] : this.#hours(part);
    });
    return [...this.#levels.readDays(span, whole), ...rest];
  }

  /** `span` is within one day. */
  #hours(span: Span): readonly Piece[] {
    const { hourMonths, readHours } = this.#levels;
    return [...(hourMonths.has(monthOf(span.from)) ? [readHours(span)] : []), ...this.#unfoldedMinutes(span)];
  }

  /** The hours that an edge of `span` cuts and those that are not folded, as minutes; neighbours in one piece. */
  #unfoldedMinutes(span: Span): readonly Piece[] {
    const pieces: Piece[] = [];
    let open: Span | undefined;
    for (let hour = hourOf(span.from); hour < span.to; hour += MINUTES_PER_HOUR) {
      const part = { from: Math.max(hour, span.from), to: Math.min(hour + MINUTES_PER_HOUR, span.to) };
      const isFolded = part.to - part.from === MINUTES_PER_HOUR && !this.#levels.dirtyHours.has(hour);
      if (!isFolded) open = { from: open?.from ?? part.from, to: part.to };
      if (open === undefined || (!isFolded && part.to < span.to)) continue;
      pieces.push(...this.#minutes(open));
      open = undefined;
    }
    return pieces;
  }

  #minutes(span: Span): readonly Piece[] {
    return this.#levels.minuteDays.has(dayOf(span.from)) ? [this.#levels.readMinutes(span)] : [];
  }

  #daysOf(resolution: Resolution): readonly Minute[] {
    if (resolution === 'minute') return ascending([...this.#levels.minuteDays]);
    if (resolution === 'hour') return this.#hourDays;
    return ascending([...this.#levels.days(), ...this.#hourDays]);
  }
}

/** The length of a window, in minutes. */
export function stepOf(resolution: Resolution): number {
  return resolution === 'minute' ? 1 : resolution === 'hour' ? MINUTES_PER_HOUR : MINUTES_PER_DAY;
}

/** Every `step` minutes of a span, from its beginning on. */
export function range({ from, to }: Span, step: number): readonly Minute[] {
  return Array.from({ length: Math.max(0, (to - from) / step) }, (_, index) => from + index * step);
}

/** Each once. */
export function ascending(minutes: readonly Minute[]): readonly Minute[] {
  return [...new Set(minutes)].sort((a, b) => a - b);
}

/** What of `span` lies in the `length` minutes from `start` on. */
export function cut(span: Span, start: Minute, length: number): Span | undefined {
  const from = Math.max(span.from, start);
  const to = Math.min(span.to, start + length);
  return from < to ? { from, to } : undefined;
}
