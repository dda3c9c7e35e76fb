import { MINUTES_PER_HOUR, dayOf } from '../../core/window.ts';
import { MINUTES_PER_DAY, monthOf } from '../calendar.ts';
import { ReadPlan, type Span, ascending, cut, range } from '../extent.ts';
import { isMissing } from './fault.ts';
import { refresh } from './read-docs.ts';
import type { Elasticsearch } from './client.ts';
import type { EraLevel, Eras } from './eras.ts';
import type { IndexNames } from './names.ts';
import type { Marks } from './marks.ts';
import type { FoldedSource, PartialSource } from './row-body.ts';
import type { Resolution } from '../../core/ports.ts';
import type { Minute } from '../../core/types.ts';

/** Documents of one index with `from <= ts < to`; of folded ones only those that count. */
export type Piece = Span & { readonly index: string; readonly counts: (stored: PartialSource | FoldedSource) => boolean };

export type ExtentDeps = {
  readonly elasticsearch: Elasticsearch;
  readonly names: IndexNames;
  readonly marks: Marks;
  readonly eras: Eras;
  readonly control: string;
  /** Rows of one pass where windows are put together. */
  readonly rowsMax: number;
};

type State = {
  readonly indices: ReadonlySet<string>;
  readonly eras: Readonly<Record<EraLevel, ReadonlyMap<Minute, number>>>;
  readonly dirtyHours: ReadonlySet<Minute>;
  /** Those with a dirty hour, too. */
  readonly dirtyDays: ReadonlySet<Minute>;
};

/** What there is now. Everything that was written before is visible to searches afterwards. */
export async function readExtent(deps: ExtentDeps): Promise<Extent> {
  const { elasticsearch, names, marks, eras, control } = deps;
  // Marks first: what has none when they are read was folded, and that is seen because it is refreshed afterwards.
  await refresh(elasticsearch, [control]);
  const dirtyHours = await marks.marked('hour');
  const markedDays = await marks.marked('day');
  // Indices before eras: one that is dropped meanwhile is then known to be of an era that is over.
  const indices = await listIndices(elasticsearch, names);
  await refresh(elasticsearch, [control]);
  const state = { eras: await eras.all(), indices, dirtyHours, dirtyDays: new Set([...markedDays, ...Array.from(dirtyHours, dayOf)]) };
  return new Extent(names, state);
}

/** The calendar indices of the store. */
export async function listIndices(elasticsearch: Elasticsearch, names: IndexNames): Promise<ReadonlySet<string>> {
  const patterns = ['partial', 'held', '1h', '1d'].map((level) => `${names.prefix}-${level}-*`);
  const answer = await elasticsearch.call('listing indices', (client, options) =>
    client.indices.getSettings({ index: patterns, name: 'index.uuid', allow_no_indices: true }, options),
  );
  return new Set(Object.keys(answer).filter((name) => names.parse(name) !== undefined));
}

/** True for an index that went away while it was read. */
export function isDropped(error: unknown): boolean {
  return isMissing(error);
}

/** Which indices there are, and how a stretch of time is read from them. */
export class Extent {
  readonly #names: IndexNames;
  readonly #state: State;
  readonly #plan: ReadPlan<Piece>;
  /** Days with rows, ascending. */
  readonly minuteDays: readonly Minute[];
  /** Months with hours, ascending. */
  readonly hourMonths: readonly Minute[];
  /** Years with days, by their first day, ascending. */
  readonly years: readonly Minute[];

  constructor(names: IndexNames, state: State) {
    this.#names = names;
    this.#state = state;
    const parsed = Array.from(state.indices, (name) => names.parse(name)).filter((place) => place !== undefined);
    const current = (level: 'partial' | '1h' | '1d', eraOf: (start: Minute) => number): readonly Minute[] =>
      ascending(parsed.filter((place) => place.level === level && place.era === eraOf(place.start)).map((place) => place.start));
    this.minuteDays = current('partial', (day) => this.dayEra(day));
    this.hourMonths = current('1h', (month) => this.monthEra(month));
    this.years = current('1d', () => 0);
    this.#plan = new ReadPlan({
      minuteDays: new Set(this.minuteDays),
      hourMonths: new Set(this.hourMonths),
      days: () => this.years.flatMap((year) => range({ from: year, to: year + yearLength(year) }, MINUTES_PER_DAY)),
      dirtyHours: state.dirtyHours,
      dirtyDays: state.dirtyDays,
      readMinutes: (span) => ({ ...span, index: names.partial(dayOf(span.from), this.dayEra(dayOf(span.from))), counts: isRow }),
      readHours: (span) => this.#readHours(span),
      readDays: (span, whole) => this.#readDays(span, whole),
    });
  }

  dayEra(day: Minute): number {
    return this.#state.eras.day.get(day) ?? 0;
  }

  monthEra(month: Minute): number {
    return this.#state.eras.month.get(month) ?? 0;
  }

  /** Indices of eras that are over: a drop that was cut off left them. */
  leftovers(): readonly string[] {
    return [...this.#state.indices].filter((name) => {
      const place = this.#names.parse(name);
      if (place === undefined) return false;
      if (place.level === '1h') return place.era < this.monthEra(place.start);
      return place.level !== '1d' && place.era < this.dayEra(place.start);
    });
  }

  /** Indices that hold the windows of a span, for a refresh. */
  indices(span: Span, top: Resolution): readonly string[] {
    return [...new Set(this.days(span, top).flatMap((day) => this.pieces(day, top).map((piece) => piece.index)))];
  }

  /** See `ReadPlan`. */
  days(span: Span, resolution: Resolution): readonly Span[] {
    return this.#plan.days(span, resolution);
  }

  /** See `ReadPlan`. */
  pieces(span: Span, top: Resolution): readonly Piece[] {
    return this.#plan.pieces(span, top);
  }

  /** True when the folded window itself holds everything, so that nothing below it has to be read. */
  isFolded(window: Minute, resolution: Resolution): boolean {
    if (resolution === 'minute') return true;
    return !(resolution === 'hour' ? this.#state.dirtyHours : this.#state.dirtyDays).has(window);
  }

  #readDays(span: Span, whole: Span): readonly Piece[] {
    const isFolded = (day: Minute): boolean => day >= whole.from && day < whole.to && !this.#state.dirtyDays.has(day);
    const counts: Piece['counts'] = (stored) => {
      const day = minuteOf(stored);
      return ('era' in stored && stored.era < this.monthEra(monthOf(day))) || isFolded(day);
    };
    return this.years.flatMap((year) => {
      const part = cut(span, year, yearLength(year));
      return part === undefined ? [] : [{ ...part, index: this.#names.days(year), counts }];
    });
  }

  #readHours(span: Span): Piece {
    const month = monthOf(span.from);
    const era = this.dayEra(dayOf(span.from));
    const counts: Piece['counts'] = (stored) => {
      const hour = minuteOf(stored);
      return ('era' in stored && stored.era < era) || (hour + MINUTES_PER_HOUR <= span.to && !this.#state.dirtyHours.has(hour));
    };
    return { ...span, index: this.#names.hours(month, this.monthEra(month)), counts };
  }
}

export function minuteOf(stored: { readonly ts: number }): Minute {
  return Math.floor(stored.ts / 60_000);
}

export function yearOf(day: Minute): Minute {
  return Date.UTC(new Date(day * 60_000).getUTCFullYear(), 0) / 60_000;
}

export function yearLength(year: Minute): number {
  return yearOf(year + 367 * MINUTES_PER_DAY) - year;
}

/** Empty cells are a tombstone. */
function isRow(stored: { readonly cells: string }): boolean {
  return stored.cells !== '';
}
