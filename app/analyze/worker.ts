import { parentPort, workerData } from 'node:worker_threads';
import type { SegmentTops } from '../../ingest/aggregate/segment-tops.ts';
import { type PackedBatch, packBatch } from '../../ingest/transfer.ts';
import { type ReadingOptions, type Task, TaskReader } from './task.ts';

export type ToWorker = { readonly kind: 'task'; readonly index: number; readonly task: Task };
export type FromWorker =
  | { readonly kind: 'batch'; readonly index: number; readonly batch: PackedBatch }
  | { readonly kind: 'tops'; readonly tops: SegmentTops }
  | { readonly kind: 'problem'; readonly index: number; readonly message: string }
  | { readonly kind: 'read'; readonly bytes: number }
  | { readonly kind: 'done'; readonly index: number };

const port = parentPort;
if (port !== null) {
  const reader = new TaskReader(workerData as ReadingOptions);
  port.on('message', (message: ToWorker) => {
    const { index, task } = message;
    const send = (event: FromWorker, transfer: readonly ArrayBuffer[] = []): void => port.postMessage(event, transfer);
    reader
      .read(task, {
        onBatch: (batch) => {
          const { packed, transfer } = packBatch(batch);
          send({ kind: 'batch', index, batch: packed }, transfer);
        },
        onTops: (tops) => send({ kind: 'tops', tops }),
        onProblem: (text) => send({ kind: 'problem', index, message: text }),
        onRead: (bytes) => send({ kind: 'read', bytes }),
      })
      .then(
        () => send({ kind: 'done', index }),
        (error: unknown) => {
          // Our fault: the thread ends with it, and the whole command.
          setImmediate(() => {
            throw error;
          });
        },
      );
  });
}
