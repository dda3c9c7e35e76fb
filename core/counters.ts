/**
 * The counters of a window, in their stored order. Each declares how two segments' values of one window
 * merge, so that the result does not depend on how a log was cut.
 */
export const COUNTERS = [
  { name: 'requests', merge: 'sum', unit: 'events' },
  { name: 's1xx', merge: 'sum', unit: 'events' },
  { name: 's2xx', merge: 'sum', unit: 'events' },
  { name: 's3xx', merge: 'sum', unit: 'events' },
  /** 4xx without 499. */
  { name: 's4xx', merge: 'sum', unit: 'events' },
  { name: 's5xx', merge: 'sum', unit: 'events' },
  /** Status 499, 0, 000, -1 or "-": the client went away. Not an error of the key. */
  { name: 'aborted', merge: 'sum', unit: 'events' },
  { name: 's401', merge: 'sum', unit: 'events' },
  { name: 's403', merge: 'sum', unit: 'events' },
  { name: 's429', merge: 'sum', unit: 'events' },
  /** 401 and 403, and the gateway's own authentication outcome where it has one. */
  { name: 'failedAuth', merge: 'sum', unit: 'events' },
  { name: 'bytesIn', merge: 'sum', unit: 'bytes' },
  { name: 'bytesOut', merge: 'sum', unit: 'bytes' },
  /** Events that showed a request size; 0 means that `bytesIn` is unknown, not zero. */
  { name: 'bytesInKnown', merge: 'sum', unit: 'events' },
  { name: 'bytesOutKnown', merge: 'sum', unit: 'events' },
  { name: 'latencyKnown', merge: 'sum', unit: 'events' },
  /** Integer microseconds, so that sums do not depend on their order. */
  { name: 'latencySum', merge: 'sum', unit: 'us' },
  { name: 'latencyMax', merge: 'max', unit: 'us' },
  /** GET, HEAD and OPTIONS. */
  { name: 'reads', merge: 'sum', unit: 'events' },
  /** POST, PUT, PATCH and DELETE. */
  { name: 'writes', merge: 'sum', unit: 'events' },
  { name: 'first', merge: 'min', unit: 'epoch-ms' },
  { name: 'last', merge: 'max', unit: 'epoch-ms' },
] as const satisfies readonly { readonly name: string; readonly merge: 'sum' | 'max' | 'min'; readonly unit: string }[];

export type CounterName = (typeof COUNTERS)[number]['name'];
export const COUNTER_COUNT = COUNTERS.length;

/** Index of each counter in a `Counters` array. */
export const C = Object.freeze(Object.fromEntries(COUNTERS.map((counter, index) => [counter.name, index]))) as Readonly<Record<CounterName, number>>;

/** One value per entry of `COUNTERS`, exact below 2^53. */
export type Counters = Float64Array;

/** Counters of no events: sums 0, `first` +Infinity, `last` and maxima 0. */
export function emptyCounters(): Counters {
  const counters = new Float64Array(COUNTER_COUNT);
  counters[C.first] = Number.POSITIVE_INFINITY;
  return counters;
}

/** Merges `from` into `into`. Commutative and associative. */
export function mergeCounters(into: Counters, from: Counters): void {
  for (let i = 0; i < COUNTER_COUNT; i++) {
    const a = into[i] as number;
    const b = from[i] as number;
    switch ((COUNTERS[i] as (typeof COUNTERS)[number]).merge) {
      case 'sum':
        into[i] = a + b;
        break;
      case 'max':
        into[i] = a > b ? a : b;
        break;
      case 'min':
        into[i] = a < b ? a : b;
        break;
    }
  }
}

/** `4xx + 5xx` without 401, 403 and 429: what the error-rate rule divides by requests. */
export function errorsOf(counters: Counters): number {
  return at(counters, C.s4xx) + at(counters, C.s5xx) - at(counters, C.s401) - at(counters, C.s403) - at(counters, C.s429);
}

export function at(counters: Counters, index: number): number {
  return counters[index] as number;
}
