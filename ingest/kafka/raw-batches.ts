import type { Offset } from '../../core/types.ts';
import { type BatchHeader, batchSize, parseBatch } from './record-batch.ts';

/** A whole batch of a raw fetch, its checksum verified, or one that cannot be read. */
export type RawBatch =
  | { readonly header: BatchHeader; readonly bytes: Buffer; readonly damage?: undefined }
  | { readonly damage: string; readonly baseOffset: Offset; readonly lastOffset: Offset; readonly bytes: Buffer };

/** The whole batches of what a broker sent; the last one may be cut short and comes with the next fetch. Throws where nobody can say any more where a batch begins. */
export function* rawBatches(records: Buffer): Iterable<RawBatch> {
  for (let at = 0; at < records.length;) {
    const size = batchSize(records, at);
    if (size === 'partial') return;
    if (typeof size !== 'number') throw new Error(size.damage);
    const bytes = records.subarray(at, at + size);
    const header = parseBatch(records, at, size);
    yield 'damage' in header ? { ...header, bytes } : { header, bytes };
    at += size;
  }
}
