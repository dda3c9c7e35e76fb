import { kafkaPublisher } from '../../../ingest/kafka/publisher.ts';
import type { Scratch } from './scratch.ts';

/** Whole numbers from `from` up to and without `to`. */
export const range = (from: number, to: number): readonly number[] => Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);

/** Sends `count` lines to one partition; the text names the offset that it gets when `from` is the end of the log. */
export async function send(
  scratch: Scratch,
  topic: string,
  count: number,
  part: { readonly partition?: number; readonly from?: number; readonly mark?: string; readonly compression?: 'none' } = {},
): Promise<void> {
  await using publisher = kafkaPublisher(scratch.client, { compression: part.compression ?? 'lz4' });
  const messages = range(0, count).map((index) => ({
    partition: part.partition ?? 0,
    value: Buffer.from(`${part.mark ?? 'line'} ${(part.from ?? 0) + index}`),
  }));
  const outcome = await publisher.publish(topic, messages);
  if (!outcome.ok) throw new Error(outcome.reason);
}
