import { hashLanes, hashText } from '../../core/hash.ts';
import { chainName, segmentName } from './names.ts';
import type { PartialRow, SegmentRef } from '../../core/partial.ts';

type Orders = { readonly segment: string; readonly orders: Map<number, number>; next: number };

/**
 * The order in which the held rows of a partition's newest segment were first put. A row is replaced whole, and the
 * order must outlive that, so it is remembered here and stored with each row. A process that reads the segment again
 * from its start meets them in the same order; one that resumes is told.
 */
export class HeldOrder {
  readonly #byChain = new Map<string, Orders>();

  /** The place of a row. */
  of(segment: SegmentRef, row: Pick<PartialRow, 'window' | 'entity'>): number {
    const orders = this.#orders(segment);
    const key = keyOf(row);
    const known = orders.orders.get(key);
    if (known !== undefined) return known;
    const order = orders.next++;
    orders.orders.set(key, order);
    return order;
  }

  /** Takes over what was stored, held rows and tombstones alike. */
  restore(segment: SegmentRef, rows: readonly (Pick<PartialRow, 'window' | 'entity'> & { readonly order: number })[]): void {
    const orders = this.#orders(segment);
    for (const row of rows) {
      orders.orders.set(keyOf(row), row.order);
      orders.next = Math.max(orders.next, row.order + 1);
    }
  }

  forget(segment: SegmentRef): void {
    if (this.#byChain.get(chainName(segment))?.segment === segmentName(segment)) this.#byChain.delete(chainName(segment));
  }

  #orders(segment: SegmentRef): Orders {
    const name = segmentName(segment);
    const known = this.#byChain.get(chainName(segment));
    if (known?.segment === name) return known;
    const made: Orders = { segment: name, orders: new Map(), next: 0 };
    this.#byChain.set(chainName(segment), made);
    return made;
  }
}

/** 53 bits: half the memory of a text. Two rows that meet would only swap places. */
function keyOf({ window, entity }: Pick<PartialRow, 'window' | 'entity'>): number {
  hashText(entity);
  return ((hashLanes.hi >>> 11) * 0x1_0000_0000 + (hashLanes.lo >>> 0) + window * 0x9e3779b1) % Number.MAX_SAFE_INTEGER;
}
