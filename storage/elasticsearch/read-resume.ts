import { dayOf } from '../../core/window.ts';
import { minuteOf } from './extent.ts';
import { type IndexNames, segmentName } from './names.ts';
import { readDocs, refresh } from './read-docs.ts';
import { type HeldSource, type PartialSource, cellsOf, entityOf } from './row-body.ts';
import type { Elasticsearch } from './client.ts';
import type { Eras } from './eras.ts';
import type { HeldOrder } from './held-order.ts';
import type { Marks } from './marks.ts';
import type { Segments } from './segments.ts';
import type { OpenSegment, ResumedRow } from '../../core/partial.ts';

type ResumeDeps = {
  readonly elasticsearch: Elasticsearch;
  readonly names: IndexNames;
  readonly marks: Marks;
  readonly eras: Eras;
  readonly segments: Segments;
  readonly heldOrder: HeldOrder;
};

/** The end of a partition's chain; of an open segment everything that is needed to go on in its middle. */
export async function readResume(deps: ResumeDeps, source: number, partition: number): Promise<OpenSegment | undefined> {
  const { elasticsearch, names, marks, eras, segments, heldOrder } = deps;
  const head = await segments.newest(source, partition);
  if (head === undefined || head.isSealed) return head === undefined ? undefined : { ...head, rows: [], held: [] };
  // Its marks say where its rows are, also those of a batch that was cut off.
  await refresh(elasticsearch, [names.control]);
  const days = [...new Set((await marks.hoursOf(head.segment)).map(dayOf))].sort((a, b) => a - b);
  const indices = await Promise.all(
    days.map(async (day) => {
      const era = await eras.forWriting('day', day);
      return { rows: names.partial(day, era), held: names.held(day, era) };
    }),
  );
  await refresh(
    elasticsearch,
    indices.flatMap(({ rows, held }) => [rows, held]),
  );
  const filter = [{ term: { s: segmentName(head.segment) } }];
  const rows: ResumedRow[] = [];
  const held: (ResumedRow & { readonly order: number })[] = [];
  for (const index of indices) {
    for await (const page of readDocs<PartialSource>(elasticsearch, { index: index.rows, filter, order: 'time', mayBeMissing: true })) {
      for (const { _source: stored } of page) if (stored !== undefined && stored.cells !== '') rows.push(rowOf(stored));
    }
    for await (const page of readDocs<HeldSource>(elasticsearch, { index: index.held, filter, order: 'any', mayBeMissing: true })) {
      for (const { _source: stored } of page) if (stored !== undefined) held.push({ ...rowOf(stored), order: stored.o });
    }
  }
  heldOrder.restore(head.segment, held);
  const inOrder = held.filter((row) => row.cells.length > 0).sort((a, b) => a.order - b.order);
  return { ...head, rows, held: inOrder.map(({ window, entity, cells, next }) => ({ window, entity, cells, ...(next === undefined ? {} : { next }) })) };
}

function rowOf(stored: PartialSource): ResumedRow {
  return { window: minuteOf(stored), entity: entityOf(stored), cells: cellsOf(stored), next: stored.next };
}
