import type { SegmentRef } from '../../core/partial.ts';
import type { Offset } from '../../core/types.ts';

/** What the store had merged already when the judge started: no batch ever belongs to it. */
export const STORED = 0;

/** Segments that live cells name, as small integers; forgotten with their last cell. */
export class Segments {
  readonly #byName = new Map<string, number>();
  readonly #names: (string | undefined)[] = [undefined];
  readonly #refs: number[] = [1];
  readonly #free: number[] = [];
  /** Per partition, how far the store was when the judge was seeded. */
  readonly #stored = new Map<string, { readonly start: Offset; readonly next: Offset }>();

  get size(): number {
    return this.#byName.size;
  }

  /** The number of a segment; the caller holds it by `hold` or gives it up by `settle`. */
  number(segment: SegmentRef): number {
    const name = `${partitionOf(segment)}.${segment.start}`;
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const number = this.#free.pop() ?? this.#names.length;
    this.#byName.set(name, number);
    this.#names[number] = name;
    this.#refs[number] = 0;
    return number;
  }

  hold(segment: number): void {
    this.#refs[segment] = (this.#refs[segment] ?? 0) + 1;
  }

  release(segment: number): void {
    this.#refs[segment] = (this.#refs[segment] ?? 0) - 1;
    this.settle(segment);
  }

  /** Forgets a segment that nothing holds. */
  settle(segment: number): void {
    const name = this.#names[segment];
    if (name === undefined || (this.#refs[segment] ?? 0) > 0) return;
    this.#byName.delete(name);
    this.#names[segment] = undefined;
    this.#free.push(segment);
  }

  markStored(segment: SegmentRef, next: Offset): void {
    this.#stored.set(partitionOf(segment), { start: segment.start, next });
  }

  /** All of the batch was in the store, and so in the windows, when the judge was seeded. */
  isStored(segment: SegmentRef, next: Offset): boolean {
    const stored = this.#stored.get(partitionOf(segment));
    if (stored === undefined) return false;
    return segment.start < stored.start || (segment.start === stored.start && next <= stored.next);
  }
}

function partitionOf(segment: SegmentRef): string {
  return `${segment.source}.${segment.partition}.${segment.generation}`;
}
