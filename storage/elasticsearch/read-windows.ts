import { MINUTE_MS } from '../../core/window.ts';
import { CellsMerger } from '../merge/cells-merger.ts';
import { storedWindow } from '../stored-window.ts';
import { ElasticsearchFault } from './fault.ts';
import { type Span, stepOf } from '../extent.ts';
import { type Extent, type ExtentDeps, isDropped, minuteOf, readExtent } from './extent.ts';
import { type Group, asOneWindow, inOrder, inSpan, ofEntity } from './groups.ts';
import { parseSegment } from './names.ts';
import { type Query, readDocs, refresh } from './read-docs.ts';
import { type PartialSource, cellsOf, entityOf } from './row-body.ts';
import type { Resolution, StoredPartial, StoredWindow } from '../../core/ports.ts';
import type { EntityId, EpochMs, Minute } from '../../core/types.ts';

export type WindowsQuery = { readonly from: Minute; readonly to: Minute; readonly entity?: EntityId; readonly resolution?: Resolution };

/** Beyond any event time, and far from where sums of minutes lose precision. */
const MINUTE_MAX: Minute = 2 ** 31;

/** The windows of a resolution that start in `[from, to)`, in time order, merged over segments. */
export async function* readWindows(deps: ExtentDeps, query: WindowsQuery): AsyncGenerator<StoredWindow, void, undefined> {
  const resolution = query.resolution ?? 'minute';
  const step = stepOf(resolution);
  const span = clamp(query.from, query.to);
  const merger = new CellsMerger();
  const filter = query.entity === undefined ? [] : [ofEntity(query.entity)];
  const extent = await readExtent(deps);
  await refresh(deps.elasticsearch, extent.indices(span, resolution));
  const groups = orExplained(readGroups(deps, extent, { span, resolution, filter }));
  for await (const { entity, window, cells } of groups) yield storedWindow(entity, resolution, { from: window, to: window + step }, merger.merge(cells));
}

/** Rows as they were put, in time order. */
export async function* readPartials(deps: ExtentDeps, query: { readonly from: Minute; readonly to: Minute }): AsyncGenerator<StoredPartial, void, undefined> {
  const span = clamp(query.from, query.to);
  const extent = await readExtent(deps);
  await refresh(deps.elasticsearch, extent.indices(span, 'minute'));
  yield* orExplained(readRows(deps, extent, span));
}

/** The minutes whose start lies in `[from, to)`. */
export function minutesIn(from: EpochMs, to: EpochMs): Span {
  return clamp(Math.ceil(from / MINUTE_MS), Math.ceil(to / MINUTE_MS));
}

/** Retention may drop an index while it is read; what was read of it so far is true, but it is not all. */
export async function* orExplained<T>(reading: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  try {
    yield* reading;
  } catch (error) {
    if (!isDropped(error)) throw error;
    throw new ElasticsearchFault('elasticsearch: retention dropped an index while it was read; ask again', { isRetryable: true });
  }
}

async function* readRows({ elasticsearch }: ExtentDeps, extent: Extent, span: Span): AsyncGenerator<StoredPartial, void, undefined> {
  for (const day of extent.days(span, 'minute')) {
    for (const piece of extent.pieces(day, 'minute')) {
      for await (const page of readDocs<PartialSource>(elasticsearch, { index: piece.index, filter: [inSpan(piece)], order: 'window' })) {
        for (const { _source: stored } of page) {
          if (stored === undefined || !piece.counts(stored)) continue;
          yield { segment: parseSegment(stored.s), next: stored.next, row: { window: minuteOf(stored), entity: entityOf(stored), cells: cellsOf(stored) } };
        }
      }
    }
  }
}

/** Stretches of windows that are whole as they are stored come in the order of the index; every other window is put together. */
async function* readGroups(
  { elasticsearch, rowsMax }: ExtentDeps,
  extent: Extent,
  want: { readonly span: Span; readonly resolution: Resolution; readonly filter: readonly Query[] },
): AsyncGenerator<Group, void, undefined> {
  const { span, resolution, filter } = want;
  for (const stretch of stretches(extent, span, resolution)) {
    const pieces = extent.pieces(stretch, resolution);
    if (stretch.isWhole) for (const piece of pieces) yield* inOrder(elasticsearch, piece, filter);
    else yield* asOneWindow(elasticsearch, pieces, { window: stretch.from, filter, rowsMax });
  }
}

/** Neighbours that are stored whole together, save that hours stay within their day; each of the others by itself. */
function* stretches(extent: Extent, span: Span, resolution: Resolution): Generator<Span & { readonly isWhole: boolean }, void, undefined> {
  const step = stepOf(resolution);
  let open: Span | undefined;
  for (const day of extent.days(span, resolution)) {
    for (let from = day.from; from < day.to; from += step) {
      const isWhole = extent.isFolded(from, resolution);
      const isNext = open?.to === from && (resolution === 'day' || from > day.from);
      if (open !== undefined && !(isWhole && isNext)) yield { ...open, isWhole: true };
      if (!(isWhole && isNext)) open = undefined;
      if (isWhole) open = { from: open?.from ?? from, to: from + step };
      else yield { from, to: from + step, isWhole: false };
    }
  }
  if (open !== undefined) yield { ...open, isWhole: true };
}

function clamp(from: Minute, to: Minute): Span {
  const bound = (minute: Minute): Minute => Math.min(Math.max(Math.ceil(minute), 0), MINUTE_MAX);
  return { from: bound(from), to: Math.max(bound(from), bound(to)) };
}
