import { Worker } from 'node:worker_threads';
import type { PartialBatch } from '../../core/partial.ts';
import { unpackBatch } from '../../ingest/transfer.ts';
import { type ReadingOptions, type Task, type TaskEvents, TaskReader } from './task.ts';
import type { FromWorker, ToWorker } from './worker.ts';

/** Tasks of which the results wait for an earlier one; more are not started, so that memory stays flat. */
const AHEAD_PER_THREAD = 2;

type Waiting = { readonly batches: PartialBatch[]; isDone: boolean };

/**
 * Runs tasks on `threads` worker threads (on this one when it is 1) and gives their batches out in task
 * order, whatever finishes first.
 */
export async function runTasks(
  tasks: readonly Task[],
  options: ReadingOptions,
  threads: number,
  events: TaskEvents & { readonly onTask?: (task: Task) => void },
): Promise<void> {
  if (threads <= 1 || tasks.length <= 1) {
    const reader = new TaskReader(options);
    for (const task of tasks) {
      await reader.read(task, events);
      events.onTask?.(task);
    }
    return;
  }
  const workers = Array.from({ length: Math.min(threads, tasks.length) }, () => new Worker(new URL('./worker.ts', import.meta.url), { workerData: options }));
  try {
    await new Promise<void>((resolve, reject) => {
      const waiting = new Map<number, Waiting>();
      let next = 0;
      let turn = 0;
      const idle = [...workers];
      const feed = (): void => {
        while (idle.length > 0 && next < tasks.length && next - turn < workers.length * AHEAD_PER_THREAD) {
          const worker = idle.pop();
          const message: ToWorker = { kind: 'task', index: next, task: tasks[next] as Task };
          waiting.set(next++, { batches: [], isDone: false });
          worker?.postMessage(message, []);
        }
      };
      const drain = (): void => {
        for (let entry = waiting.get(turn); entry !== undefined; entry = waiting.get(turn)) {
          for (const batch of entry.batches.splice(0)) events.onBatch(batch);
          if (!entry.isDone) return;
          waiting.delete(turn);
          events.onTask?.(tasks[turn] as Task);
          turn++;
        }
        if (turn === tasks.length) resolve();
      };
      for (const worker of workers) {
        worker.on('error', reject);
        worker.on('message', (message: FromWorker) => {
          try {
            switch (message.kind) {
              case 'batch':
                waiting.get(message.index)?.batches.push(unpackBatch(message.batch));
                if (message.index === turn) drain();
                break;
              case 'tops':
                events.onTops(message.tops);
                break;
              case 'problem':
                events.onProblem(message.message);
                break;
              case 'read':
                events.onRead(message.bytes);
                break;
              case 'done': {
                const entry = waiting.get(message.index);
                if (entry !== undefined) entry.isDone = true;
                idle.push(worker);
                drain();
                feed();
                break;
              }
            }
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        });
      }
      feed();
    });
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}
