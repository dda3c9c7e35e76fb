import { startOf } from '../../core/window.ts';
import { BUCKETS, termOf } from './names.ts';
import { type Query, between, readDocs } from './read-docs.ts';
import { type FoldedSource, type PartialSource, cellsOf, entityOf } from './row-body.ts';
import { type Piece, minuteOf } from './extent.ts';
import type { Elasticsearch } from './client.ts';
import type { EntityId, Minute } from '../../core/types.ts';

/** What is stored of one entity and window, unmerged. */
export type Group = { readonly entity: EntityId; readonly window: Minute; readonly cells: readonly Uint8Array[] };

type Stored = PartialSource & FoldedSource;

/** The filter of one entity. */
export function ofEntity(entity: EntityId): Query {
  return { term: { e: termOf(entity) } };
}

/** Filter of a piece's time. */
export function inSpan(piece: Piece): Query {
  return between('ts', startOf(piece.from), startOf(piece.to));
}

/** The documents of a piece window by window, in the order of the index. */
export async function* inOrder(elasticsearch: Elasticsearch, piece: Piece, filter: readonly Query[]): AsyncGenerator<Group, void, undefined> {
  let open: { readonly term: string; readonly entity: EntityId; readonly window: Minute; readonly cells: Uint8Array[] } | undefined;
  for await (const page of readDocs<Stored>(elasticsearch, { index: piece.index, filter: [inSpan(piece), ...filter], order: 'time' })) {
    for (const { _source: stored } of page) {
      if (stored === undefined || !piece.counts(stored)) continue;
      const window = minuteOf(stored);
      if (open?.term !== stored.e || open.window !== window) {
        if (open !== undefined) yield open;
        open = { term: stored.e, entity: entityOf(stored), window, cells: [] };
      }
      open.cells.push(cellsOf(stored));
    }
  }
  if (open !== undefined) yield open;
}

/**
 * Everything in `pieces` as one window that starts at `window`, entity by entity, in no order. What is too much for the
 * memory is read in passes, each of them a share of all entities.
 */
export async function* asOneWindow(
  elasticsearch: Elasticsearch,
  pieces: readonly Piece[],
  want: { readonly window: Minute; readonly filter: readonly Query[]; readonly rowsMax: number },
): AsyncGenerator<Group, void, undefined> {
  let rows = 0;
  for (const piece of pieces) rows += await countOf(elasticsearch, piece, want.filter);
  const passes = Math.min(BUCKETS, Math.ceil(rows / want.rowsMax));
  for (let pass = 0; pass < passes; pass++) {
    const [from, to] = [Math.floor((pass * BUCKETS) / passes), Math.floor(((pass + 1) * BUCKETS) / passes)];
    const filter = passes === 1 ? want.filter : [...want.filter, between('b', from, to)];
    const groups = new Map<EntityId, Uint8Array[]>();
    for (const piece of pieces) {
      for await (const page of readDocs<Stored>(elasticsearch, { index: piece.index, filter: [inSpan(piece), ...filter], order: 'any' })) {
        for (const { _source: stored } of page) {
          if (stored === undefined || !piece.counts(stored)) continue;
          const entity = entityOf(stored);
          const group = groups.get(entity);
          if (group === undefined) groups.set(entity, [cellsOf(stored)]);
          else group.push(cellsOf(stored));
        }
      }
    }
    for (const [entity, cells] of groups) yield { entity, window: want.window, cells };
  }
}

async function countOf(elasticsearch: Elasticsearch, piece: Piece, filter: readonly Query[]): Promise<number> {
  const answer = await elasticsearch.call(`counting in ${piece.index}`, (client, options) =>
    client.count({ index: piece.index, query: { bool: { filter: [inSpan(piece), ...filter] } } }, options),
  );
  return answer.count;
}
