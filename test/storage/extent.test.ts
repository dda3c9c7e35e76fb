import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dayOf, hourOf } from '../../core/window.ts';
import { monthOf } from '../../storage/calendar.ts';
import { ReadPlan, type Span, cut } from '../../storage/extent.ts';

const DAY = 1440;
const HOUR = 60;
/** The last day of a month, so that the stretch is cut by one too. */
const FIRST = Date.UTC(2026, 0, 30) / 60_000;
const DAYS = 4;

/** Which minutes a piece reads: the plan only says where to look, the law is about what comes of it. */
type Piece = { readonly minutes: readonly number[] };

const minuteArb = fc.integer({ min: FIRST, max: FIRST + DAYS * DAY - 1 });
const worldArb = fc.record({
  stored: fc.uniqueArray(minuteArb, { maxLength: 60 }),
  dirty: fc.array(minuteArb.map(hourOf), { maxLength: 6 }),
  dirtyDay: fc.array(minuteArb.map(dayOf), { maxLength: 2 }),
  span: fc.tuple(minuteArb, minuteArb).map(([a, b]): Span => ({ from: Math.min(a, b), to: Math.max(a, b) + 1 })),
});

function planOf(stored: readonly number[], dirtyHours: ReadonlySet<number>, dirtyDays: ReadonlySet<number>): ReadPlan<Piece> {
  const below = (start: number, length: number): readonly number[] => stored.filter((minute) => minute >= start && minute < start + length);
  const isWhole = (start: number, length: number, span: Span): boolean => start >= span.from && start + length <= span.to;
  const hours = [...new Set(stored.map(hourOf))];
  const days = [...new Set(stored.map(dayOf))];
  return new ReadPlan({
    minuteDays: new Set(days),
    hourMonths: new Set(stored.map(monthOf)),
    days: () => days,
    dirtyHours,
    dirtyDays,
    readMinutes: (span) => ({ minutes: stored.filter((minute) => minute >= span.from && minute < span.to) }),
    readHours: (span) => ({ minutes: hours.filter((hour) => isWhole(hour, HOUR, span) && !dirtyHours.has(hour)).flatMap((hour) => below(hour, HOUR)) }),
    readDays: (_span, whole) => [{ minutes: days.filter((day) => isWhole(day, DAY, whole) && !dirtyDays.has(day)).flatMap((day) => below(day, DAY)) }],
  });
}

test('every stored minute of a stretch is read exactly once, from whatever level, and none beside it', () => {
  fc.assert(
    fc.property(worldArb, ({ stored, dirty, dirtyDay, span }) => {
      const dirtyHours = new Set(dirty);
      const plan = planOf(stored, dirtyHours, new Set([...dirtyDay, ...dirty.map(dayOf)]));
      const ascending = (minutes: readonly number[]): readonly number[] => minutes.toSorted((a, b) => a - b);
      const wanted = ascending(stored.filter((minute) => minute >= span.from && minute < span.to));
      expect(ascending(plan.pieces(span, 'day').flatMap(({ minutes }) => minutes))).toEqual(wanted);
      for (const top of ['hour', 'minute'] as const) {
        const read = Array.from({ length: DAYS }, (_, day) => cut(span, FIRST + day * DAY, DAY)).flatMap((part) =>
          part === undefined ? [] : plan.pieces(part, top),
        );
        expect(ascending(read.flatMap(({ minutes }) => minutes))).toEqual(wanted);
      }
    }),
    { numRuns: 300 },
  );
});

test('windows of a resolution are those that start in a stretch, day by day where there may be any', () => {
  const plan = planOf([FIRST + 5, FIRST + 2 * DAY + 5], new Set(), new Set());
  expect(plan.days({ from: FIRST + 3, to: FIRST + 3 * DAY }, 'minute')).toEqual([
    { from: FIRST + 3, to: FIRST + DAY },
    { from: FIRST + 2 * DAY, to: FIRST + 3 * DAY },
  ]);
  expect(plan.days({ from: FIRST + 3, to: FIRST + HOUR + 1 }, 'hour')).toEqual([{ from: FIRST + HOUR, to: FIRST + 2 * HOUR }]);
});
