import { parentPort, workerData } from 'node:worker_threads';
import { Fingerprinter } from '../../core/fingerprint.ts';
import { Secret } from '../../core/secret.ts';
import { formatOf } from '../parse/detect.ts';
import { Normaliser } from '../parse/normaliser.ts';
import { PartitionIngest } from '../partition-ingest.ts';
import { packBatch } from '../transfer.ts';
import type { FromCellWorker, ToCellWorker, WorkerReading } from './messages.ts';

/** A thread that counts whole segments, one after the other, and hands each back as one batch. */
function serve(port: NonNullable<typeof parentPort>, reading: WorkerReading): void {
  const { pepper, ...options } = reading;
  const normaliser = new Normaliser({ ...options, fingerprinter: new Fingerprinter(new Secret(pepper)) });
  const cells = new Map<number, PartitionIngest>();
  const cellOf = (cell: number): PartitionIngest => {
    const ingest = cells.get(cell);
    if (ingest === undefined) throw new Error(`BUG: cell ${cell} is not open`);
    return ingest;
  };
  port.on('message', (message: ToCellWorker) => {
    switch (message.kind) {
      case 'open': {
        const { source, segmentBytes, descriptor, start, limits } = message.spec;
        const format = formatOf(descriptor, reading.keyNames);
        if (format === undefined) throw new Error(`BUG: no format is described by "${descriptor}"`);
        const ingest = new PartitionIngest({ source, partition: 0, generation: 1, segmentBytes, format, normaliser, limits });
        ingest.startAt(start);
        cells.set(message.cell, ingest);
        return;
      }
      case 'block':
        cellOf(message.cell).block(message.bytes, message.offset);
        return;
      case 'oversized':
        cellOf(message.cell).oversized(message.offset, message.length);
        return;
      case 'end': {
        const ingest = cellOf(message.cell);
        const batches = message.isSealed ? ingest.finish() : [ingest.flush()];
        if (batches.length > 1) throw new Error('BUG: a cell holds one segment');
        cells.delete(message.cell);
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
