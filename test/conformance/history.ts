/**
 * Random histories for the store's suite: events in segments, cut into batches by definition and not by the
 * ingester's code. The view of a prefix of a segment is computed anew for every flush; a batch is the difference of two views.
 */
import fc from 'fast-check';
import { encodeCells } from '../../core/cells.ts';
import { C, emptyCounters } from '../../core/counters.ts';
import { hashLanes, hashText } from '../../core/hash.ts';
import type { PartialBatch, PartialRow, Rejects } from '../../core/partial.ts';
import { Sketch } from '../../core/sketch/sketch.ts';
import { Tally, compareItems } from '../../core/sketch/tally.ts';
import { type EntityId, type Minute, REFUSED, entityId } from '../../core/types.ts';

/** 2026-11-30T22:00Z: the histories cross an hour, a day and a month. */
export const BASE: Minute = Date.UTC(2026, 10, 30, 22) / 60_000;

export type TestEvent = {
  readonly window: Minute;
  readonly key: number;
  readonly isAccepted: boolean;
  readonly bytes: number;
  readonly address: number;
  readonly us: number;
};
/** Flushes are positions in `events`, ascending. */
export type TestSegment = { readonly events: readonly TestEvent[]; readonly flushes: readonly number[] };

/** Plain sums of one window, counted without the code under test. */
export type Sums = { requests: number; s2xx: number; s401: number; failedAuth: number; bytesOut: number; latencySum: number; addresses: Map<string, number> };
export type View = Map<string, { readonly window: Minute; readonly entity: EntityId; readonly sums: Sums }>;

export const SEGMENT_LENGTH = 1000;

const windowArb = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 200 }).map((minutes) => BASE + minutes) },
  { weight: 1, arbitrary: fc.constantFrom(BASE - 40 * 1440, BASE - 3 * 1440 + 17, BASE - 1440 + 59) },
);
const eventArb: fc.Arbitrary<TestEvent> = fc.record({
  window: windowArb,
  key: fc.nat(4),
  isAccepted: fc.boolean(),
  bytes: fc.nat(1_000_000),
  address: fc.nat(5),
  us: fc.nat(90_000),
});

export const segmentsArb: fc.Arbitrary<readonly TestSegment[]> = fc.array(
  fc.record({ events: fc.array(eventArb, { minLength: 1, maxLength: 14 }), cuts: fc.array(fc.nat(14), { maxLength: 3 }) }).map(({ events, cuts }) => ({
    events,
    flushes: [...new Set([...cuts.map((cut) => Math.min(cut, events.length)), events.length])].sort((a, b) => a - b),
  })),
  { minLength: 1, maxLength: 4 },
);

export function addressOf(address: number): string {
  return `198.51.100.${address + 1}`;
}

/** What the store must hold of a stretch of one segment: a key that was only ever refused in it is part of `refused`. */
export function viewOf(events: readonly TestEvent[]): View {
  const accepted = new Set(events.filter((event) => event.isAccepted).map((event) => event.key));
  const view: View = new Map();
  for (const event of events) add(view, accepted.has(event.key) ? entityId('key', `k${event.key}`) : REFUSED, event);
  return view;
}

function heldOf(events: readonly TestEvent[]): View {
  const accepted = new Set(events.filter((event) => event.isAccepted).map((event) => event.key));
  const view: View = new Map();
  for (const event of events) if (!accepted.has(event.key)) add(view, entityId('key', `k${event.key}`), event);
  return view;
}

export function add(view: View, entity: EntityId, event: TestEvent): void {
  const key = `${event.window} ${entity}`;
  const sums = view.get(key)?.sums ?? { requests: 0, s2xx: 0, s401: 0, failedAuth: 0, bytesOut: 0, latencySum: 0, addresses: new Map<string, number>() };
  sums.requests += 1;
  if (event.isAccepted) sums.s2xx += 1;
  else {
    sums.s401 += 1;
    sums.failedAuth += 1;
  }
  sums.bytesOut += event.bytes;
  sums.latencySum += event.us;
  sums.addresses.set(addressOf(event.address), (sums.addresses.get(addressOf(event.address)) ?? 0) + 1);
  view.set(key, { window: event.window, entity, sums });
}

/** The sum of views, window by window: what all segments together must give. `group` moves a window to its hour or day. */
export function truthOf(views: readonly View[], group: (window: Minute) => Minute = (window) => window): View {
  const truth: View = new Map();
  for (const view of views) {
    for (const { window, entity, sums } of view.values()) {
      const key = `${group(window)} ${entity}`;
      const before = truth.get(key)?.sums;
      truth.set(key, { window: group(window), entity, sums: before === undefined ? { ...sums, addresses: new Map(sums.addresses) } : addSums(before, sums) });
    }
  }
  return truth;
}

export function addSums(a: Sums, b: Sums): Sums {
  const addresses = new Map(a.addresses);
  for (const [address, count] of b.addresses) addresses.set(address, (addresses.get(address) ?? 0) + count);
  return {
    requests: a.requests + b.requests,
    s2xx: a.s2xx + b.s2xx,
    s401: a.s401 + b.s401,
    failedAuth: a.failedAuth + b.failedAuth,
    bytesOut: a.bytesOut + b.bytesOut,
    latencySum: a.latencySum + b.latencySum,
    addresses,
  };
}

export function cellsOf(sums: Sums): Uint8Array {
  const counters = emptyCounters();
  counters[C.requests] = sums.requests;
  counters[C.s2xx] = sums.s2xx;
  counters[C.s4xx] = sums.s401;
  counters[C.s401] = sums.s401;
  counters[C.failedAuth] = sums.failedAuth;
  counters[C.bytesOut] = sums.bytesOut;
  counters[C.latencySum] = sums.latencySum;
  const sketch = new Sketch();
  sketch.tallies.set('address', tallyOf(sums.addresses));
  return encodeCells(counters, sketch);
}

export function tallyOf(counts: ReadonlyMap<string, number>): Tally {
  const items = Array.from(counts, ([text, count]) => {
    hashText(text);
    return { hi: hashLanes.hi, lo: hashLanes.lo, text, count, failed: 0, over: 0 };
  });
  return new Tally(items.sort(compareItems));
}

/** The batches of segment number `index`, in order; the last one seals it when `isSealed`. */
export function batchesOf(
  segment: TestSegment,
  place: { readonly source: number; readonly index: number; readonly isSealed: boolean },
): readonly PartialBatch[] {
  const start = place.index * SEGMENT_LENGTH;
  const batch = (from: number, to: number, isSealed: boolean): PartialBatch => {
    const before = segment.events.slice(0, from);
    const events = segment.events.slice(0, to);
    const rows = difference(viewOf(before), viewOf(events));
    const held = difference(heldOf(before), heldOf(events));
    return {
      segment: { source: place.source, partition: 0, generation: 1, start },
      next: isSealed ? start + SEGMENT_LENGTH : start + to,
      isSealed,
      rows: rows.changed,
      held: held.changed,
      gone: [...rows.gone.map((row) => ({ ...row, isHeld: false })), ...held.gone.map((row) => ({ ...row, isHeld: true }))],
      aliases: events
        .filter((event) => event.isAccepted)
        .map((event) => ({ credential: entityId('key', `k${event.key}`), fingerprint: entityId('key', `kf1_${event.key}`) })),
      rejects: rejectsOf(start, to),
      dropped: Math.floor(to / 5),
      records: to,
      newest: newestOf(events),
      ...marksOf(place.index, to),
      cursor: `at ${start + to}`,
    };
  };
  const flushes = segment.flushes.map((to, i) => batch(segment.flushes[i - 1] ?? 0, to, false));
  return place.isSealed ? [...flushes, batch(segment.events.length, segment.events.length, true)] : flushes;
}

/** Every other segment is one of a message log. */
export function marksOf(index: number, records: number): Pick<PartialBatch, 'skewed' | 'span'> {
  return index % 2 === 0 ? {} : { skewed: Math.floor(records / 2), span: { firstAt: BASE * 60_000 + index, length: SEGMENT_LENGTH, crc: 0xfeed_0000 + index } };
}

/** Every third record is called bad, so that the totals of a source have something to add up. */
export function rejectsOf(start: number, records: number): Rejects {
  return records < 3 ? {} : { bad_json: { count: Math.floor(records / 3), first: start + 2 } };
}

export function newestOf(events: readonly TestEvent[]): number {
  return Math.max(...events.map((event) => event.window * 60_000), 0);
}

/** Rows of a view as the ingester has them in memory. */
export function rowsOf(view: View): ReadonlyMap<string, Uint8Array> {
  return new Map(Array.from(view.values(), ({ window, entity, sums }) => [`${window} ${entity}`, cellsOf(sums)]));
}

export function openRowsOf(
  segment: TestSegment,
  to: number,
): { readonly rows: ReadonlyMap<string, Uint8Array>; readonly held: ReadonlyMap<string, Uint8Array> } {
  const events = segment.events.slice(0, to);
  return { rows: rowsOf(viewOf(events)), held: rowsOf(heldOf(events)) };
}

function difference(
  before: View,
  after: View,
): { readonly changed: readonly PartialRow[]; readonly gone: readonly { readonly window: Minute; readonly entity: EntityId }[] } {
  const old = rowsOf(before);
  const changed: PartialRow[] = [];
  for (const [key, { window, entity, sums }] of after) {
    const cells = cellsOf(sums);
    const previous = old.get(key);
    if (previous === undefined || Buffer.compare(previous, cells) !== 0) changed.push({ window, entity, cells });
  }
  return { changed, gone: [...before].filter(([key]) => !after.has(key)).map(([, { window, entity }]) => ({ window, entity })) };
}
