import { MINUTE_MS } from '../../core/window.ts';
import { CellsMerger } from '../merge/cells-merger.ts';
import { storedWindow } from '../stored-window.ts';
import { type Connection, blob, int, text } from './connection.ts';
import { Extent, type Piece, type Span } from './extent.ts';
import type { Resolution, StoredWindow } from '../../core/ports.ts';
import type { EntityId, EpochMs, Minute } from '../../core/types.ts';

export type WindowsQuery = { readonly from: Minute; readonly to: Minute; readonly entity?: EntityId; readonly resolution?: Resolution };

/** Beyond any event time, and far from where sums of minutes lose precision. */
const MINUTE_MAX: Minute = 2 ** 31;

/** The windows of a resolution that start in `[from, to)`, in time order, merged over segments. */
export function* readWindows(connection: Connection, query: WindowsQuery): Generator<StoredWindow, void, undefined> {
  const resolution = query.resolution ?? 'minute';
  const extent = new Extent(connection);
  const merger = new CellsMerger();
  const id = query.entity === undefined ? undefined : entityId(connection, query.entity);
  if (query.entity !== undefined && id === undefined) return;
  for (const unit of extent.units(clamp(query.from, query.to), resolution)) {
    const pieces = extent.pieces(unit, resolution);
    if (query.entity === undefined || id === undefined) {
      for (const group of groups(connection, pieces)) yield storedWindow(asEntity(group.entity), resolution, unit, merger.merge(group.cells));
    } else {
      const cells = pieces.flatMap((piece) => cellsOf(connection, piece, id));
      if (cells.length > 0) yield storedWindow(query.entity, resolution, unit, merger.merge(cells));
    }
  }
}

/** The minutes whose start lies in `[from, to)`. */
export function minutesIn(from: EpochMs, to: EpochMs): Span {
  return clamp(Math.ceil(from / MINUTE_MS), Math.ceil(to / MINUTE_MS));
}

function clamp(from: Minute, to: Minute): Span {
  const bound = (minute: Minute): Minute => Math.min(Math.max(Math.ceil(minute), 0), MINUTE_MAX);
  return { from: bound(from), to: Math.max(bound(from), bound(to)) };
}

function entityId(connection: Connection, entity: EntityId): number | undefined {
  const row = connection.get('select id from entity where text = ?', entity);
  return row === undefined ? undefined : int(row, 0);
}

/** Only this store wrote the column, and only entities. */
export function asEntity(stored: string): EntityId {
  return stored as EntityId;
}

/** One entity: a point seek per time, because the key starts with the time and an index by entity would cost 15 times more to write. */
export function cellsOf(connection: Connection, piece: Piece, entity: number): readonly Uint8Array[] {
  const sql = `select cells from ${piece.table} where ts = ? and entity = ? and ${piece.filter}`;
  const cells: Uint8Array[] = [];
  for (let ts = Math.ceil(piece.from / piece.step) * piece.step; ts < piece.to; ts += piece.step) {
    for (const row of connection.all(sql, ts, entity, ...piece.values)) cells.push(blob(row, 0));
  }
  return cells;
}

/** Everybody: the rows of all pieces by entity. */
function* groups(
  connection: Connection,
  pieces: readonly Piece[],
): Generator<{ readonly entity: string; readonly cells: readonly Uint8Array[] }, void, undefined> {
  if (pieces.length === 0) return;
  const union = pieces.map((piece) => `select entity, cells from ${piece.table} where ts >= ? and ts < ? and ${piece.filter}`).join(' union all ');
  const values = pieces.flatMap((piece) => [piece.from, piece.to, ...piece.values]);
  let id = Number.NaN;
  let entity = '';
  let cells: Uint8Array[] = [];
  for (const row of connection.iterate(`select p.entity, e.text, p.cells from (${union}) p join entity e on e.id = p.entity order by p.entity`, ...values)) {
    if (int(row, 0) !== id) {
      if (cells.length > 0) yield { entity, cells };
      id = int(row, 0);
      entity = text(row, 1);
      cells = [];
    }
    cells.push(blob(row, 2));
  }
  if (cells.length > 0) yield { entity, cells };
}
