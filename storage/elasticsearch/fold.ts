import { MINUTES_PER_HOUR, dayOf } from '../../core/window.ts';
import { MINUTES_PER_DAY, monthOf } from '../calendar.ts';
import { CellsMerger } from '../merge/cells-merger.ts';
import { ElasticsearchFault } from './fault.ts';
import { type ExtentDeps, type Piece, listIndices } from './extent.ts';
import type { Span } from '../extent.ts';
import { asOneWindow } from './groups.ts';
import { chainName, compareSegments } from './names.ts';
import { refresh } from './read-docs.ts';
import { foldedDocument } from './row-body.ts';
import { createIndex } from './templates.ts';
import type { BulkDocument, BulkResult, BulkWriter } from './bulk-writer.ts';
import type { Controls } from './controls.ts';
import type { DayMark, HourMark } from './marks.ts';
import type { PartitionHead } from '../../core/ports.ts';
import type { Segments } from './segments.ts';
import type { Minute } from '../../core/types.ts';

export type FolderDeps = ExtentDeps & { readonly writer: BulkWriter; readonly segments: Segments; readonly controls: Controls };

/**
 * Recomputes hours from rows and days from hours where something below changed, always from everything that is there.
 * An hour in which an open segment has rows is left alone: it would change again, and reads take its rows meanwhile.
 *
 * Every run takes a ticket, which is the version of what it writes. Of two that fold at once the later one wins, and
 * the other one, which sees it by the conflict, takes no mark away.
 */
export class Folder {
  readonly #deps: FolderDeps;
  readonly #merger = new CellsMerger();

  constructor(deps: FolderDeps) {
    this.#deps = deps;
  }

  /** Folds what ends at or before `before`. Returns the number of hours and days of entities that were written. */
  async fold(before: Minute): Promise<number> {
    const hours = await this.foldHours({ from: 0, to: Math.max(0, before - MINUTES_PER_HOUR + 1) });
    return hours.rows + (await this.foldDays({ from: 0, to: before }));
  }

  /** Folds the hours that start in `span`. `left` says how many stay marked. */
  async foldHours(span: Span): Promise<{ readonly rows: number; readonly left: number }> {
    const { controls, elasticsearch, marks, names, segments } = this.#deps;
    await refresh(elasticsearch, [controls.index]);
    if ((await marks.hours(span)).length === 0) return { rows: 0, left: 0 };
    const version = await controls.ticket();
    const ends = new Map((await segments.heads()).map((head) => [chainName(head.segment), head]));
    // After the ends: what a segment wrote that has ended by now is marked by now, and visible after the refresh below.
    await refresh(elasticsearch, [controls.index]);
    const byHour = Map.groupBy(await marks.hours(span), (mark) => mark.hour);
    const indices = await listIndices(elasticsearch, names);
    let rows = 0;
    let left = 0;
    for (const [hour, hourMarks] of byHour) {
      const written = hourMarks.every((mark) => hasEnded(mark, ends)) ? await this.#foldHour(hour, hourMarks, { version, indices }) : undefined;
      if (written === undefined) left++;
      rows += written ?? 0;
    }
    return { rows, left };
  }

  /** Folds the days that start in `span`. A day with a marked hour is read from its hours; it is folded when that hour is. */
  async foldDays(span: Span): Promise<number> {
    const { controls, elasticsearch, marks, names } = this.#deps;
    await refresh(elasticsearch, [controls.index]);
    if ((await marks.days(span)).length === 0) return 0;
    const version = await controls.ticket();
    await refresh(elasticsearch, [controls.index]);
    // Days before hours: a fold of an hour marks the day first and takes the hour's mark away last.
    const days = await marks.days(span);
    const dirty = new Set(Array.from(await marks.marked('hour'), dayOf));
    const indices = await listIndices(elasticsearch, names);
    let rows = 0;
    for (const mark of days) if (!dirty.has(mark.day)) rows += (await this.#foldDay(mark, { version, indices })) ?? 0;
    return rows;
  }

  /** Undefined when another fold was faster. */
  async #foldHour(hour: Minute, hourMarks: readonly HourMark[], run: Run): Promise<number | undefined> {
    const { eras, marks, names } = this.#deps;
    const day = dayOf(hour);
    // The day is marked, and its month looked up, before the hour is written: so a drop of the month's hours cannot miss it.
    must(await marks.markDay(day));
    const era = await eras.forWriting('day', day);
    const monthEra = await eras.forWriting('month', monthOf(hour));
    const below = names.partial(day, era);
    const written = await this.#replace(
      { window: hour, index: names.hours(monthOf(hour), monthEra), era, version: run.version },
      run.indices.has(below) ? [{ from: hour, to: hour + MINUTES_PER_HOUR, index: below, counts: (stored) => stored.cells !== '' }] : [],
    );
    if (written === undefined) return undefined;
    must(await marks.remove(hourMarks));
    return written;
  }

  async #foldDay(mark: DayMark, run: Run): Promise<number | undefined> {
    const { eras, marks, names } = this.#deps;
    const month = monthOf(mark.day);
    const era = await eras.forWriting('month', month);
    const below = names.hours(month, era);
    const written = await this.#replace(
      { window: mark.day, index: names.days(mark.day), era, version: run.version },
      run.indices.has(below) ? [{ from: mark.day, to: mark.day + MINUTES_PER_DAY, index: below, counts: () => true }] : [],
    );
    if (written === undefined) return undefined;
    must(await marks.remove([mark]));
    return written;
  }

  /**
   * Writes the sums of what is below. No entity has to be taken away: rows of segments that have ended stay as they are.
   * Undefined when a later run wrote some of it.
   */
  async #replace(
    target: { readonly window: Minute; readonly index: string; readonly era: number; readonly version: number },
    pieces: readonly Piece[],
  ): Promise<number | undefined> {
    const { elasticsearch, rowsMax, writer } = this.#deps;
    const { window, index, era, version } = target;
    await refresh(
      elasticsearch,
      pieces.map((piece) => piece.index),
    );
    let rows = 0;
    let conflicts = 0;
    let batch: BulkDocument[] = [];
    const flush = async (): Promise<void> => {
      if (batch.length === 0) return;
      if (rows === 0) await createIndex(elasticsearch, index);
      rows += batch.length;
      const result = await writer.writeAll(batch);
      must(result);
      conflicts += result.conflicts;
      batch = [];
    };
    for await (const { entity, cells: group } of asOneWindow(elasticsearch, pieces, { window, filter: [], rowsMax })) {
      const cells = this.#merger.merge(group);
      const { id, source } = foldedDocument({ window, entity, era, counters: this.#merger.counters, cells });
      batch.push({ op: 'index', index, id, version, source });
      if (batch.length >= DOCS_PER_WRITE) await flush();
    }
    await flush();
    return conflicts === 0 ? rows : undefined;
  }
}

type Run = { readonly version: number; readonly indices: ReadonlySet<string> };

const DOCS_PER_WRITE = 10_000;

/** True when nothing of a segment will change any more: it was sealed, or its chain went on without it. */
export function hasEnded({ segment }: { readonly segment: HourMark['segment'] }, ends: ReadonlyMap<string, PartitionHead>): boolean {
  const end = ends.get(chainName(segment));
  if (end === undefined) return false;
  const order = compareSegments(segment, end.segment);
  return order < 0 || (order === 0 && end.isSealed);
}

function must({ outcome }: BulkResult): void {
  if (!outcome.ok) throw new ElasticsearchFault(outcome.reason, { isRetryable: outcome.retryable });
}
