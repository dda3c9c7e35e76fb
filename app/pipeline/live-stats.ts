import { C, at, errorsOf } from '../../core/counters.ts';
import { ByteReader } from '../../core/bytes.ts';
import { decodeCounters } from '../../core/cells.ts';
import type { PartialBatch } from '../../core/partial.ts';
import type { PartialBus, PartitionProgress } from '../../core/ports.ts';
import { Sketch } from '../../core/sketch/sketch.ts';
import { type EntityId, type EpochMs, LATE, type Minute, entityKind } from '../../core/types.ts';
import { MINUTE_MS } from '../../core/window.ts';

type Cell = { requests: number; errors: number; addresses: readonly string[] };

export type LiveKey = { readonly entity: EntityId; readonly minutes: readonly number[]; readonly errorShare: number | undefined; readonly addresses: number };

/** Minutes of event time that are remembered. */
const MEMORY_MINUTES = 120;

/** What a live screen shows, taken from the batches on their way to the judge. Values are absolute per segment, so a batch that comes twice changes nothing. */
export class LiveStats implements PartialBus {
  readonly #next: PartialBus;
  /** By segment: its records so far. */
  readonly #records = new Map<string, { events: number; rejected: number }>();
  readonly #cells = new Map<Minute, Map<EntityId, Map<string, Cell>>>();
  readonly #seen = new Set<EntityId>();
  #newest: EpochMs = 0;

  constructor(next: PartialBus) {
    this.#next = next;
  }

  get newest(): EpochMs {
    return this.#newest;
  }

  get events(): number {
    return [...this.#records.values()].reduce((sum, { events }) => sum + events, 0);
  }

  get rejected(): number {
    return [...this.#records.values()].reduce((sum, { rejected }) => sum + rejected, 0);
  }

  get entities(): number {
    return this.#seen.size;
  }

  async publish(batch: PartialBatch): Promise<void> {
    const segment = `${batch.segment.source}/${batch.segment.partition}/${batch.segment.generation}/${batch.segment.start}`;
    const rejected = Object.values(batch.rejects).reduce((sum, { count }) => sum + count, 0);
    this.#records.set(segment, { events: batch.records - batch.dropped - rejected, rejected });
    if (batch.newest > this.#newest) this.#newest = batch.newest;
    for (const { window, entity, isHeld } of batch.gone) if (!isHeld) this.#cells.get(window)?.get(entity)?.delete(segment);
    for (const { window, entity, cells } of batch.rows) {
      if (entityKind(entity) === 'network' || entity === LATE) continue;
      this.#seen.add(entity);
      const input = new ByteReader(cells);
      const counters = decodeCounters(input);
      const addresses = Sketch.decode(input)
        .tally('address')
        .items.map((item) => `${item.hi},${item.lo}`);
      const minute = getOr(this.#cells, window, () => new Map<EntityId, Map<string, Cell>>());
      getOr(minute, entity, () => new Map<string, Cell>()).set(segment, { requests: at(counters, C.requests), errors: errorsOf(counters), addresses });
    }
    const oldest = Math.floor(this.#newest / MINUTE_MS) - MEMORY_MINUTES;
    for (const minute of this.#cells.keys()) if (minute < oldest) this.#cells.delete(minute);
    await this.#next.publish(batch);
  }

  hint(batch: PartialBatch): void {
    this.#next.hint(batch);
  }

  async progress(partitions: readonly PartitionProgress[]): Promise<void> {
    await this.#next.progress(partitions);
  }

  /** The busiest entities of the last full minute, with their last `minutes` minutes; the last one is still growing. */
  top(count: number, minutes: number): readonly LiveKey[] {
    const last = Math.floor(this.#newest / MINUTE_MS);
    const sums = new Map<EntityId, { minutes: number[]; requests: number; errors: number; addresses: Set<string> }>();
    for (let i = 0; i < minutes; i++) {
      for (const [entity, segments] of this.#cells.get(last - minutes + 1 + i) ?? []) {
        const sum = getOr(sums, entity, () => ({ minutes: new Array<number>(minutes).fill(0), requests: 0, errors: 0, addresses: new Set<string>() }));
        for (const cell of segments.values()) {
          sum.minutes[i] = (sum.minutes[i] ?? 0) + cell.requests;
          sum.requests += cell.requests;
          sum.errors += cell.errors;
          for (const address of cell.addresses) sum.addresses.add(address);
        }
      }
    }
    const full = (sum: { minutes: number[] }): number => sum.minutes[minutes - 2] ?? 0;
    return [...sums]
      .sort(([a, x], [b, y]) => full(y) - full(x) || y.requests - x.requests || (a < b ? -1 : 1))
      .slice(0, count)
      .map(([entity, sum]) => ({
        entity,
        minutes: sum.minutes,
        errorShare: sum.requests === 0 ? undefined : sum.errors / sum.requests,
        addresses: sum.addresses.size,
      }));
  }
}

function getOr<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
