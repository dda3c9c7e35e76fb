import { C, type Counters, at, emptyCounters, mergeCounters } from '../core/counters.ts';
import type { EntityTotals, MetricStore, Resolution } from '../core/ports.ts';
import { Sketch } from '../core/sketch/sketch.ts';
import { type EntityId, type EntityKind, type EpochMs, OWNER_KINDS } from '../core/types.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../core/window.ts';
import type { Directory } from '../keys/directory.ts';

/** A stretch of time cut at windows of one resolution, so that totals and sketches speak of the same events. */
export type Range = { readonly from: EpochMs; readonly to: EpochMs; readonly resolution: Resolution; readonly stepMs: number };

/** Longer ranges are answered from hours, then from days: a minute is a point seek per key. */
const MINUTES_RANGE_MAX_MS = 2 * DAY_MS;
const HOURS_RANGE_MAX_MS = 60 * DAY_MS;

/** Begins at the window that holds `from` and ends after the one that holds the last moment before `to`. */
export function rangeOf(from: EpochMs, to: EpochMs): Range {
  const span = to - from;
  const [resolution, stepMs]: [Resolution, number] =
    span <= MINUTES_RANGE_MAX_MS ? ['minute', MINUTE_MS] : span <= HOURS_RANGE_MAX_MS ? ['hour', HOUR_MS] : ['day', DAY_MS];
  return { from: Math.floor(from / stepMs) * stepMs, to: Math.ceil(to / stepMs) * stepMs, resolution, stepMs };
}

/** What a key did, under all its names. */
export type LineageTotals = EntityTotals & { readonly members: readonly EntityId[] };

/** Sums per key over a range, most requests first: names that the directory unites are one row. */
export async function lineageTotals(
  store: MetricStore,
  directory: Directory,
  range: Range,
  kinds: readonly EntityKind[] = OWNER_KINDS,
): Promise<readonly LineageTotals[]> {
  const totals = await store.totals({ from: range.from, to: range.to, kinds });
  const groups = Map.groupBy(totals, ({ entity }) => directory.canonical(entity));
  const united: LineageTotals[] = [];
  for (const [entity, [first, ...rest]] of groups) {
    if (first === undefined) continue;
    if (rest.length === 0) {
      united.push({ ...first, entity, members: [first.entity] });
      continue;
    }
    const members = [first, ...rest].map((one) => one.entity);
    const counters = emptyCounters();
    for (const one of [first, ...rest]) mergeCounters(counters, one.counters);
    // Two names share addresses, so their numbers do not add up: the sets are united.
    const sketch = await sketchOf(store, members, range);
    united.push({ entity, members, counters, addresses: sketch.tally('address').distinct() });
  }
  return united.sort((a, b) => at(b.counters, C.requests) - at(a.counters, C.requests) || (a.entity < b.entity ? -1 : 1));
}

/** Sets, top lists and latencies of some entities over a range, united. */
export async function sketchOf(store: MetricStore, members: readonly EntityId[], range: Range): Promise<Sketch> {
  const united = new Sketch();
  for (const entity of members) for await (const window of windowsOf(store, entity, range)) united.merge(window.sketch());
  return united;
}

/** Sums in `slots` equal stretches of the range, oldest first. */
export async function seriesOf(
  store: MetricStore,
  members: readonly EntityId[],
  options: { readonly range: Range; readonly slots: number; readonly value: (counters: Counters) => number },
): Promise<readonly number[]> {
  const { range, slots, value } = options;
  const series = new Array<number>(slots).fill(0);
  for (const entity of members) {
    for await (const window of windowsOf(store, entity, range)) {
      const slot = Math.min(slots - 1, Math.floor(((window.window.start - range.from) / (range.to - range.from)) * slots));
      series[slot] = (series[slot] ?? 0) + value(window.counters);
    }
  }
  return series;
}

function windowsOf(store: MetricStore, entity: EntityId, range: Range): ReturnType<MetricStore['windows']> {
  return store.windows({ entity, from: range.from / MINUTE_MS, to: range.to / MINUTE_MS, resolution: range.resolution });
}

/** Time of the newest event of any source; undefined when nothing was stored. */
export async function newestEvent(store: MetricStore): Promise<EpochMs | undefined> {
  const newest = Math.max(...(await store.sources()).map((source) => source.newest));
  return Number.isFinite(newest) && newest > 0 ? newest : undefined;
}
