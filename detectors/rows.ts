import { readCells, readCounters } from '../core/cells.ts';
import type { KeyDirectory } from '../core/directory.ts';
import type { PartialRow } from '../core/partial.ts';
import type { Tally } from '../core/sketch/tally.ts';
import { entityId, entityKind } from '../core/types.ts';
import type { Feed, LedgerRow } from './ledger/ledger.ts';

/** A row of a batch as the ledger takes it. */
export function readRow(row: PartialRow, segment: number, version: number, directory: KeyDirectory): LedgerRow {
  const { window: minute, entity, cells: packed } = row;
  if (entityKind(entity) !== 'network') return { segment, version, minute, entity, counters: readCounters(packed), packed };
  const { counters, sketch } = readCells(packed);
  const attempted = sketch.tallies.get('attempted');
  return { segment, version, minute, entity, counters, packed, attempted, feeds: feedsOf(attempted, directory) };
}

/**
 * The known keys among the attempted credentials: guessed ones get no entity. Only the heaviest of a network's
 * minute carry a text; an estimated count is taken at its lower bound.
 */
export function feedsOf(attempted: Tally | undefined, directory: KeyDirectory): Feed[] {
  const feeds: Feed[] = [];
  for (const { text, count, over } of attempted?.items ?? []) {
    if (text !== undefined && count > over && directory.known(text) !== undefined) feeds.push({ name: entityId('key', text), count: count - over });
  }
  return feeds;
}
