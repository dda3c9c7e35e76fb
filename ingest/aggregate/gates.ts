import type { Offset } from '../../core/types.ts';

/**
 * Rows that a store without transactions was given before their segment's place: until reading has passed them, an
 * event below a row's own `next` is not applied to it.
 */
export class Gates {
  /** By slot, of those that are ahead. */
  readonly #next = new Map<number, Offset>();
  #from: Offset = 0;
  /** From here on nothing is ahead. */
  horizon: Offset = 0;
  isOn = false;
  #position: Offset = 0;

  /** Rows without a `next` of their own, and the segment itself, are at `from`. */
  begin(from: Offset): void {
    this.clear();
    this.#from = from;
    this.horizon = from;
  }

  set(slot: number, next: Offset | undefined): void {
    // Of two rows for one slot the second one counts.
    this.#next.delete(slot);
    if (next === undefined || next <= this.#from) return;
    this.#next.set(slot, next);
    this.reach(next);
  }

  /** Something is stored up to `next`, although no slot holds it. */
  reach(next: Offset | undefined): void {
    if (next === undefined || next <= this.horizon) return;
    this.horizon = next;
    this.isOn = true;
  }

  /** Where the record begins whose events come next. */
  set position(offset: Offset) {
    this.#position = offset;
    if (offset >= this.horizon) this.clear();
  }

  /** Whether the row has the event already. */
  holds(slot: number): boolean {
    const next = this.#next.get(slot);
    return next !== undefined && this.#position < next;
  }

  clear(): void {
    this.#next.clear();
    this.isOn = false;
  }
}
