import type { Minute } from '../../../core/types.ts';
import { minuteOf } from '../../../core/window.ts';
import type { SimulatedEvent } from '../../../app/simulate/event.ts';

/** Sums of one key in one minute. */
export type Sums = { readonly requests: number; readonly errors: number; readonly bytesOut: number; readonly denied: number };

const COLUMNS = 4;
/** Refused and given up: counted on their own. */
const NO_ERRORS: ReadonlySet<number> = new Set([401, 403, 429, 499]);

/** What the generator made, counted by itself per key and minute: what every store must hold afterwards. */
export class Ledger {
  readonly from: Minute;
  /** Exclusive. */
  readonly to: Minute;
  readonly keys: number;
  readonly #sums: Float64Array;

  constructor(span: { readonly from: Minute; readonly to: Minute; readonly keys: number }) {
    this.from = span.from;
    this.to = span.to;
    this.keys = span.keys;
    this.#sums = new Float64Array(span.keys * (span.to - span.from) * COLUMNS);
  }

  count(index: number, event: SimulatedEvent): void {
    const at = this.#at(index, minuteOf(event.at));
    const sums = this.#sums;
    sums[at] = (sums[at] ?? 0) + 1;
    if (event.status >= 400 && !NO_ERRORS.has(event.status)) sums[at + 1] = (sums[at + 1] ?? 0) + 1;
    sums[at + 2] = (sums[at + 2] ?? 0) + event.bytesOut;
    if (event.status === 401) sums[at + 3] = (sums[at + 3] ?? 0) + 1;
  }

  of(index: number, minute: Minute): Sums {
    const at = this.#at(index, minute);
    const [requests = 0, errors = 0, bytesOut = 0, denied = 0] = this.#sums.subarray(at, at + COLUMNS);
    return { requests, errors, bytesOut, denied };
  }

  get total(): Sums {
    const total = { requests: 0, errors: 0, bytesOut: 0, denied: 0 };
    for (let index = 0; index < this.keys; index++) {
      for (let minute = this.from; minute < this.to; minute++) {
        const { requests, errors, bytesOut, denied } = this.of(index, minute);
        total.requests += requests;
        total.errors += errors;
        total.bytesOut += bytesOut;
        total.denied += denied;
      }
    }
    return total;
  }

  /** How many (key, minute) there are. */
  get windows(): number {
    let count = 0;
    for (let at = 0; at < this.#sums.length; at += COLUMNS) if ((this.#sums[at] ?? 0) > 0) count++;
    return count;
  }

  #at(index: number, minute: Minute): number {
    if (minute < this.from || minute >= this.to) throw new RangeError(`minute ${minute} is outside of the ledger`);
    return (index * (this.to - this.from) + minute - this.from) * COLUMNS;
  }
}
