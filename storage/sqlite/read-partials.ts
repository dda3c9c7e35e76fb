import { MINUTES_PER_DAY } from '../calendar.ts';
import { type Connection, blob, int, text } from './connection.ts';
import { asEntity } from './read-windows.ts';
import { minuteTable } from './schema.ts';
import type { StoredPartial } from '../../core/ports.ts';
import type { Minute } from '../../core/types.ts';

/** The rows of `[from, to)` as they were put, in time order. Segments that retention has forgotten have none any more. */
export function* readPartials(connection: Connection, { from, to }: { readonly from: Minute; readonly to: Minute }): Generator<StoredPartial, void, undefined> {
  const days = connection.all('select day from minute_day where present = 1 and day > ? and day < ? order by day', from - MINUTES_PER_DAY, to);
  for (const day of days) {
    const sql = `select m.ts, m.next, m.cells, e.text, s.source, s.partition, s.generation, s.start from ${minuteTable(int(day, 0))} m
      join entity e on e.id = m.entity join segment s on s.id = m.segment where m.ts >= ? and m.ts < ? and length(m.cells) > 0 order by m.ts`;
    for (const row of connection.iterate(sql, from, to)) {
      yield {
        segment: { source: int(row, 4), partition: int(row, 5), generation: int(row, 6), start: int(row, 7) },
        next: int(row, 1),
        row: { window: int(row, 0), entity: asEntity(text(row, 3)), cells: blob(row, 2) },
      };
    }
  }
}
