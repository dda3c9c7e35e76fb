/** What a store says, in the words of `history.ts`. */
import { C, at, type Counters } from '../../core/counters.ts';
import type { MetricStore, Resolution } from '../../core/ports.ts';
import type { PartialRow } from '../../core/partial.ts';
import { BASE, type Sums, type View } from './history.ts';

/** Everything that a test can have stored. */
export const EVER = { from: BASE - 100 * 1440, to: BASE + 100 * 1440 };
export const RESOLUTION_MINUTES = { minute: 1, hour: 60, day: 1440 } as const;

export async function readView(
  store: MetricStore,
  resolution: Resolution = 'minute',
  range: { readonly from: number; readonly to: number } = EVER,
): Promise<View> {
  const view: View = new Map();
  for await (const stored of store.windows({ ...range, resolution })) {
    const { entity, counters } = stored;
    const start = stored.window.start / 60_000;
    const addresses = new Map(
      stored
        .sketch()
        .tally('address')
        .items.map((item) => [item.text ?? '', item.count]),
    );
    view.set(`${start} ${entity}`, { window: start, entity, sums: sumsOf(counters, addresses) });
  }
  return view;
}

export function sumsOf(counters: Counters, addresses: Map<string, number>): Sums {
  return {
    requests: at(counters, C.requests),
    s2xx: at(counters, C.s2xx),
    s401: at(counters, C.s401),
    failedAuth: at(counters, C.failedAuth),
    bytesOut: at(counters, C.bytesOut),
    latencySum: at(counters, C.latencySum),
    addresses,
  };
}

/** Comparable whatever the order. */
export function plain(view: View): Record<string, unknown> {
  return Object.fromEntries(sorted(view).map(([key, { sums }]) => [key, { ...sums, addresses: Object.fromEntries(sorted(sums.addresses)) }]));
}

export function rowMap(rows: readonly PartialRow[]): ReadonlyMap<string, Uint8Array> {
  return new Map(rows.map((row) => [`${row.window} ${row.entity}`, row.cells]));
}

/** Byte for byte. */
export function hex(rows: ReadonlyMap<string, Uint8Array>): Record<string, string> {
  return Object.fromEntries(sorted(rows).map(([key, cells]) => [key, Buffer.from(cells).toString('hex')]));
}

function sorted<T>(map: ReadonlyMap<string, T>): readonly (readonly [string, T])[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}
