import { C, type Counters, at, errorsOf } from '../../core/counters.ts';
import { base36, bucketOf, segmentName, termOf } from './names.ts';
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

/** Puts the rows of one batch into bulk bodies. What does not change from row to row is made once. */
export class RowBody {
  readonly #ids: string;
  readonly #action: Buffer;
  readonly #segment: Buffer;
  readonly #cells: Buffer;
  #window = Number.NaN;
  #index = '';
  #head: Buffer = Buffer.alloc(0);
  #ts: Buffer = Buffer.alloc(0);

  constructor(segment: SegmentRef, next: number) {
    const name = segmentName(segment);
    this.#ids = `.${name}.`;
    this.#action = Buffer.from(`","version":${next},"version_type":"external_gte"}}\n`);
    this.#segment = Buffer.from(`,"s":"${name}","next":${next}`);
    this.#cells = Buffer.from(`,"cells":"`);
  }

  row(body: BulkBody, index: string, row: { readonly window: Minute; readonly entity: EntityId; readonly cells: Uint8Array }): void {
    const term = this.#start(body, index, row.window, row.entity);
    body.text(bucketText(term));
    this.#end(body, row.cells);
  }

  held(body: BulkBody, index: string, row: { readonly window: Minute; readonly entity: EntityId; readonly cells: Uint8Array; readonly order: number }): void {
    this.#start(body, index, row.window, row.entity);
    body.text(`,"o":${row.order}`);
    this.#end(body, row.cells);
  }

  /** Returns the entity's term. */
  #start(body: BulkBody, index: string, window: Minute, entity: EntityId): string {
    if (window !== this.#window || index !== this.#index) {
      this.#window = window;
      this.#index = index;
      this.#head = Buffer.from(`{"index":{"_index":"${index}","_id":"${base36(window)}${this.#ids}`);
      this.#ts = Buffer.from(`{"ts":${startOf(window)},"e":"`);
    }
    const term = termOf(entity);
    body.raw(this.#head);
    body.jsonText(term);
    body.raw(this.#action);
    body.raw(this.#ts);
    body.jsonText(term);
    if (term === entity) body.raw(QUOTE);
    else body.text(`","name":${JSON.stringify(entity)}`);
    body.raw(this.#segment);
    return term;
  }

  #end(body: BulkBody, cells: Uint8Array): void {
    body.raw(this.#cells);
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

const QUOTE = Buffer.from('"');
const CLOSE = Buffer.from('"}\n');
const BUCKET_TEXTS: string[] = [];

function bucketText(term: string): string {
  const bucket = bucketOf(term);
  return (BUCKET_TEXTS[bucket] ??= `,"b":${bucket}`);
}
