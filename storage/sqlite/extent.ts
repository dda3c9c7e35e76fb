import { MINUTES_PER_HOUR, dayOf } from '../../core/window.ts';
import { MINUTES_PER_DAY, monthOf } from '../calendar.ts';
import { ReadPlan, type Span, range } from '../extent.ts';
import { type Connection, int } from './connection.ts';
import { hourTable, minuteTable } from './schema.ts';
import type { Resolution } from '../../core/ports.ts';
import type { Minute } from '../../core/types.ts';

/**
 * Rows of one table with `from <= ts < to` that also satisfy `filter`, a condition in SQL with `values` for its
 * question marks (texts that do not change stay prepared). Their times are `step` minutes apart.
 */
export type Piece = Span & { readonly table: string; readonly filter: string; readonly values: readonly number[]; readonly step: number };

const IS_NOT_EMPTY = 'length(cells) > 0';
/** Folded rows count where they lie whole inside the stretch and nothing below them changed since. */
const DAY_COUNTS = '(frozen = 1 or (ts >= ? and ts < ? and ts not in (select ts from dirty_day union all select ts - ts % 1440 from dirty_hour)))';
const HOUR_COUNTS = '(frozen = 1 or (ts <= ? and ts not in (select ts from dirty_hour)))';

/** Which tables a snapshot has, and how a stretch of time is read from them. */
export class Extent {
  readonly minuteDays: ReadonlySet<Minute>;
  readonly hourMonths: ReadonlySet<Minute>;
  readonly #plan: ReadPlan<Piece>;

  constructor(connection: Connection) {
    const set = (sql: string): ReadonlySet<Minute> => new Set(connection.all(sql).map((row) => int(row, 0)));
    this.minuteDays = set('select day from minute_day where present = 1 order by day');
    this.hourMonths = set('select month from hour_month order by month');
    const dirtyHours = set('select ts from dirty_hour order by ts');
    const bounds = connection.get('select coalesce(min(ts), 0), coalesce(max(ts), -1440) from day');
    /** First and last day row. */
    const days: Span = bounds === undefined ? { from: 0, to: 0 } : { from: int(bounds, 0), to: int(bounds, 1) + MINUTES_PER_DAY };
    this.#plan = new ReadPlan({
      minuteDays: this.minuteDays,
      hourMonths: this.hourMonths,
      days: () => range(days, MINUTES_PER_DAY),
      dirtyHours,
      dirtyDays: new Set([...set('select ts from dirty_day'), ...Array.from(dirtyHours, dayOf)]),
      readMinutes: (span) => ({ ...span, table: minuteTable(dayOf(span.from)), step: 1, filter: IS_NOT_EMPTY, values: [] }),
      readHours: (span) => ({
        ...span,
        table: hourTable(monthOf(span.from)),
        step: MINUTES_PER_HOUR,
        filter: HOUR_COUNTS,
        values: [span.to - MINUTES_PER_HOUR],
      }),
      readDays: (span, whole) => {
        const from = Math.max(span.from, days.from);
        const to = Math.max(from, Math.min(span.to, days.to));
        return [{ from, to, table: 'day', step: MINUTES_PER_DAY, filter: DAY_COUNTS, values: [whole.from, whole.to] }];
      },
    });
  }

  /** See `ReadPlan`. */
  days(span: Span, resolution: Resolution): readonly Span[] {
    return this.#plan.days(span, resolution);
  }

  /** See `ReadPlan`. */
  pieces(span: Span, top: Resolution): readonly Piece[] {
    return this.#plan.pieces(span, top);
  }
}
