import { dayOf, hourOf } from '../../core/window.ts';
import { type DurationMs, type Minute, OK, type Outcome, failed } from '../../core/types.ts';
import { aliasDocument } from './aliases.ts';
import { ElasticsearchFault } from './fault.ts';
import { HeldOrder } from './held-order.ts';
import { type IndexNames, chainName, segmentName } from './names.ts';
import { RowBody } from './row-body.ts';
import { headId, headSource, headVersion } from './segment-document.ts';
import { createIndex } from './templates.ts';
import type { BulkBody } from './bulk-body.ts';
import type { BulkResult, BulkWriter } from './bulk-writer.ts';
import type { Elasticsearch } from './client.ts';
import type { Eras } from './eras.ts';
import type { Marks } from './marks.ts';
import type { Segments } from './segments.ts';
import type { PartialBatch, PartialRow } from '../../core/partial.ts';

type BatchWriterDeps = {
  readonly elasticsearch: Elasticsearch;
  readonly writer: BulkWriter;
  readonly names: IndexNames;
  readonly marks: Marks;
  readonly eras: Eras;
  readonly segments: Segments;
};

/** What this process knows of the segment that a partition is in. */
type Place = {
  readonly segment: string;
  readonly isSealed: boolean;
  readonly since: DurationMs;
  /** Hours that are marked. Nobody takes a mark away while the segment is open. */
  readonly hours: Set<Minute>;
  /** The era of each day that rows were written to. It does not change while there is a mark. */
  readonly eras: Map<Minute, number>;
};

const TOMBSTONE = new Uint8Array(0);
/** A segment is looked up again after this long: others may have ended and even forgotten it. */
const KNOWN_MS = 600_000;
/** How often a batch is tried again whose index was dropped under it. */
const DROPS_MAX = 5;

/**
 * Writes batches. Nothing here is a transaction, so the order matters:
 * 1. mark the hours that get rows, 2. look which indices their days have, 3. write rows and aliases, 4. when those are
 * acknowledged what is held and no longer held, 5. the segment with `next`. After a crash anywhere the same rows are made and written again, or the segment
 * goes on from its rows, each of which says how far it is.
 */
export class BatchWriter {
  readonly heldOrder = new HeldOrder();
  readonly #deps: BatchWriterDeps;
  readonly #places = new Map<string, Place>();
  readonly #indices = new Set<string>();

  constructor(deps: BatchWriterDeps) {
    this.#deps = deps;
  }

  async put(batch: PartialBatch, signal: AbortSignal): Promise<Outcome> {
    const chain = chainName(batch.segment);
    try {
      for (let drops = 0; drops < DROPS_MAX; drops++) {
        const outcome = await this.#put(batch, signal);
        if (outcome !== 'index dropped') {
          if (!outcome.ok || batch.isSealed) this.#places.delete(chain);
          if (outcome.ok && batch.isSealed) this.heldOrder.forget(batch.segment);
          return outcome;
        }
        this.#places.delete(chain);
        this.#indices.clear();
      }
      return failed(`elasticsearch: the index of a batch is dropped again and again; is another program deleting ${this.#deps.names.prefix}-*`, true);
    } catch (error) {
      this.#places.delete(chain);
      if (error instanceof ElasticsearchFault) return error.outcome();
      throw error;
    }
  }

  async #put(batch: PartialBatch, signal: AbortSignal): Promise<Outcome | 'index dropped'> {
    const place = await this.#place(batch);
    if (place === 'forgotten') return OK;
    const isOpen = !place.isSealed;
    const rows = withTombstones(batch);
    const held = isOpen && !batch.isSealed ? withHeldTombstones(batch) : [];
    // 1. The marks, before anything is there to be folded.
    const rowHours = hoursOf(rows);
    const heldHours = hoursOf(held);
    const hours = [...new Set([...rowHours, ...heldHours])];
    const unmarked = hours.filter((hour) => !place.hours.has(hour));
    if (unmarked.length > 0) {
      const { outcome } = await this.#deps.marks.markHours(batch.segment, unmarked, { signal });
      if (!outcome.ok) return outcome;
    }
    // 2. The indices. Looked up after the marks, so that a drop is either seen here or sees the marks.
    for (const day of new Set(hours.map(dayOf))) {
      if (!place.eras.has(day)) place.eras.set(day, await this.#deps.eras.forWriting('day', day));
    }
    for (const hour of hours) place.hours.add(hour);
    // The frozen hours of a day hold all that sealed segments had of it. Rows of other segments are new there.
    const isFrozen = (day: Minute): boolean => !isOpen && (place.eras.get(day) ?? 0) > 0;
    const days = new Set(Array.from(rowHours, dayOf).filter((day) => !isFrozen(day)));
    const wanted = isOpen ? rows : rows.filter((row) => days.has(dayOf(row.window)));
    await this.#makeIndices(place, { days, heldDays: new Set(Array.from(heldHours, dayOf)) });
    // 3. The rows.
    const written = await this.#writeRows(batch, place, { rows: wanted, signal });
    if (written.failure?.type === 'index_not_found_exception') return 'index dropped';
    if (!written.outcome.ok) return written.outcome;
    // 4. What is held, last: a credential that is given up here has its own rows by now, or its events would be nowhere.
    const heldWritten = held.length === 0 ? undefined : await this.#writeHeld(batch, place, { held, signal });
    if (heldWritten?.failure?.type === 'index_not_found_exception') return 'index dropped';
    if (heldWritten !== undefined && !heldWritten.outcome.ok) return heldWritten.outcome;
    // 5. The segment: from here on they count as stored.
    return this.#writeHead(batch, signal);
  }

  async #place(batch: PartialBatch): Promise<Place | 'forgotten'> {
    const name = segmentName(batch.segment);
    const now = this.#deps.elasticsearch.clock.monotonic();
    const known = this.#places.get(chainName(batch.segment));
    if (known?.segment === name && now - known.since < KNOWN_MS) return known;
    const state = await this.#deps.segments.state(batch.segment);
    if (state === 'forgotten') return 'forgotten';
    const place: Place = { segment: name, isSealed: state === 'sealed', since: now, hours: new Set(), eras: new Map() };
    // Of a sealed segment nothing is remembered: its marks may go at any time.
    if (!place.isSealed) this.#places.set(chainName(batch.segment), place);
    return place;
  }

  /** A write makes no index (`allow_auto_create`): a late one would bring a dropped day back, unseen. */
  async #makeIndices(place: Place, { days, heldDays }: { readonly days: ReadonlySet<Minute>; readonly heldDays: ReadonlySet<Minute> }): Promise<void> {
    const { names, elasticsearch } = this.#deps;
    const eraOf = (day: Minute): number => place.eras.get(day) ?? 0;
    const needed = [...Array.from(days, (day) => names.partial(day, eraOf(day))), ...Array.from(heldDays, (day) => names.held(day, eraOf(day)))];
    const missing = needed.filter((index) => !this.#indices.has(index));
    await Promise.all(missing.map((index) => createIndex(elasticsearch, index)));
    for (const index of missing) this.#indices.add(index);
  }

  #writeRows(batch: PartialBatch, place: Place, { rows, signal }: { readonly rows: readonly PartialRow[]; readonly signal: AbortSignal }): Promise<BulkResult> {
    const { names } = this.#deps;
    const body = new RowBody(batch.segment, batch.next, (window) => names.partial(dayOf(window), eraOf(place, window)));
    const seen = Number.isFinite(batch.newest) ? batch.newest : 0;
    let row = 0;
    let alias = 0;
    const fill = (into: BulkBody): void => {
      for (; row < rows.length && !into.isFull; row++) {
        body.row(into, rows[row] as PartialRow);
      }
      for (; alias < batch.aliases.length && !into.isFull; alias++) {
        const next = batch.aliases[alias];
        if (next === undefined) continue;
        const document = aliasDocument(names.alias, next, seen);
        into.push(document, document.source);
      }
    };
    return this.#deps.writer.write(fill, { signal });
  }

  #writeHeld(batch: PartialBatch, place: Place, { held, signal }: { readonly held: readonly PartialRow[]; readonly signal: AbortSignal }): Promise<BulkResult> {
    const { names } = this.#deps;
    const body = new RowBody(batch.segment, batch.next, (window) => names.held(dayOf(window), eraOf(place, window)));
    let row = 0;
    const fill = (into: BulkBody): void => {
      for (; row < held.length && !into.isFull; row++) {
        const next = held[row] as PartialRow;
        body.held(into, { ...next, order: this.heldOrder.of(batch.segment, next) });
      }
    };
    return this.#deps.writer.write(fill, { signal });
  }

  async #writeHead(batch: PartialBatch, signal: AbortSignal): Promise<Outcome> {
    const { writer, names } = this.#deps;
    const head = {
      op: 'index',
      index: names.segment,
      id: headId(batch.segment),
      version: headVersion(batch),
      source: JSON.stringify(headSource(batch)),
    } as const;
    return (await writer.writeAll([head], { signal })).outcome;
  }
}

function eraOf(place: Place, window: Minute): number {
  return place.eras.get(dayOf(window)) ?? 0;
}

function hoursOf(rows: readonly PartialRow[]): ReadonlySet<Minute> {
  const hours = new Set<Minute>();
  for (const row of rows) hours.add(hourOf(row.window));
  return hours;
}

/** Rows, and empty ones for what became empty. Where a batch has both of one window the row is the truth. */
function withTombstones({ rows, gone }: PartialBatch): readonly PartialRow[] {
  const empty = gone.filter((row) => !row.isHeld);
  if (empty.length === 0) return rows;
  const there = new Set(rows.map((row) => `${row.window} ${row.entity}`));
  return [...empty.filter((row) => !there.has(`${row.window} ${row.entity}`)).map(({ window, entity }) => ({ window, entity, cells: TOMBSTONE })), ...rows];
}

function withHeldTombstones({ held, gone }: PartialBatch): readonly PartialRow[] {
  const empty = gone.filter((row) => row.isHeld);
  if (empty.length === 0) return held;
  const there = new Set(held.map((row) => `${row.window} ${row.entity}`));
  return [...empty.filter((row) => !there.has(`${row.window} ${row.entity}`)).map(({ window, entity }) => ({ window, entity, cells: TOMBSTONE })), ...held];
}
