import { parentPort, workerData } from 'node:worker_threads';
import { Fingerprinter } from '../../core/fingerprint.ts';
import { Secret } from '../../core/secret.ts';
import { geoOf } from '../enrich/mmdb-geo.ts';
import { formatOf } from '../parse/detect.ts';
import { Normaliser } from '../parse/normaliser.ts';
import { PartitionIngest } from '../partition-ingest.ts';
import { packBatch } from '../transfer.ts';
import type { FromCellWorker, ToCellWorker, WorkerReading } from './messages.ts';

/** A thread that counts whole segments, one after the other, and hands each back as one batch. */
function serve(port: NonNullable<typeof parentPort>, reading: WorkerReading): void {
  const { pepper, geo: shared, ...options } = reading;
  const geo = shared === undefined || shared.length === 0 ? undefined : geoOf(shared);
  const fingerprinter = new Fingerprinter(new Secret(pepper));
  // One for each open cell, as its numbers belong to one segment: of two logs that are read in turn, the end of one's segment may empty it.
  const idle: Normaliser[] = [];
  const cells = new Map<number, { readonly ingest: PartitionIngest; readonly normaliser: Normaliser }>();
  const cellOf = (cell: number): { readonly ingest: PartitionIngest; readonly normaliser: Normaliser } => {
    const open = cells.get(cell);
    if (open === undefined) throw new Error(`BUG: cell ${cell} is not open`);
    return open;
  };
  port.on('message', (message: ToCellWorker) => {
    switch (message.kind) {
      case 'open': {
        const { source, segmentBytes, descriptor, start, limits } = message.spec;
        const format = formatOf(descriptor, reading.keyNames);
        if (format === undefined) throw new Error(`BUG: no format is described by "${descriptor}"`);
        const normaliser = idle.pop() ?? new Normaliser({ ...options, fingerprinter, geo });
        const ingest = new PartitionIngest({ source, partition: 0, generation: 1, segmentBytes, format, normaliser, limits });
        ingest.startAt(start);
        cells.set(message.cell, { ingest, normaliser });
        return;
      }
      case 'block':
        cellOf(message.cell).ingest.block(message.bytes, message.offset, message.receivedAt);
        return;
      case 'oversized':
        cellOf(message.cell).ingest.oversized(message.offset, message.length);
        return;
      case 'end': {
        const { ingest, normaliser } = cellOf(message.cell);
        const batches = message.isSealed ? ingest.finish() : [ingest.flush()];
        if (batches.length > 1) throw new Error('BUG: a cell holds one segment');
        cells.delete(message.cell);
        idle.push(normaliser);
        const [batch] = batches;
        if (batch === undefined) port.postMessage({ cell: message.cell, batch: undefined } satisfies FromCellWorker);
        else {
          const { packed, transfer } = packBatch(batch);
          port.postMessage({ cell: message.cell, batch: packed } satisfies FromCellWorker, transfer);
        }
      }
    }
  });
}

if (parentPort !== null) serve(parentPort, workerData as WorkerReading);
