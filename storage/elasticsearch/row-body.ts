import { C, type Counters, at, errorsOf } from '../../core/counters.ts';
import { BUCKETS, base36, bucketOf, segmentName, termOf } from './names.ts';
import { startOf } from '../../core/window.ts';
import type { BulkBody } from './bulk-body.ts';
import type { SegmentRef } from '../../core/partial.ts';
import type { EntityId, Minute } from '../../core/types.ts';

/** Rows of a partial index as they are stored. */
export type PartialSource = {
  readonly ts: number;
  readonly e: string;
  readonly name?: string;
  readonly s: string;
  readonly next: number;
  readonly cells: string;
};
export type HeldSource = PartialSource & { readonly o: number };
/** Hours and days; `era` tells frozen ones. */
export type FoldedSource = { readonly ts: number; readonly e: string; readonly name?: string; readonly era: number; readonly cells: string };

/** What stands in front of the entity in the id, and between the id and the entity in the document. */
type Parts = { readonly head: Buffer; readonly middle: Buffer };

/**
 * Puts the rows of one batch into bulk bodies. What does not change from row to row is made once: of a document of
 * some 340 bytes the entity and the cells are what is left (test/bench/elasticsearch.ts).
 */
export class RowBody {
  readonly #ids: string;
  readonly #action: string;
  readonly #segment: string;
  readonly #indexOf: (window: Minute) => string;
  /** A batch has few windows, but in any order. */
  readonly #parts = new Map<Minute, Parts>();

  /** `indexOf` says where rows of a window go. */
  constructor(segment: SegmentRef, next: number, indexOf: (window: Minute) => string) {
    this.#indexOf = indexOf;
    const name = segmentName(segment);
    this.#ids = `.${name}.`;
    this.#action = `","version":${next},"version_type":"external_gte"}}\n`;
    this.#segment = `,"s":"${name}","next":${next},"e":"`;
  }

  row(body: BulkBody, row: { readonly window: Minute; readonly entity: EntityId; readonly cells: Uint8Array }): void {
    const term = this.#start(body, row.window, row.entity);
    if (term !== row.entity) body.text(nameText(row.entity));
    body.raw(bucketBytes(term));
    this.#end(body, row.cells);
  }

  held(body: BulkBody, row: { readonly window: Minute; readonly entity: EntityId; readonly cells: Uint8Array; readonly order: number }): void {
    const term = this.#start(body, row.window, row.entity);
    body.text(`${term === row.entity ? '' : nameText(row.entity)}","o":${row.order},"cells":"`);
    this.#end(body, row.cells);
  }

  /** Everything up to the entity. Returns the entity's term, whose quotation mark is still open. */
  #start(body: BulkBody, window: Minute, entity: EntityId): string {
    const parts = this.#parts.get(window) ?? this.#make(window);
    const term = termOf(entity);
    body.raw(parts.head);
    const from = body.length;
    body.jsonText(term);
    const to = body.length;
    body.raw(parts.middle);
    body.repeat(from, to);
    return term;
  }

  #make(window: Minute): Parts {
    const parts = {
      head: Buffer.from(`{"index":{"_index":"${this.#indexOf(window)}","_id":"${base36(window)}${this.#ids}`),
      middle: Buffer.from(`${this.#action}{"ts":${startOf(window)}${this.#segment}`),
    };
    this.#parts.set(window, parts);
    return parts;
  }

  #end(body: BulkBody, cells: Uint8Array): void {
    body.base64(cells);
    body.raw(CLOSE);
    body.end();
  }
}

/** An hour or a day with the numbers that dashboards sum. */
export function foldedDocument(fold: {
  readonly window: Minute;
  readonly entity: EntityId;
  readonly era: number;
  readonly counters: Counters;
  readonly cells: Uint8Array;
}): { readonly id: string; readonly source: string } {
  const { window, entity, era, counters, cells } = fold;
  const term = termOf(entity);
  const source = {
    ts: startOf(window),
    e: term,
    ...(term === entity ? {} : { name: entity }),
    b: bucketOf(term),
    era,
    requests: at(counters, C.requests),
    errors: errorsOf(counters),
    failed_auth: at(counters, C.failedAuth),
    bytes_in: at(counters, C.bytesIn),
    bytes_out: at(counters, C.bytesOut),
    cells: Buffer.from(cells.buffer, cells.byteOffset, cells.byteLength).toString('base64'),
  };
  return { id: `${base36(window)}.${base36(era)}.${term}`, source: JSON.stringify(source) };
}

/** Only this store wrote the field, and only entities. */
export function entityOf({ e, name }: { readonly e: string; readonly name?: string }): EntityId {
  return (name ?? e) as EntityId;
}

export function cellsOf({ cells }: { readonly cells: string }): Uint8Array {
  const bytes = Buffer.from(cells, 'base64');
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const CLOSE = Buffer.from('"}\n');
const BUCKET_BYTES: (Buffer | undefined)[] = Array.from({ length: BUCKETS });

/** From the entity's quotation mark to the cells. */
function bucketBytes(term: string): Buffer {
  const bucket = bucketOf(term);
  return (BUCKET_BYTES[bucket] ??= Buffer.from(`","b":${bucket},"cells":"`));
}

/** Goes between the term and its quotation mark. */
function nameText(entity: EntityId): string {
  return `","name":${JSON.stringify(entity).slice(0, -1)}`;
}
