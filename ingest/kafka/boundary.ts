import type { PartitionHead } from '../../core/ports.ts';
import type { Boundary } from './place.ts';
import type { LogReader } from './log-reader.ts';
import { OFFSET_OUT_OF_RANGE } from './raw-fetch.ts';
import { rawBatches } from './raw-batches.ts';

/** A batch that was seen in a log: recognises the log. */
export type Landmark = { readonly offset: number; readonly crc: number };

/** What a stored head remembers of the log; undefined when the client did not show a checksum then. */
export function landmarkOf(head: PartitionHead | undefined): Landmark | undefined {
  const crc = head?.span?.crc ?? 0;
  return head === undefined || crc === 0 ? undefined : { offset: head.segment.start, crc };
}

const BYTES_MAX = 1024;
const WAIT_MS = 100;

/** Whether the log still holds the batch of `landmark`. Throws when the brokers cannot say. */
export async function lookAt(
  reader: LogReader,
  place: { readonly topic: string; readonly partition: number },
  landmark: Landmark | undefined,
): Promise<Boundary> {
  if (landmark === undefined) return 'unknown';
  // A broker sends the first batch whole, however small the limit.
  const [answer] = await reader.fetch([{ ...place, offset: landmark.offset }], { maxWaitMs: WAIT_MS, maxBytes: BYTES_MAX, maxBytesPerPartition: BYTES_MAX });
  if (answer === undefined) throw new Error(`topic ${place.topic} partition ${place.partition} has no leader`);
  if (answer.errorCode === OFFSET_OUT_OF_RANGE) return 'unreadable';
  if (answer.errorCode !== 0) throw new Error(`the broker answers error ${answer.errorCode} for topic ${place.topic} partition ${place.partition}`);
  const [batch] = rawBatches(answer.records);
  // Nothing there, or damaged, or compaction took it: what comes next says nothing.
  if (batch === undefined || batch.damage !== undefined || batch.header.baseOffset > landmark.offset) return 'unreadable';
  return batch.header.crc === landmark.crc ? 'same' : 'other';
}
