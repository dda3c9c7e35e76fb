import { encodeCells, readCells, readCounters } from '../../core/cells.ts';
import { C, type Counters, at, mergeCounters } from '../../core/counters.ts';
import { MINUTES_PER_HOUR, MINUTE_MS, dayOf, hourOf } from '../../core/window.ts';
import { type EntityId, type EpochMs, OK, type Outcome, entityKind } from '../../core/types.ts';
import { MINUTES_PER_DAY } from '../calendar.ts';
import { addRejects } from '../rejects.ts';
import { storedWindow } from '../stored-window.ts';
import { retainMemory } from './retain.ts';
import { type MemoryRow, type MemorySegment, type MemoryState, chainKey, compareSegments, emptyState, segmentKey } from './state.ts';
import type { EntityTotals, MetricStore, PartitionHead, Resolution, StoredPartial, StoredSource, StoredWindow } from '../../core/ports.ts';
import type { OpenSegment, PartialBatch, PartialRow } from '../../core/partial.ts';

export type MemoryMetricStore = MetricStore & {
  snapshot(): MemoryState;
  restore(state: MemoryState): void;
};

/**
 * The store for tests and for one-shot runs: the same promises as `storage/sqlite`, kept in the plainest
 * way. Rows are kept as they came and every answer is summed up when it is asked for.
 */
export function memoryMetricStore(): MemoryMetricStore {
  return new MemoryStore();
}

class MemoryStore implements MemoryMetricStore {
  #state = emptyState();

  snapshot(): MemoryState {
    return structuredClone(this.#state);
  }

  restore(state: MemoryState): void {
    this.#state = structuredClone(state);
  }

  async control(name: string): Promise<string | undefined> {
    return this.#state.controls.get(name);
  }

  async setControl(name: string, value: string): Promise<void> {
    this.#state.controls.set(name, value);
  }

  async claim(name: string, value: string): Promise<string> {
    const stored = this.#state.controls.get(name);
    if (stored !== undefined) return stored;
    this.#state.controls.set(name, value);
    return value;
  }

  async source(name: string): Promise<number> {
    const known = this.#state.sources.get(name);
    if (known !== undefined) return known.id;
    const id = this.#state.sources.size + 1;
    this.#state.sources.set(name, { id, records: 0, dropped: 0, rejects: {} });
    return id;
  }

  async sources(): Promise<readonly StoredSource[]> {
    return Array.from(this.#state.sources, ([name, source]) => {
      const chain = [...this.#state.segments.values()].filter(({ segment }) => segment.source === source.id);
      const first = Math.min(...chain.map(({ segment }) => segment.partition));
      const end = this.#chainEnd(source.id, first);
      const cursor = end?.cursor;
      return { name, ...source, next: end?.next ?? 0, newest: end?.newest ?? Number.NEGATIVE_INFINITY, ...(cursor === undefined ? {} : { cursor }) };
    });
  }

  async put(batch: PartialBatch): Promise<Outcome> {
    const key = segmentKey(batch.segment);
    const stored = this.#state.segments.get(key);
    const forgotten = this.#state.forgotten.get(chainKey(batch.segment));
    if (stored === undefined && forgotten !== undefined && compareSegments(batch.segment, forgotten) <= 0) return OK;
    if (stored === undefined || batch.next >= stored.next) this.#advance(key, stored, batch);
    const write = (into: Map<string, MemoryRow>, { window, entity, cells }: PartialRow): void => {
      const place = `${key} ${window} ${entity}`;
      const before = into.get(place);
      if (before === undefined || batch.next >= before.next) into.set(place, { segment: key, window, entity, cells, next: batch.next });
    };
    const tombstones = batch.gone.map((gone) => ({ ...gone, cells: new Uint8Array(0) }));
    for (const row of [...tombstones.filter((gone) => !gone.isHeld), ...batch.rows]) {
      // The frozen hours hold all that a sealed segment had of such a day.
      if (stored?.isSealed === true && this.#state.frozenMinuteDays.has(dayOf(row.window))) continue;
      write(this.#state.rows, row);
      this.#state.dirtyHours.add(hourOf(row.window));
    }
    if (this.#state.segments.get(key)?.isSealed === true) {
      for (const [place, row] of this.#state.held) if (row.segment === key) this.#state.held.delete(place);
    } else for (const row of [...tombstones.filter((gone) => gone.isHeld), ...batch.held]) write(this.#state.held, row);
    for (const { fingerprint, credential } of batch.aliases) this.#alias(fingerprint, credential, Math.max(0, batch.newest));
    return OK;
  }

  async resume(source: number, partition: number): Promise<OpenSegment | undefined> {
    const end = this.#chainEnd(source, partition);
    if (end === undefined) return undefined;
    const key = segmentKey(end.segment);
    const ofEnd = (rows: ReadonlyMap<string, MemoryRow>): readonly PartialRow[] =>
      end.isSealed
        ? []
        : [...rows.values()].filter((row) => row.segment === key && row.cells.length > 0).map(({ window, entity, cells }) => ({ window, entity, cells }));
    return { ...end, rows: ofEnd(this.#state.rows), held: ofEnd(this.#state.held) };
  }

  async heads(source?: number): Promise<readonly PartitionHead[]> {
    const heads = new Map<string, PartitionHead>();
    for (const segment of [...this.#state.segments.values()].sort((a, b) => compareSegments(a.segment, b.segment))) {
      if (source === undefined || segment.segment.source === source) heads.set(chainKey(segment.segment), segment);
    }
    return [...heads.values()].sort((a, b) => a.segment.source - b.segment.source || a.segment.partition - b.segment.partition);
  }

  async *partials({ from, to }: Parameters<MetricStore['partials']>[0]): AsyncGenerator<StoredPartial, void, undefined> {
    const rows = [...this.#state.rows.values()].filter(({ window, cells }) => window >= from && window < to && cells.length > 0);
    for (const { segment: key, next, window, entity, cells } of rows.sort((a, b) => a.window - b.window)) {
      const segment = this.#state.segments.get(key)?.segment;
      if (segment !== undefined) yield { segment, next, row: { window, entity, cells } };
    }
  }

  async *windows(query: Parameters<MetricStore['windows']>[0]): AsyncGenerator<StoredWindow, void, undefined> {
    const resolution = query.resolution ?? 'minute';
    const step = resolution === 'minute' ? 1 : resolution === 'hour' ? MINUTES_PER_HOUR : MINUTES_PER_DAY;
    const groups = new Map<string, PartialRow[]>();
    for (const row of this.#rows(resolution)) {
      const start = row.window - (row.window % step);
      if (start < query.from || start >= query.to || (query.entity !== undefined && row.entity !== query.entity)) continue;
      const group = groups.get(`${start} ${row.entity}`);
      if (group === undefined) groups.set(`${start} ${row.entity}`, [{ ...row, window: start }]);
      else group.push(row);
    }
    for (const rows of [...groups.values()].sort((a, b) => (a[0]?.window ?? 0) - (b[0]?.window ?? 0))) {
      const [first] = rows;
      if (first !== undefined)
        yield storedWindow(first.entity, resolution, { from: first.window, to: first.window + step }, mergeCells(rows.map((row) => row.cells)));
    }
  }

  async totals(query: Parameters<MetricStore['totals']>[0]): Promise<readonly EntityTotals[]> {
    const groups = new Map<EntityId, Uint8Array[]>();
    for (const { window, entity, cells } of this.#rows('day')) {
      const start = window * MINUTE_MS;
      if (start < query.from || start >= query.to || query.kinds?.includes(entityKind(entity)) === false) continue;
      const group = groups.get(entity);
      if (group === undefined) groups.set(entity, [cells]);
      else group.push(cells);
    }
    const totals = Array.from(groups, ([entity, group]) => {
      const { counters, sketch } = readCells(mergeCells(group));
      return { entity, counters, addresses: sketch.tally('address').distinct() };
    });
    const requests = (counters: Counters): number => at(counters, C.requests);
    return totals.sort((a, b) => requests(b.counters) - requests(a.counters) || (a.entity < b.entity ? -1 : 1)).slice(0, query.limit);
  }

  async aliases(): Promise<ReadonlyMap<EntityId, EntityId>> {
    return new Map(Array.from(this.#state.aliases, ([fingerprint, { credential }]) => [fingerprint, credential]));
  }

  /** Nothing has to be folded here; the answer counts what `storage/sqlite` would write. */
  async fold(before = Number.POSITIVE_INFINITY): Promise<number> {
    const hours = new Set([...this.#state.dirtyHours].filter((hour) => hour + MINUTES_PER_HOUR <= before));
    const days = new Set(Array.from(hours, dayOf));
    for (const hour of hours) this.#state.dirtyHours.delete(hour);
    const inHours = new Set<string>();
    const inDays = new Set<string>();
    for (const { window, entity } of this.#rows('minute')) {
      if (hours.has(hourOf(window))) inHours.add(`${hourOf(window)} ${entity}`);
      if (days.has(dayOf(window))) inDays.add(`${dayOf(window)} ${entity}`);
    }
    return inHours.size + inDays.size;
  }

  async retain(...[policy, now]: Parameters<MetricStore['retain']>): ReturnType<MetricStore['retain']> {
    return retainMemory(this.#state, policy, now);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is open.
  }

  /** The law of every read: each minute row, frozen hour and frozen day counts once, where it starts. */
  *#rows(top: Resolution): Generator<PartialRow, void, undefined> {
    for (const row of this.#state.rows.values()) if (row.cells.length > 0) yield row;
    if (top !== 'minute') yield* this.#state.frozenHours;
    if (top === 'day') yield* this.#state.frozenDays;
  }

  #chainEnd(source: number, partition: number): MemorySegment | undefined {
    const chain = [...this.#state.segments.values()].filter(({ segment }) => segment.source === source && segment.partition === partition);
    return chain.sort((a, b) => compareSegments(a.segment, b.segment)).at(-1);
  }

  #advance(key: string, stored: MemorySegment | undefined, batch: PartialBatch): void {
    const { segment, next, records, dropped, rejects, newest, overLimit, skewed, span, cursor } = batch;
    const optional = {
      ...(overLimit === undefined ? {} : { overLimit }),
      ...(skewed === undefined ? {} : { skewed }),
      ...(span === undefined ? {} : { span }),
      ...(cursor === undefined ? {} : { cursor }),
    };
    this.#state.segments.set(key, { segment, next, records, dropped, rejects, newest, ...optional, isSealed: batch.isSealed || stored?.isSealed === true });
    for (const [name, source] of this.#state.sources) {
      if (source.id !== segment.source) continue;
      this.#state.sources.set(name, {
        id: source.id,
        records: source.records + records - (stored?.records ?? 0),
        dropped: source.dropped + dropped - (stored?.dropped ?? 0),
        rejects: addRejects(addRejects(source.rejects, stored?.rejects ?? {}, -1), rejects),
      });
    }
  }

  /** A fingerprint belongs to the credential seen with it last, in whatever order batches arrive. */
  #alias(fingerprint: EntityId, credential: EntityId, seen: EpochMs): void {
    const before = this.#state.aliases.get(fingerprint);
    if (before === undefined || seen > before.seen || (seen === before.seen && credential > before.credential))
      this.#state.aliases.set(fingerprint, { credential, seen });
  }
}

/** Merged one by one, as `core` defines it. */
function mergeCells(group: readonly Uint8Array[]): Uint8Array {
  const [first, ...rest] = group;
  if (first === undefined) throw new Error('BUG: a merge of nothing');
  if (rest.length === 0) return first;
  const merged = readCells(first);
  for (const cells of rest) {
    mergeCounters(merged.counters, readCounters(cells));
    merged.sketch.merge(readCells(cells).sketch);
  }
  return encodeCells(merged.counters, merged.sketch);
}
