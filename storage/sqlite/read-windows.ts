import { MINUTE_MS } from '../../core/window.ts';
import { CellsMerger } from '../merge/cells-merger.ts';
import { storedWindow } from '../stored-window.ts';
import { type Connection, blob, int, text } from './connection.ts';
import { type Span, stepOf } from '../extent.ts';
import { Extent, type Piece } from './extent.ts';
import type { Resolution, StoredWindow } from '../../core/ports.ts';
import type { EntityId, EpochMs, Minute } from '../../core/types.ts';

export type WindowsQuery = { readonly from: Minute; readonly to: Minute; readonly entity?: EntityId; readonly resolution?: Resolution };

/** Beyond any event time, and far from where sums of minutes lose precision. */
const MINUTE_MAX: Minute = 2 ** 31;

/** The windows of a resolution that start in `[from, to)`, in time order, merged over segments. */
export function* readWindows(connection: Connection, query: WindowsQuery): Generator<StoredWindow, void, undefined> {
  const resolution = query.resolution ?? 'minute';
  const step = stepOf(resolution);
  const extent = new Extent(connection);
  const merger = new CellsMerger();
  const id = query.entity === undefined ? undefined : entityId(connection, query.entity);
  if (query.entity !== undefined && id === undefined) return;
  for (const day of extent.days(clamp(query.from, query.to), resolution)) {
    const pieces = extent.pieces(day, resolution);
    const groups =
      query.entity === undefined || id === undefined ? everybody(connection, pieces, step) : onlyOne(connection, pieces, { id, entity: query.entity, step });
    for (const { entity, from, cells } of groups) yield storedWindow(entity, resolution, { from, to: from + step }, merger.merge(cells));
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

/** What is stored of one window, unmerged. */
type Group = { readonly entity: EntityId; readonly from: Minute; readonly cells: readonly Uint8Array[] };

function* onlyOne(
  connection: Connection,
  pieces: readonly Piece[],
  want: { readonly id: number; readonly entity: EntityId; readonly step: number },
): Generator<Group, void, undefined> {
  const byWindow = new Map<Minute, Uint8Array[]>();
  for (const piece of pieces) {
    for (const { ts, cells } of seek(connection, piece, want.id)) {
      const from = ts - (ts % want.step);
      const group = byWindow.get(from);
      if (group === undefined) byWindow.set(from, [cells]);
      else group.push(cells);
    }
  }
  for (const [from, cells] of [...byWindow].sort((a, b) => a[0] - b[0])) yield { entity: want.entity, from, cells };
}

/** The rows of one entity: a point seek per time, because the key starts with the time and an index by entity would make writing 15 times slower. */
export function seek(connection: Connection, piece: Piece, entity: number): readonly { readonly ts: Minute; readonly cells: Uint8Array }[] {
  const sql = `select cells from ${piece.table} where ts = ? and entity = ? and ${piece.filter}`;
  const found: { readonly ts: Minute; readonly cells: Uint8Array }[] = [];
  for (let ts = Math.ceil(piece.from / piece.step) * piece.step; ts < piece.to; ts += piece.step) {
    for (const row of connection.all(sql, ts, entity, ...piece.values)) found.push({ ts, cells: blob(row, 0) });
  }
  return found;
}

function* everybody(connection: Connection, pieces: readonly Piece[], step: number): Generator<Group, void, undefined> {
  if (pieces.length === 0) return;
  // In the order of the key where the windows are the rows' own, so that nothing is sorted.
  const start = (piece: Piece): string => (piece.step === step ? 'ts' : `ts - ts % ${step}`);
  const union = pieces
    .map((piece) => `select ${start(piece)} as start, entity, cells from ${piece.table} where ts >= ? and ts < ? and ${piece.filter}`)
    .join(' union all ');
  const values = pieces.flatMap((piece) => [piece.from, piece.to, ...piece.values]);
  let open: { readonly id: number; readonly entity: EntityId; readonly from: Minute; readonly cells: Uint8Array[] } | undefined;
  for (const row of connection.iterate(
    `select p.start, p.entity, e.text, p.cells from (${union}) p join entity e on e.id = p.entity order by p.start, p.entity`,
    ...values,
  )) {
    if (open?.id !== int(row, 1) || open.from !== int(row, 0)) {
      if (open !== undefined) yield open;
      open = { id: int(row, 1), entity: asEntity(text(row, 2)), from: int(row, 0), cells: [] };
    }
    open.cells.push(blob(row, 3));
  }
  if (open !== undefined) yield open;
}
