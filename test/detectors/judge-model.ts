import * as fc from 'fast-check';
import type { PartialBatch, PartialRow } from '../../core/partial.ts';
import { type EntityId, type Minute, entityKind } from '../../core/types.ts';
import { T0, type Values, batch, cellsOf, client, key, network } from './support.ts';

/** A few events of one entity in one minute, read at once. */
export type Item = {
  readonly partition: number;
  readonly minute: Minute;
  readonly entity: EntityId;
  readonly requests: number;
  readonly errors: number;
  readonly failed: number;
  readonly bytes: number;
  /** On networks. */
  readonly attempted: readonly string[];
};

export const ENTITIES: readonly EntityId[] = [key('a'), key('b'), key('b2'), client('203.0.113.9 curl/8'), network('203.0.113.0/24')];
const CREDENTIALS = Array.from({ length: 60 }, (_, index) => `c${index}`);

/** Items of one minute after another, with quiet minutes and long gaps, so that windows of every length have edges. */
export function itemsArbitrary(options: { readonly lateMinutes: number; readonly length: number }): fc.Arbitrary<Item[]> {
  const step = fc.oneof(
    { weight: 10, arbitrary: fc.constant(0) },
    { weight: 8, arbitrary: fc.integer({ min: 1, max: 2 }) },
    { weight: 2, arbitrary: fc.integer({ min: 3, max: 70 }) },
    { weight: 1, arbitrary: fc.constant(400) },
  );
  const one = fc.record({
    partition: fc.integer({ min: 0, max: 1 }),
    step,
    late: fc.integer({ min: 0, max: options.lateMinutes }),
    entity: fc.constantFrom(...ENTITIES),
    requests: fc.constantFrom(1, 20, 50, 250, 251, 500, 501),
    errors: fc.constantFrom(0, 0, 1, 5, 13),
    failed: fc.constantFrom(0, 0, 1, 5, 6, 25),
    bytes: fc.constantFrom(0, 1000, 262_144_000, 262_144_001, 536_870_912),
    attempted: fc.array(fc.constantFrom(...CREDENTIALS), { maxLength: 12 }),
  });
  return fc.array(one, { minLength: 1, maxLength: options.length, size: 'max' }).map((steps) => {
    let now = T0;
    return steps.map(({ step, late, attempted, ...item }) => {
      now += step;
      return { ...item, errors: Math.min(item.errors, item.requests), minute: now - late, attempted: entityKind(item.entity) === 'network' ? attempted : [] };
    });
  });
}

const SEGMENT_ITEMS = 11;

/** What an ingester makes of the items: absolute rows per segment. `flushes` says after which items it flushes; the ends of segments are its own. */
export function batchesOf(items: readonly Item[], flushes: ReadonlySet<number>): PartialBatch[] {
  const batches: PartialBatch[] = [];
  const open = new Map<number, Segment>();
  const positions = new Map<number, number>();
  items.forEach((item, index) => {
    const position = positions.get(item.partition) ?? 0;
    positions.set(item.partition, position + 1);
    const segment = open.get(item.partition) ?? new Segment(item.partition, position);
    open.set(item.partition, segment);
    segment.add(item);
    const isSealed = (position + 1) % SEGMENT_ITEMS === 0;
    if (isSealed || flushes.has(index)) batches.push(segment.flush(position + 1, isSealed));
    if (isSealed) open.delete(item.partition);
  });
  for (const [partition, segment] of open) if (segment.isDirty) batches.push(segment.flush(positions.get(partition) ?? 0, false));
  return batches;
}

type Sum = { requests: number; errors: number; failed: number; bytes: number; attempted: Map<string, number> };

class Segment {
  readonly #partition: number;
  readonly #start: number;
  readonly #rows = new Map<string, { readonly window: Minute; readonly entity: EntityId; readonly sum: Sum }>();
  readonly #touched = new Set<string>();

  constructor(partition: number, start: number) {
    this.#partition = partition;
    this.#start = start;
  }

  get isDirty(): boolean {
    return this.#touched.size > 0;
  }

  add(item: Item): void {
    const at = `${item.minute} ${item.entity}`;
    const row = this.#rows.get(at) ?? { window: item.minute, entity: item.entity, sum: { requests: 0, errors: 0, failed: 0, bytes: 0, attempted: new Map() } };
    row.sum.requests += item.requests;
    row.sum.errors += item.errors;
    row.sum.failed += item.failed;
    row.sum.bytes += item.bytes;
    for (const text of item.attempted) row.sum.attempted.set(text, (row.sum.attempted.get(text) ?? 0) + 1);
    this.#rows.set(at, row);
    this.#touched.add(at);
  }

  flush(next: number, isSealed: boolean): PartialBatch {
    const rows: PartialRow[] = [...this.#touched].flatMap((at) => {
      const row = this.#rows.get(at);
      return row === undefined ? [] : [{ window: row.window, entity: row.entity, cells: cellsOf(valuesOf(row.sum)) }];
    });
    this.#touched.clear();
    return batch(rows, { segment: { source: 1, partition: this.#partition, generation: 0, start: this.#start }, next, isSealed });
  }
}

function valuesOf({ requests, errors, failed, bytes, attempted }: Sum): Values {
  const base = { requests, s5xx: errors, failedAuth: failed, bytesIn: Math.floor(bytes / 3), bytesOut: bytes - Math.floor(bytes / 3) };
  if (attempted.size === 0) return base;
  return { ...base, tallies: { attempted: Object.fromEntries([...attempted].map(([text, count]) => [text, [count, count] as const])) } };
}

export type Expected = { readonly severity: string; readonly observed: number };

/** The findings of all closed windows by counting out the definitions, window by window: no sums that run, no columns, nothing shared with the judge. */
export function findingsByDefinition(items: readonly Item[], canonical: (entity: EntityId) => EntityId): Map<string, Expected> {
  const findings = new Map<string, Expected>();
  // Windows that hold no item hold no breach.
  const minutes = new Set(items.flatMap(({ minute }) => Array.from({ length: 60 }, (_, index) => minute + index)));
  for (const [owner, mine] of Map.groupBy(items, ({ entity }) => canonical(entity))) {
    for (const minute of minutes) {
      const hour = mine.filter((item) => item.minute <= minute && item.minute > minute - 60);
      if (hour.length === 0) continue;
      const sum = (length: number, field: 'requests' | 'errors' | 'failed' | 'bytes'): number =>
        hour.reduce((total, item) => total + (item.minute > minute - length ? item[field] : 0), 0);
      const note = (rule: string, length: number, observed: number, isWarning: boolean, isCritical: boolean, warning = 'medium'): void => {
        const severity = isCritical ? 'critical' : warning;
        if (isWarning || isCritical) findings.set(`${rule}|${owner}|${(minute - length + 1) * 60_000}|${severity}`, { severity, observed });
      };
      const failed = sum(60, 'failed');
      note('failed_auth', 60, failed, failed > 10, failed > 50);
      if (entityKind(owner) === 'network') {
        const distinct = new Set(hour.flatMap(({ attempted }) => attempted)).size;
        note('guessing', 60, distinct, distinct >= 10, distinct >= 50, 'high');
        continue;
      }
      const requests = sum(1, 'requests');
      note('request_rate', 1, requests, requests > 500, requests > 1000);
      const bytes = sum(60, 'bytes');
      note('data_transfer', 60, bytes, bytes > 524_288_000, bytes > 1_073_741_824);
      const five = sum(5, 'requests');
      const ratio = sum(5, 'errors') / five;
      note('error_rate', 5, ratio, five >= 50 && ratio > 0.05, five >= 50 && ratio > 0.1);
    }
  }
  return findings;
}
