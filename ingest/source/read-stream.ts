import type { Readable } from 'node:stream';
import type { SourceEvent } from '../../core/ports.ts';
import type { EpochMs } from '../../core/types.ts';
import { MAGIC_BYTES, detectCompression } from './compression.ts';
import { Decompressor } from './decompress.ts';
import { fsReason, problem } from './fs-problem.ts';
import { LineBlocks, type LineEvent } from './line-blocks.ts';
import { firstChunks, joinHead } from './packed-file.ts';
import type { Place } from './place.ts';
import { SAMPLE_BYTES, isAllNul, whyNotText } from './sample.ts';
import { StreamPull } from './stream-pull.ts';

export type StreamPartition = {
  readonly stream: Readable;
  readonly partition: string;
  readonly label: string;
  readonly place: Place;
  readonly lineBytesMax?: number | undefined;
  readonly segmentBytes?: number | undefined;
  /** Given for a live stream: the receive time of each block. */
  readonly receivedAt?: (() => EpochMs) | undefined;
};

/** Reads a pipe to its end as one partition, from position 0. Lines are delivered as soon as their line feed is there. */
export async function* readStream(config: StreamPartition, signal: AbortSignal): AsyncGenerator<SourceEvent> {
  const { partition, label } = config;
  const pull = new StreamPull(config.stream, signal);
  try {
    const raw = await firstWhile(pull, (length, hasLineFeed) => length < MAGIC_BYTES && !hasLineFeed);
    const compression = detectCompression(joinHead(raw, MAGIC_BYTES));
    const unpacked = compression === 'none' ? undefined : new Decompressor(compression, replay(raw, pull));
    const first = unpacked === undefined ? await sampleOf(raw, pull) : await firstChunks(unpacked, SAMPLE_BYTES);
    const head = joinHead(first, SAMPLE_BYTES);
    if (signal.aborted) return;
    if (head.length === 0 && pull.failure === undefined) {
      yield problem(label, unpacked?.problemText ?? 'is empty: nothing to read');
      return;
    }
    const whyNot = isAllNul(head) ? 'not a text file' : whyNotText(head);
    if (whyNot !== undefined) {
      yield problem(label, `is ${whyNot}`);
      return;
    }
    yield { kind: 'assigned', partition, label, from: 0, head };
    const lines = new LineBlocks({ offset: 0, lineBytesMax: config.lineBytesMax, segmentBytes: config.segmentBytes });
    const read = replay(first, unpacked === undefined ? pull : { next: () => unpacked.read() });
    for (let chunk = await read(); chunk.length > 0; chunk = await read()) {
      yield* deliver(config, lines.push(chunk));
      if (unpacked === undefined && !pull.hasBuffered) yield { kind: 'caught_up', partition, position: lines.position };
      if (signal.aborted) return;
    }
    if (signal.aborted) return;
    if (pull.failure !== undefined) yield problem(label, fsReason(pull.failure), partition);
    if (unpacked?.problemText !== undefined) yield problem(label, unpacked.problemText, partition);
    yield* deliver(config, lines.end());
    yield { kind: 'finished', partition, position: lines.position };
    unpacked?.close();
  } finally {
    pull.close();
  }
}

function* deliver(config: StreamPartition, events: readonly LineEvent[]): Generator<SourceEvent> {
  const received = config.receivedAt === undefined ? {} : { receivedAt: config.receivedAt() };
  for (const event of events) {
    if (event.kind === 'block') {
      config.place.advance(event.bytes);
      yield { kind: 'block', partition: config.partition, offset: event.offset, bytes: event.bytes, ...received };
    } else {
      config.place.pass(event.length, event.tail);
      yield { kind: 'oversized', partition: config.partition, offset: event.offset, length: event.length };
    }
  }
  config.place.settle();
}

/** Until a whole line is there, so that a format can be told; a live pipe may not fill the sample for hours. */
async function sampleOf(raw: Uint8Array[], pull: StreamPull): Promise<Uint8Array[]> {
  if (raw.length === 0 || raw.some((chunk) => chunk.includes(10))) return raw;
  return [...raw, ...(await firstWhile(pull, (length, hasLineFeed) => length < SAMPLE_BYTES && !hasLineFeed))];
}

async function firstWhile(pull: StreamPull, isShort: (length: number, hasLineFeed: boolean) => boolean): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  let hasLineFeed = false;
  do {
    const chunk = await pull.next();
    if (chunk.length === 0) break;
    chunks.push(chunk);
    length += chunk.length;
    hasLineFeed ||= chunk.includes(10);
  } while (isShort(length, hasLineFeed));
  return chunks;
}

/** The chunks that were looked at, then those that follow. */
function replay(first: readonly Uint8Array[], rest: { next(): Promise<Uint8Array> }): () => Promise<Uint8Array> {
  let index = 0;
  return () => {
    const chunk = first[index++];
    return chunk === undefined ? rest.next() : Promise.resolve(chunk);
  };
}
