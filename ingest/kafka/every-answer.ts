import { createRequire } from 'node:module';
import type { EachBatchHandler } from 'kafkajs';
import type { Offset } from '../../core/types.ts';
import type { ConsumedMessage } from './message-block-consumed.ts';

/** What a broker answered for one partition of a group's consumer. */
export type FetchAnswer = {
  readonly topic: string;
  readonly partition: number;
  /** What was asked for. The client resets it silently when it is out of range. */
  readonly fetchedOffset: Offset;
  /** What to ask for next: behind control records and aborted ones too. The same as `fetchedOffset` when nothing came. */
  readonly next: Offset;
  readonly highWatermark: Offset;
  readonly messages: readonly ConsumedMessage[];
};

type Batch = {
  readonly topic: string;
  readonly partition: number;
  readonly fetchedOffset: string;
  readonly highWatermark: string;
  readonly rawMessages: readonly unknown[];
  readonly messages: readonly ConsumedMessage[];
  lastOffset(): string;
};
type Runner = {
  readonly running: boolean;
  readonly eachBatch: EachBatchHandler;
  handleBatch(batch: Batch): Promise<void>;
  processEachBatch(batch: Batch): Promise<void>;
  heartbeat(): Promise<void>;
};

const wanted = new WeakSet<EachBatchHandler>();
let isPatched = false;

/**
 * kafkajs keeps answers without records of a producer to itself: empty ones, and control or aborted records. Whoever must
 * know every step of the position, and that a partition is at its end, needs them. Other handlers are not touched.
 */
export function seeEveryAnswer(handler: EachBatchHandler): EachBatchHandler {
  if (!isPatched) patchRunner();
  isPatched = true;
  wanted.add(handler);
  return handler;
}

export function answerOf(payload: { readonly batch: object }): FetchAnswer {
  const batch = payload.batch as Batch;
  const fetchedOffset = Number(batch.fetchedOffset);
  const { topic, partition, messages } = batch;
  const next = batch.rawMessages.length === 0 ? fetchedOffset : Number(batch.lastOffset()) + 1;
  return { topic, partition, fetchedOffset, next, highWatermark: Number(batch.highWatermark), messages };
}

function patchRunner(): void {
  const { prototype } = createRequire(import.meta.url)('kafkajs/src/consumer/runner') as { readonly prototype: Runner };
  // oxlint-disable-next-line typescript/unbound-method -- it is called with its `this` below.
  const handleBatch = prototype.handleBatch;
  prototype.handleBatch = async function handleEvery(this: Runner, batch: Batch): Promise<void> {
    if (!wanted.has(this.eachBatch)) return handleBatch.call(this, batch);
    if (!this.running) return;
    await this.processEachBatch(batch);
    await this.heartbeat();
  };
}
