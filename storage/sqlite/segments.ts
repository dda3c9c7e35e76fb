import { type EpochMs, type Offset, REJECT_REASONS } from '../../core/types.ts';
import { addRejects } from '../rejects.ts';
import { type Connection, type Row, int, optionalText, text } from './connection.ts';
import type { PartialBatch, Rejects, SegmentRef, SegmentSpan } from '../../core/partial.ts';

/** A segment as the chain knows it. */
export type StoredSegment = {
  readonly id: number;
  readonly segment: SegmentRef;
  readonly next: Offset;
  readonly isSealed: boolean;
  readonly records: number;
  readonly dropped: number;
  readonly rejects: Rejects;
  readonly newest: EpochMs;
  readonly overLimit?: number;
  readonly skewed?: number;
  readonly span?: SegmentSpan;
  readonly cursor?: string;
};

const COLUMNS =
  'id, source, partition, generation, start, next, sealed, records, dropped, rejects, newest, cursor, over_limit, skewed, span_first, span_length, span_crc';

export function findSegment(connection: Connection, segment: SegmentRef): StoredSegment | undefined {
  const row = connection.get(
    `select ${COLUMNS} from segment where source = ? and partition = ? and generation = ? and start = ?`,
    segment.source,
    segment.partition,
    segment.generation,
    segment.start,
  );
  return row === undefined ? undefined : segmentOf(row);
}

/** The end of a partition's chain. */
export function newestSegment(connection: Connection, source: number, partition: number): StoredSegment | undefined {
  const row = connection.get(
    `select ${COLUMNS} from segment where source = ? and partition = ? order by generation desc, start desc limit 1`,
    source,
    partition,
  );
  return row === undefined ? undefined : segmentOf(row);
}

/** The ends of all chains of a source, or of all sources. */
export function chainEnds(connection: Connection, source: number | undefined): readonly StoredSegment[] {
  const where = source === undefined ? '' : 'where source = ?';
  const chains = connection.all(
    `select distinct source, partition from segment ${where} order by source, partition`,
    ...(source === undefined ? [] : [source]),
  );
  return chains.flatMap((chain) => newestSegment(connection, int(chain, 0), int(chain, 1)) ?? []);
}

/** The end of the chain of a source's lowest partition (files have one partition). */
export function firstChainEnd(connection: Connection, source: number): StoredSegment | undefined {
  const row = connection.get(`select ${COLUMNS} from segment where source = ? order by partition, generation desc, start desc limit 1`, source);
  return row === undefined ? undefined : segmentOf(row);
}

/** True for a segment that retention has forgotten: its rows are counted already. */
export function isForgotten(connection: Connection, segment: SegmentRef): boolean {
  const sql = 'select 1 from forgotten where source = ? and partition = ? and (generation, start) >= (?, ?)';
  return connection.get(sql, segment.source, segment.partition, segment.generation, segment.start) !== undefined;
}

/**
 * Writes what a batch says of its segment as a whole; returns the segment's id. The chain never goes
 * backwards: a batch with a lower `next` than the stored one changes nothing here, and a sealed segment stays sealed.
 */
export function writeSegment(connection: Connection, batch: PartialBatch, stored: StoredSegment | undefined): number {
  if (stored !== undefined && batch.next < stored.next) return stored.id;
  const { source, partition, generation, start } = batch.segment;
  const isSealed = batch.isSealed || stored?.isSealed === true;
  connection.run(
    `insert into segment(source, partition, generation, start, next, sealed, records, dropped, rejects, newest, cursor, over_limit, skewed, span_first, span_length, span_crc)
     values (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
     on conflict(source, partition, generation, start) do update set next = excluded.next, sealed = excluded.sealed, records = excluded.records,
       dropped = excluded.dropped, rejects = excluded.rejects, newest = excluded.newest, cursor = excluded.cursor, over_limit = excluded.over_limit,
       skewed = excluded.skewed, span_first = excluded.span_first, span_length = excluded.span_length, span_crc = excluded.span_crc`,
    source,
    partition,
    generation,
    start,
    batch.next,
    isSealed ? 1 : 0,
    batch.records,
    batch.dropped,
    JSON.stringify(batch.rejects),
    Number.isFinite(batch.newest) ? batch.newest : null,
    batch.cursor ?? null,
    batch.overLimit ?? null,
    batch.skewed ?? null,
    batch.span?.firstAt ?? null,
    batch.span?.length ?? null,
    batch.span?.crc ?? null,
  );
  addToSource(connection, batch, stored);
  if (stored !== undefined) return stored.id;
  const made = findSegment(connection, batch.segment);
  if (made === undefined) throw new Error(`BUG: segment ${start} of source ${source} is gone in the transaction that wrote it`);
  return made.id;
}

/** The batch is absolute for its segment, so the totals move by the difference to what was stored. */
function addToSource(connection: Connection, batch: PartialBatch, stored: StoredSegment | undefined): void {
  const row = connection.get('select rejects from source where id = ?', batch.segment.source);
  if (row === undefined) return;
  const before = stored === undefined ? parseRejects(text(row, 0)) : addRejects(parseRejects(text(row, 0)), stored.rejects, -1);
  connection.run(
    'update source set records = records + ?, dropped = dropped + ?, rejects = ? where id = ?',
    batch.records - (stored?.records ?? 0),
    batch.dropped - (stored?.dropped ?? 0),
    JSON.stringify(addRejects(before, batch.rejects)),
    batch.segment.source,
  );
}

/** Parses what `JSON.stringify` wrote of rejects; reasons of another version are left out. */
export function parseRejects(json: string): Rejects {
  const parsed: unknown = JSON.parse(json);
  const rejects: { -readonly [Reason in keyof Rejects]: Rejects[Reason] } = {};
  if (typeof parsed !== 'object' || parsed === null) return rejects;
  const entries = new Map<string, unknown>(Object.entries(parsed));
  for (const reason of REJECT_REASONS) {
    const entry = entries.get(reason);
    if (typeof entry !== 'object' || entry === null || !('count' in entry) || !('first' in entry)) continue;
    if (typeof entry.count === 'number' && typeof entry.first === 'number') rejects[reason] = { count: entry.count, first: entry.first };
  }
  return rejects;
}

function segmentOf(row: Row): StoredSegment {
  const cursor = optionalText(row, 11);
  return {
    id: int(row, 0),
    segment: { source: int(row, 1), partition: int(row, 2), generation: int(row, 3), start: int(row, 4) },
    next: int(row, 5),
    isSealed: int(row, 6) === 1,
    records: int(row, 7),
    dropped: int(row, 8),
    rejects: parseRejects(text(row, 9)),
    newest: row[10] === null ? Number.NEGATIVE_INFINITY : int(row, 10),
    ...(cursor === undefined ? {} : { cursor }),
    ...(row[12] === null ? {} : { overLimit: int(row, 12) }),
    ...(row[13] === null ? {} : { skewed: int(row, 13) }),
    ...(row[15] === null ? {} : { span: { firstAt: int(row, 14), length: int(row, 15), crc: int(row, 16) } }),
  };
}
