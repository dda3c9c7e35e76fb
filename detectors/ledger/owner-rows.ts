import type { EntityId, Minute } from '../../core/types.ts';
import type { LedgerState } from './state.ts';

/** The packed rows of one judged entity in one minute, all names and segments. */
export type OwnerRows = { readonly entity: EntityId; readonly packed: readonly Uint8Array[] };

/**
 * Every owner of a minute with its packed rows, or undefined where they are no longer all held: the minute is frozen,
 * or gave its rows up to bound the memory. The rows are copies.
 */
export function ownerRows(state: LedgerState, minute: Minute): readonly OwnerRows[] | undefined {
  const { cells, minutes, table } = state;
  const bucket = minutes.buckets.get(minute);
  if (bucket === undefined || bucket.isMute) return undefined;
  const byOwner = new Map<number, Uint8Array[]>();
  for (let cell = bucket.first; cell !== 0; cell = cells.nextOfMinute[cell] as number) {
    // Gone, or only fed by a network's attempts.
    if (cells.requests[cell] === 0 && cells.failed[cell] === 0) continue;
    const ref = cells.evidence[cell] as number;
    // Seeded without its row, or given up to bound the memory.
    if (ref === 0 || bucket.rows === undefined) return undefined;
    const owner = state.ownerOf(cell);
    const packed = byOwner.get(owner);
    const row = bucket.rows.read(ref).slice();
    if (packed === undefined) byOwner.set(owner, [row]);
    else packed.push(row);
  }
  return [...byOwner].map(([owner, packed]) => ({ entity: table.id(owner), packed }));
}
