import { encodeCells } from '../core/cells.ts';
import { COUNTERS, type Counters, emptyCounters, mergeCounters } from '../core/counters.ts';
import type { KeyDirectory } from '../core/directory.ts';
import type { OpenSegment, PartialRow } from '../core/partial.ts';
import type { StoredWindow } from '../core/ports.ts';
import { LATE, type Minute, REFUSED, entityKind } from '../core/types.ts';
import { minuteOf } from '../core/window.ts';
import type { Feed, Ledger } from './ledger/ledger.ts';
import { STORED } from './ledger/segments.ts';
import { HELD_MINUTES, RATIO_MINUTES } from './ledger/state.ts';
import type { SeedInput } from './judge.ts';
import { feedsOf, readRow } from './rows.ts';

/** Unjudged minutes that may stay open at once; what is older than that is judged while the store is read. */
const OPEN_MINUTES_MAX = 1440;

/** The oldest window that a judge needs to go on at `judgedThrough`. */
export function seedFrom(judgedThrough: Minute): Minute {
  return judgedThrough - HELD_MINUTES;
}

/** What seeding comes by. */
export type SeedTold = {
  /** A minute that is too old to stay open. */
  readonly judge: (minute: Minute) => void;
  /** A minute of which rows were left out, since it is not due yet. */
  readonly ahead: (minute: Minute) => void;
};

/**
 * Rebuilds the ledger from what is stored. Windows from `judgedThrough` on stay open, because a partition may have
 * more to say of them; only those a day older than what follows are closed by `judge`, to bound the memory.
 */
export async function seedLedger(ledger: Ledger, directory: KeyDirectory, input: SeedInput, told: SeedTold): Promise<void> {
  const { state } = ledger;
  if (state.closedThrough !== undefined || state.cells.count > 0) throw new Error('BUG: the judge was seeded after its first batch');
  const { judgedThrough } = input;
  const closing = new Closing(ledger, judgedThrough, told.judge);
  if ('partials' in input) await seedPartials(ledger, directory, input, { closing, ahead: told.ahead });
  else await seedWindows(ledger, directory, input, closing);
  closing.end();
}

async function seedPartials(
  ledger: Ledger,
  directory: KeyDirectory,
  { partials, judgedThrough, until = Number.POSITIVE_INFINITY }: Extract<SeedInput, { partials: unknown }>,
  { closing, ahead }: { readonly closing: Closing; readonly ahead: SeedTold['ahead'] },
): Promise<void> {
  const { segments } = ledger.state;
  for await (const { segment, next, row } of partials) {
    if (row.window < seedFrom(judgedThrough) || row.entity === REFUSED || row.entity === LATE) continue;
    if (row.window >= until) {
      ahead(row.window);
      continue;
    }
    closing.reach(row.window);
    const number = segments.number(segment);
    const read = readRow(row, number, next, directory);
    ledger.put(isExplained(row.window, judgedThrough) ? read : { ...read, packed: undefined });
    segments.settle(number);
  }
}

/**
 * Windows are merged over segments, but the open segments' rows will come again with more in them: what those say is
 * taken out of the windows and put in under their own segment, so that the next delivery replaces it.
 */
async function seedWindows(ledger: Ledger, directory: KeyDirectory, input: Extract<SeedInput, { windows: unknown }>, closing: Closing): Promise<void> {
  const { judgedThrough } = input;
  const open = new OpenRows();
  for (const segment of input.open) {
    ledger.state.segments.markStored(segment.segment, segment.next);
    putOpen(ledger, directory, segment, seedFrom(judgedThrough), open);
  }
  for await (const window of input.windows) {
    const minute = minuteOf(window.window.start);
    if (window.resolution !== 'minute' || minute < seedFrom(judgedThrough) || window.entity === REFUSED || window.entity === LATE) continue;
    closing.reach(minute);
    putStored(ledger, directory, window, minute, open, isExplained(minute, judgedThrough));
  }
}

/** Packing and keeping every row of an hour would take seconds and much memory; the last minutes are what is judged next. */
function isExplained(minute: Minute, judgedThrough: Minute): boolean {
  return minute >= judgedThrough - RATIO_MINUTES;
}

/** Closes minutes behind the rows that are put, in time order. */
class Closing {
  readonly #ledger: Ledger;
  readonly #judgedThrough: Minute;
  readonly #judge: (minute: Minute) => void;
  #closed: Minute;

  constructor(ledger: Ledger, judgedThrough: Minute, judge: (minute: Minute) => void) {
    this.#ledger = ledger;
    this.#judgedThrough = judgedThrough;
    this.#judge = judge;
    this.#closed = seedFrom(judgedThrough);
  }

  /** The next row is of this minute. */
  reach(minute: Minute): void {
    const { minutes } = this.#ledger.state;
    while (this.#closed < Math.min(minute, this.#judgedThrough)) closeSilently(this.#ledger, this.#closed++);
    const oldest = minute - OPEN_MINUTES_MAX;
    while (this.#closed < oldest) {
      if (minutes.isSettled) this.#closed = Math.min(minutes.open()[0] ?? minute, oldest);
      if (this.#closed < oldest) this.#judge(this.#closed++);
    }
  }

  end(): void {
    while (this.#closed < this.#judgedThrough) closeSilently(this.#ledger, this.#closed++);
    this.#ledger.state.closedThrough = this.#closed;
  }
}

function closeSilently(ledger: Ledger, minute: Minute): void {
  ledger.settle(minute, ledger.close(minute));
}

/** What the open segments say, by window and entity. */
class OpenRows {
  readonly #counters = new Map<string, Counters>();
  readonly #feeds = new Map<string, number>();

  add(row: PartialRow, counters: Counters, feeds: readonly Feed[]): void {
    const at = `${row.window} ${row.entity}`;
    const sum = this.#counters.get(at) ?? emptyCounters();
    mergeCounters(sum, counters);
    this.#counters.set(at, sum);
    for (const feed of feeds) this.#feeds.set(`${at} ${feed.name}`, (this.#feeds.get(`${at} ${feed.name}`) ?? 0) + feed.count);
  }

  has(window: StoredWindow, minute: Minute): boolean {
    return this.#counters.has(`${minute} ${window.entity}`);
  }

  /** The window without them. */
  counters(window: StoredWindow, minute: Minute): Counters {
    const open = this.#counters.get(`${minute} ${window.entity}`);
    if (open === undefined) return window.counters;
    return window.counters.map((value, index) => (COUNTERS[index]?.merge === 'sum' ? value - (open[index] as number) : value));
  }

  feeds(window: StoredWindow, minute: Minute, feeds: readonly Feed[]): Feed[] {
    return feeds.map(({ name, count }) => ({ name, count: count - (this.#feeds.get(`${minute} ${window.entity} ${name}`) ?? 0) }));
  }
}

function putOpen(ledger: Ledger, directory: KeyDirectory, open: OpenSegment, from: Minute, rows: OpenRows): void {
  const segment = ledger.state.segments.number(open.segment);
  for (const row of [...open.rows.filter(({ entity }) => entity !== REFUSED && entity !== LATE), ...open.held.filter(({ entity }) => entity === REFUSED)]) {
    if (row.window < from) continue;
    const read = readRow(row, segment, open.next, directory);
    ledger.put(read);
    if (read.counters !== undefined) rows.add(row, read.counters, read.feeds ?? []);
  }
  ledger.state.segments.settle(segment);
}

function putStored(ledger: Ledger, directory: KeyDirectory, window: StoredWindow, minute: Minute, open: OpenRows, isKept: boolean): void {
  const { entity } = window;
  const row = { segment: STORED, version: Infinity, minute, entity, counters: open.counters(window, minute) };
  if (entityKind(entity) === 'network') {
    const sketch = window.sketch();
    const attempted = sketch.tallies.get('attempted');
    ledger.put({ ...row, packed: encodeCells(window.counters, sketch), attempted, feeds: open.feeds(window, minute, feedsOf(attempted, directory)) });
    return;
  }
  const packed = isKept && !open.has(window, minute) ? encodeCells(window.counters, window.sketch()) : undefined;
  ledger.put({ ...row, packed });
}
