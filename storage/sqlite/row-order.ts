import type { PartialRow } from '../../core/partial.ts';
import type { Minute } from '../../core/types.ts';

/** An id and a place in its window's list share one float64: 32 bits and 21 bits. */
const PLACES_MAX = 2 ** 21;

/**
 * The order of the b-tree, as indices into `rows`: by window, then by entity id. Inserting in this order is
 * half as expensive as in the order of a hash map (docs/decisions/0003-sqlite-layout.md). Equal keys keep their order.
 */
export function treeOrder(rows: readonly PartialRow[], ids: Float64Array): readonly { readonly window: Minute; readonly indices: readonly number[] }[] {
  const byWindow = new Map<Minute, number[]>();
  for (let index = 0; index < rows.length; index++) {
    const { window } = rows[index] as PartialRow;
    const indices = byWindow.get(window);
    if (indices === undefined) byWindow.set(window, [index]);
    else indices.push(index);
  }
  return [...byWindow].sort((a, b) => a[0] - b[0]).map(([window, indices]) => ({ window, indices: sortedById(indices, ids) }));
}

function sortedById(indices: readonly number[], ids: Float64Array): readonly number[] {
  // Correct in any order: the order is for speed only.
  if (indices.length > PLACES_MAX) return indices;
  const packed = new Float64Array(indices.length);
  let isSorted = true;
  for (let place = 0; place < indices.length; place++) {
    packed[place] = (ids[indices[place] as number] as number) * PLACES_MAX + place;
    if (place > 0 && (packed[place - 1] as number) > (packed[place] as number)) isSorted = false;
  }
  if (isSorted) return indices;
  packed.sort();
  const sorted: number[] = [];
  for (let i = 0; i < packed.length; i++) sorted.push(indices[(packed[i] as number) % PLACES_MAX] as number);
  return sorted;
}
