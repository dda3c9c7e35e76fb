import type { Minute } from '../../core/types.ts';
import type { Arena } from './arena.ts';

/**
 * A minute that no late partial may change any more: what the sliding hours still need of it, merged over
 * segments, sorted by entity, 24 bytes an entry.
 */
export type Column = {
  readonly minute: Minute;
  readonly entities: Uint32Array;
  readonly failed: Float64Array;
  readonly bytes: Float64Array;
  /** Blocks of packed rows in `rows`, 0 where none are held. */
  readonly evidence: Uint32Array;
  /** Undefined once dropped to stay within the memory for evidence. */
  rows: Arena | undefined;
  /** Blocks of attempted credentials in `sets`, by entity: networks only. */
  readonly attempts: ReadonlyMap<number, number>;
  readonly sets: Arena | undefined;
};

/** The place of an entity in a column, or -1. */
export function findInColumn(column: Column, entity: number): number {
  const { entities } = column;
  let low = 0;
  let high = entities.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const found = entities[middle] as number;
    if (found === entity) return middle;
    if (found < entity) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
