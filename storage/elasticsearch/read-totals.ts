import { ByteReader } from '../../core/bytes.ts';
import { decodeCountersInto } from '../../core/cells.ts';
import { C, at, emptyCounters } from '../../core/counters.ts';
import { EntitySum } from '../merge/entity-sum.ts';
import { type ExtentDeps, type Piece, readExtent } from './extent.ts';
import { inSpan } from './groups.ts';
import { termOf } from './names.ts';
import { type Query, readDocs, refresh } from './read-docs.ts';
import { minutesIn, orExplained } from './read-windows.ts';
import { type FoldedSource, type PartialSource, cellsOf, entityOf } from './row-body.ts';
import type { Elasticsearch } from './client.ts';
import type { EntityTotals } from '../../core/ports.ts';
import type { EntityId, EntityKind, EpochMs } from '../../core/types.ts';

export type TotalsQuery = { readonly from: EpochMs; readonly to: EpochMs; readonly kinds?: readonly EntityKind[]; readonly limit?: number };

type Stored = PartialSource & FoldedSource;

/** So many names fit one query. */
const NAMES_MAX = 1000;

/**
 * Sums per entity over the windows that start in `[from, to)`: whole folded days, then whole folded hours, then
 * minutes, so that nothing counts twice. With a limit everything is read twice: first the requests of everybody, which
 * decide who is shown, then all of those few. A million entities with all their counters would not fit the memory.
 */
export async function readTotals(deps: ExtentDeps, query: TotalsQuery): Promise<readonly EntityTotals[]> {
  const { elasticsearch } = deps;
  const span = minutesIn(query.from, query.to);
  const extent = await readExtent(deps);
  const pieces = extent.pieces(span, 'day');
  await refresh(elasticsearch, [...new Set(pieces.map((piece) => piece.index))]);
  const kinds: readonly Query[] =
    query.kinds === undefined ? [] : [{ bool: { should: query.kinds.map((kind) => ({ prefix: { e: `${kind}:` } })), minimum_should_match: 1 } }];
  if (query.kinds?.length === 0 || query.limit === 0) return [];
  const shown = query.limit === undefined ? undefined : await heaviest(elasticsearch, pieces, { kinds, limit: query.limit });
  const names: readonly Query[] = shown === undefined || shown.size > NAMES_MAX ? [] : [{ terms: { e: Array.from(shown, termOf) } }];
  const sums = new Map<EntityId, EntitySum>();
  for await (const { entity, cells } of orExplained(readCells(elasticsearch, pieces, [...kinds, ...names]))) {
    if (shown?.has(entity) === false) continue;
    const sum = sums.get(entity) ?? new EntitySum();
    sum.add(cells);
    sums.set(entity, sum);
  }
  return Array.from(sums, ([entity, sum]) => ({ entity, counters: sum.counters, addresses: sum.addresses() })).sort(
    (a, b) => at(b.counters, C.requests) - at(a.counters, C.requests) || (a.entity < b.entity ? -1 : 1),
  );
}

/** Those with the most requests; equal ones by name. */
async function heaviest(
  elasticsearch: Elasticsearch,
  pieces: readonly Piece[],
  want: { readonly kinds: readonly Query[]; readonly limit: number },
): Promise<ReadonlySet<EntityId>> {
  const requests = new Map<EntityId, number>();
  const counters = emptyCounters();
  for await (const { entity, cells } of orExplained(readCells(elasticsearch, pieces, want.kinds))) {
    decodeCountersInto(new ByteReader(cells), counters);
    requests.set(entity, (requests.get(entity) ?? 0) + at(counters, C.requests));
  }
  const ranked = [...requests].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return new Set(ranked.slice(0, want.limit).map(([entity]) => entity));
}

async function* readCells(
  elasticsearch: Elasticsearch,
  pieces: readonly Piece[],
  filter: readonly Query[],
): AsyncGenerator<{ readonly entity: EntityId; readonly cells: Uint8Array }, void, undefined> {
  for (const piece of pieces) {
    for await (const page of readDocs<Stored>(elasticsearch, { index: piece.index, filter: [inSpan(piece), ...filter], order: 'any' })) {
      for (const { _source: stored } of page) {
        if (stored !== undefined && piece.counts(stored)) yield { entity: entityOf(stored), cells: cellsOf(stored) };
      }
    }
  }
}
