import { MINUTES_PER_HOUR, MINUTE_MS, dayOf, hourOf } from '../../core/window.ts';
import { MINUTES_PER_DAY, dayName, monthLength, monthName, monthOf } from '../calendar.ts';
import { type MemoryRow, type MemoryState, chainKey, compareSegments, segmentKey } from './state.ts';
import type { Retention, RetentionReport } from '../../core/ports.ts';
import type { PartialRow } from '../../core/partial.ts';
import type { EpochMs, Minute } from '../../core/types.ts';

/** What a row costs beside its cells, roughly. */
const ROW_BYTES = 64;

/** The rules of `storage/sqlite/retain.ts` on plain values. */
export function retainMemory(state: MemoryState, policy: Retention, now: EpochMs): RetentionReport {
  const minute = (age: number): Minute => Math.floor((now - age) / MINUTE_MS);
  const droppedMinuteDays: string[] = [];
  const droppedHourMonths: string[] = [];
  const dropDaysWhile = (mayGo: (day: Minute) => boolean): void => {
    for (const day of closedDays(state)) {
      if (!mayGo(day)) continue;
      dropMinutes(state, day);
      droppedMinuteDays.push(dayName(day));
    }
  };
  const dropMonthsWhile = (mayGo: (month: Minute) => boolean): void => {
    for (const month of closedMonths(state)) {
      if (!mayGo(month)) continue;
      state.frozenDays.push(...take(state.frozenHours, (row) => monthOf(row.window) === month).map((row) => ({ ...row, window: dayOf(row.window) })));
      droppedHourMonths.push(monthName(month));
    }
  };
  const isOver = (): boolean => policy.bytesMax > 0 && bytesOf(state) > policy.bytesMax;
  dropDaysWhile((day) => day + MINUTES_PER_DAY <= minute(policy.minutesMs));
  dropMonthsWhile((month) => month + monthLength(month) <= minute(policy.hoursMs));
  const droppedDays = dropDays(state, minute(policy.daysMs));
  forgetSegments(state, now - policy.minutesMs);
  dropDaysWhile(isOver);
  dropMonthsWhile(isOver);
  return { droppedMinuteDays, droppedHourMonths, droppedDays, bytes: bytesOf(state), isOverCap: isOver() };
}

/** Days of minutes that no open segment needs, oldest first. */
function closedDays(state: MemoryState): readonly Minute[] {
  const isOpen = (row: MemoryRow): boolean => state.segments.get(row.segment)?.isSealed === false;
  const rows = [...state.rows.values()];
  const open = new Set(rows.filter(isOpen).map((row) => dayOf(row.window)));
  return ascending(rows.map((row) => dayOf(row.window))).filter((day) => !open.has(day));
}

/** Months of hours without minutes below them, oldest first. */
function closedMonths(state: MemoryState): readonly Minute[] {
  const open = new Set(Array.from(state.rows.values(), (row) => monthOf(row.window)));
  return ascending(state.frozenHours.map((row) => monthOf(row.window))).filter((month) => !open.has(month));
}

function dropMinutes(state: MemoryState, day: Minute): void {
  for (const [key, row] of state.rows) {
    if (dayOf(row.window) !== day) continue;
    if (row.cells.length > 0) state.frozenHours.push({ window: hourOf(row.window), entity: row.entity, cells: row.cells });
    state.rows.delete(key);
  }
  for (let hour = day; hour < day + MINUTES_PER_DAY; hour += MINUTES_PER_HOUR) state.dirtyHours.delete(hour);
  state.frozenMinuteDays.add(day);
}

/** Returns how many days went. Days that still have hours stay. */
function dropDays(state: MemoryState, before: Minute): number {
  const months = [...state.frozenHours, ...state.rows.values()].map((row) => monthOf(row.window));
  const end = Math.min(before, ...new Set(months)) - (MINUTES_PER_DAY - 1);
  return new Set(take(state.frozenDays, (row) => row.window < end).map((row) => row.window)).size;
}

/** Sealed segments that are not the end of their chain and older than the minutes that went. Their totals stay with the source. */
function forgetSegments(state: MemoryState, before: EpochMs): void {
  const all = [...state.segments.values()];
  for (const { segment, isSealed, newest } of all) {
    const chain = chainKey(segment);
    const isEnd = !all.some((other) => chainKey(other.segment) === chain && compareSegments(other.segment, segment) > 0);
    if (!isSealed || isEnd || newest >= before || newest === Number.NEGATIVE_INFINITY) continue;
    const forgotten = state.forgotten.get(chain);
    if (forgotten === undefined || compareSegments(segment, forgotten) > 0) state.forgotten.set(chain, segment);
    state.segments.delete(segmentKey(segment));
  }
}

function bytesOf(state: MemoryState): number {
  const rows: readonly PartialRow[] = [...state.rows.values(), ...state.held.values(), ...state.frozenHours, ...state.frozenDays];
  return rows.reduce((sum, row) => sum + row.cells.length + ROW_BYTES, 0);
}

/** Takes the matching rows out of `rows`. */
function take(rows: PartialRow[], isTaken: (row: PartialRow) => boolean): readonly PartialRow[] {
  const taken = rows.filter(isTaken);
  rows.splice(0, rows.length, ...rows.filter((row) => !isTaken(row)));
  return taken;
}

function ascending(minutes: readonly Minute[]): readonly Minute[] {
  return [...new Set(minutes)].sort((a, b) => a - b);
}
