import { Worker } from 'node:worker_threads';
import type { PartialBatch } from '../../core/partial.ts';
import type { EpochMs, Offset } from '../../core/types.ts';
import { unpackBatch } from '../transfer.ts';
import type { CellSpec, FromCellWorker, ToCellWorker, WorkerReading } from './messages.ts';

/** A segment that a thread is counting. */
export interface Cell {
  /** The bytes are copied: the caller's buffer is free again. */
  block(bytes: Uint8Array, offset: Offset, receivedAt?: EpochMs): void;
  oversized(offset: Offset, length: number): void;
  /** The segment's batch; undefined when it held no record. */
  end(isSealed: boolean): Promise<PartialBatch | undefined>;
}

/** Threads that count segments side by side. Started at the first need; a fault in one is a fault of ours and rejects every open cell. */
export class CellPool implements AsyncDisposable {
  readonly threads: number;
  readonly #reading: WorkerReading;
  readonly #workers: Worker[] = [];
  readonly #waiting = new Map<number, { readonly resolve: (batch: PartialBatch | undefined) => void; readonly reject: (error: Error) => void }>();
  #cells = 0;
  #open = 0;
  #fault: Error | undefined;

  constructor(threads: number, reading: WorkerReading) {
    this.threads = threads;
    this.#reading = reading;
  }

  open(spec: CellSpec): Cell {
    const cell = this.#cells++;
    this.#open++;
    const worker = this.#workerFor(cell);
    const send = (message: ToCellWorker, transfer: readonly ArrayBuffer[] = []): void => worker.postMessage(message, transfer);
    send({ kind: 'open', cell, spec });
    return {
      block: (bytes, offset, receivedAt) => {
        const copy = new Uint8Array(bytes);
        send({ kind: 'block', cell, bytes: copy, offset, receivedAt }, [copy.buffer]);
      },
      oversized: (offset, length) => send({ kind: 'oversized', cell, offset, length }),
      end: (isSealed) =>
        new Promise((resolve, reject) => {
          if (this.#fault !== undefined) {
            reject(this.#fault);
            return;
          }
          this.#waiting.set(cell, { resolve, reject });
          send({ kind: 'end', cell, isSealed });
        }),
    };
  }

  /** Ends the threads when none of them counts anything; the next segment starts them again. */
  async rest(): Promise<void> {
    if (this.#open === 0) await Promise.all(this.#workers.splice(0).map((worker) => worker.terminate()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.splice(0).map((worker) => worker.terminate()));
  }

  #workerFor(cell: number): Worker {
    const index = cell % this.threads;
    const known = this.#workers[index];
    if (known !== undefined) return known;
    const worker = new Worker(new URL('./cell-worker.ts', import.meta.url), { workerData: this.#reading });
    worker.on('message', ({ cell: done, batch }: FromCellWorker) => {
      this.#open--;
      this.#waiting.get(done)?.resolve(batch === undefined ? undefined : unpackBatch(batch));
      this.#waiting.delete(done);
    });
    worker.on('error', (error) => {
      this.#fault = error instanceof Error ? error : new Error(String(error));
      for (const { reject } of this.#waiting.values()) reject(this.#fault);
      this.#waiting.clear();
    });
    this.#workers[index] = worker;
    return worker;
  }
}
