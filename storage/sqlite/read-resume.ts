import { type Connection, blob, int, text } from './connection.ts';
import { asEntity } from './read-windows.ts';
import { minuteTable } from './schema.ts';
import { newestSegment } from './segments.ts';
import { dayOf } from '../../core/window.ts';
import type { OpenSegment, PartialRow } from '../../core/partial.ts';

/** The end of a partition's chain; of an open segment everything that is needed to go on in its middle. */
export function readResume(connection: Connection, source: number, partition: number): OpenSegment | undefined {
  const stored = newestSegment(connection, source, partition);
  if (stored === undefined) return undefined;
  const { id, ...segment } = stored;
  if (stored.isSealed) return { ...segment, rows: [], held: [] };
  return { ...segment, rows: openRows(connection, id), held: heldRows(connection, id) };
}

function openRows(connection: Connection, segment: number): readonly PartialRow[] {
  const minutes = connection.all('select ts from open_minute where segment = ? order by ts', segment).map((row) => int(row, 0));
  return minutes.flatMap((window) => {
    const sql = `select e.text, m.cells from ${minuteTable(dayOf(window))} m join entity e on e.id = m.entity where m.ts = ? and m.segment = ? and length(m.cells) > 0 order by m.entity`;
    return connection.all(sql, window, segment).map((row) => ({ window, entity: asEntity(text(row, 0)), cells: blob(row, 1) }));
  });
}

function heldRows(connection: Connection, segment: number): readonly PartialRow[] {
  const sql = 'select ts, entity, cells from held where segment = ? and length(cells) > 0 order by id';
  return connection.all(sql, segment).map((row) => ({ window: int(row, 0), entity: asEntity(text(row, 1)), cells: blob(row, 2) }));
}
