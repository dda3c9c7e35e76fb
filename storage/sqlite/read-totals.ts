import { EntitySum } from '../merge/entity-sum.ts';
import { type Connection, blob, int, text } from './connection.ts';
import { Extent, type Piece } from './extent.ts';
import { asEntity, minutesIn, seek } from './read-windows.ts';
import type { EntityTotals } from '../../core/ports.ts';
import type { EntityId, EntityKind, EpochMs } from '../../core/types.ts';

export type TotalsQuery = { readonly from: EpochMs; readonly to: EpochMs; readonly kinds?: readonly EntityKind[]; readonly limit?: number };

/** A row read by a scan costs about a third of a row found by a point seek. */
const SEEK_COST = 3;

/**
 * Sums per entity over the windows that start in `[from, to)`: whole folded days, then whole folded hours,
 * then minutes, so that nothing counts twice. Who is shown is decided on the numeric columns; cells are read for those only.
 */
export function readTotals(connection: Connection, query: TotalsQuery): readonly EntityTotals[] {
  const pieces = new Extent(connection).pieces(minutesIn(query.from, query.to), 'day');
  const { requests, rows } = sumRequests(connection, pieces, query.kinds);
  const shown = heaviest(connection, requests, query.limit);
  const sums = new Map(Array.from(shown, ([id]) => [id, new EntitySum()]));
  const isAll = shown.size === requests.size && query.kinds === undefined;
  for (const piece of pieces) addCells(connection, piece, { sums, isAll, rows: rows.get(piece) ?? 0 });
  return Array.from(shown, ([id, entity]) => {
    const sum = sums.get(id) ?? new EntitySum();
    return { entity, counters: sum.counters, addresses: sum.addresses() };
  });
}

function sumRequests(
  connection: Connection,
  pieces: readonly Piece[],
  kinds: readonly EntityKind[] | undefined,
): { readonly requests: ReadonlyMap<number, number>; readonly rows: ReadonlyMap<Piece, number> } {
  const requests = new Map<number, number>();
  const rows = new Map<Piece, number>();
  const isWanted = kinds === undefined ? '' : 'join entity e on e.id = g.entity and e.kind in (select value from json_each(?))';
  for (const piece of pieces) {
    const sql = `select g.entity, g.requests, g.rows from (select entity, sum(requests) as requests, count(*) as rows from ${piece.table} where ts >= ? and ts < ? and ${piece.filter} group by entity) g ${isWanted}`;
    let count = 0;
    for (const row of connection.iterate(sql, piece.from, piece.to, ...piece.values, ...(kinds === undefined ? [] : [JSON.stringify(kinds)]))) {
      requests.set(int(row, 0), (requests.get(int(row, 0)) ?? 0) + int(row, 1));
      count += int(row, 2);
    }
    rows.set(piece, count);
  }
  return { requests, rows };
}

/** By requests, descending; equal ones by name, so that a list does not change when nothing did. */
function heaviest(connection: Connection, requests: ReadonlyMap<number, number>, limit: number | undefined): ReadonlyMap<number, EntityId> {
  const ranked = [...requests].sort((a, b) => b[1] - a[1]);
  const last = limit === undefined ? undefined : ranked[limit - 1]?.[1];
  // Everybody who ties with the last one shown is a candidate.
  const candidates = last === undefined ? ranked : ranked.filter(([, count]) => count >= last);
  const named = candidates.map(([id, count]) => ({ id, count, entity: nameOf(connection, id) }));
  named.sort((a, b) => b.count - a.count || (a.entity < b.entity ? -1 : 1));
  return new Map(named.slice(0, limit).map(({ id, entity }) => [id, entity]));
}

function nameOf(connection: Connection, id: number): EntityId {
  const row = connection.get('select text from entity where id = ?', id);
  if (row === undefined) throw new Error(`BUG: rows of entity ${id}, which has no name`);
  return asEntity(text(row, 0));
}

function addCells(
  connection: Connection,
  piece: Piece,
  want: { readonly sums: ReadonlyMap<number, EntitySum>; readonly isAll: boolean; readonly rows: number },
): void {
  const seeks = want.sums.size * ((piece.to - piece.from) / piece.step);
  if (seeks * SEEK_COST < want.rows) {
    for (const [id, sum] of want.sums) for (const { cells } of seek(connection, piece, id)) sum.add(cells);
    return;
  }
  const isWanted = want.isAll ? '' : 'and entity in (select value from json_each(?))';
  const sql = `select entity, cells from ${piece.table} where ts >= ? and ts < ? and ${piece.filter} ${isWanted}`;
  for (const row of connection.iterate(sql, piece.from, piece.to, ...piece.values, ...(want.isAll ? [] : [JSON.stringify([...want.sums.keys()])]))) {
    want.sums.get(int(row, 0))?.add(blob(row, 1));
  }
}
