import { ByteReader } from '../../core/bytes.ts';
import { decodeCountersInto } from '../../core/cells.ts';
import { C, COUNTER_COUNT, type Counters, at, emptyCounters, errorsOf, mergeCounters } from '../../core/counters.ts';
import type { PartialBatch } from '../../core/partial.ts';
import { LatencyHistogram } from '../../core/sketch/latency.ts';
import { DIMENSIONS } from '../../core/sketch/sketch.ts';
import { Tally, skipTally } from '../../core/sketch/tally.ts';
import { type EntityId, type Minute, type RejectReason, entityKind } from '../../core/types.ts';
import type { SegmentTops } from '../../ingest/aggregate/segment-tops.ts';
import { SEGMENT_WINDOW } from '../../ingest/aggregate/segment-counts.ts';
import { Series } from './series.ts';
import { TopList } from './top-list.ts';

/** What one entity did over the whole log. */
export type Collected = {
  readonly entity: EntityId;
  readonly counters: Counters;
  readonly addresses: Tally;
  readonly attempted: Tally;
  readonly series: Series | undefined;
};

export type MinuteTotals = { requests: number; errors: number; failedAuth: number; bytesOut: number };

/** Entities that get an activity line of their own; the ones met first, which in any real log include the busy ones. */
const SERIES_MAX = 20_000;
const ADDRESS = DIMENSIONS.indexOf('address') + 1;
const ATTEMPTED = DIMENSIONS.indexOf('attempted') + 1;

/** Adds up the batches of a log: per entity, per minute, per reason. Exact; memory grows with entities and minutes, not with lines. */
export class Collector {
  readonly entities = new Map<EntityId, Collected>();
  readonly minutes = new Map<Minute, MinuteTotals>();
  readonly totals = emptyCounters();
  readonly latency = new LatencyHistogram();
  readonly routes = new TopList();
  readonly agents = new TopList();
  readonly countries = new TopList();
  readonly rejects = new Map<RejectReason, { count: number; file: number; position: number }>();
  readonly recordsByFile = new Map<number, number>();
  /** Kinds of owners met, by file: whether it shows keys or users at all. */
  readonly kindsByFile = new Map<number, Set<string>>();
  readonly #row = emptyCounters();
  records = 0;
  dropped = 0;
  overLimit = 0;

  add(batch: PartialBatch): void {
    const file = batch.segment.source;
    this.records += batch.records;
    this.dropped += batch.dropped;
    this.overLimit += batch.overLimit ?? 0;
    this.recordsByFile.set(file, (this.recordsByFile.get(file) ?? 0) + batch.records);
    for (const [reason, { count, first }] of Object.entries(batch.rejects)) {
      const known = this.rejects.get(reason as RejectReason);
      if (known === undefined) this.rejects.set(reason as RejectReason, { count, file, position: first });
      else known.count += count;
    }
    for (const row of batch.rows) {
      const input = new ByteReader(row.cells);
      const counters = decodeCountersInto(input, this.#row);
      if (row.window === SEGMENT_WINDOW) this.#addWhole(row.entity, counters, input, file);
      else this.#addMinute(row.entity, row.window, counters);
    }
  }

  addTops(tops: SegmentTops): void {
    this.routes.add(tops.routes);
    this.agents.add(tops.agents);
    this.countries.add(tops.countries);
    for (const [bucket, count] of tops.latency) this.latency.add(bucket, count);
  }

  get events(): number {
    return at(this.totals, C.requests);
  }

  #addWhole(entity: EntityId, counters: Counters, input: ByteReader, file: number): void {
    const isNetwork = entityKind(entity) === 'network';
    const collected = this.#of(entity);
    mergeCounters(collected.counters, counters);
    LatencyHistogram.decode(input);
    if (!isNetwork) {
      mergeCounters(this.totals, counters);
      const kinds = this.kindsByFile.get(file);
      if (kinds === undefined) this.kindsByFile.set(file, new Set([entityKind(entity)]));
      else kinds.add(entityKind(entity));
    }
    for (;;) {
      const section = input.byte();
      if (section === 0) return;
      if (section === ADDRESS) addTo(collected.addresses, Tally.decode(input));
      else if (section === ATTEMPTED) addTo(collected.attempted, Tally.decode(input));
      else skipTally(input);
    }
  }

  #addMinute(entity: EntityId, minute: Minute, counters: Counters): void {
    if (entityKind(entity) === 'network') return;
    const requests = at(counters, C.requests);
    this.#of(entity).series?.add(minute, requests);
    let total = this.minutes.get(minute);
    if (total === undefined) this.minutes.set(minute, (total = { requests: 0, errors: 0, failedAuth: 0, bytesOut: 0 }));
    total.requests += requests;
    total.errors += errorsOf(counters);
    total.failedAuth += at(counters, C.failedAuth);
    total.bytesOut += at(counters, C.bytesOut);
  }

  #of(entity: EntityId): Collected {
    const known = this.entities.get(entity);
    if (known !== undefined) return known;
    const collected = {
      entity,
      counters: new Float64Array(COUNTER_COUNT),
      addresses: new Tally(),
      attempted: new Tally(),
      series: this.entities.size < SERIES_MAX ? new Series() : undefined,
    };
    collected.counters[C.first] = Number.POSITIVE_INFINITY;
    this.entities.set(entity, collected);
    return collected;
  }
}

/** Most entities are met with one address, again and again. */
function addTo(into: Tally, from: Tally): void {
  if (into.items.length === 0 && into.isExact) {
    into.items = from.items;
    into.registers = from.registers;
  } else into.merge(from);
}
