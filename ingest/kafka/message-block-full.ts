import type { EpochMs, Offset } from '../../core/types.ts';
import { type ConsumedMessage, isRawBatch } from './message-block-consumed.ts';
import { BATCH_HEADER_BYTES } from './record-batch.ts';
import { RecordWalk, readBatch } from './record-walk.ts';

/** One record with all that it has: for readers of topics of our own (the bus, dead letters), where a few objects per record do not matter. */
export type FullMessage = {
  readonly offset: Offset;
  /** -1 where it has none. */
  readonly timestamp: EpochMs;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Of a name that comes twice the last one counts. */
  readonly headers: Readonly<Record<string, Uint8Array | null>>;
};

/** A batch that cannot be read and was passed over. */
export type LostMessages = { readonly lost: string; readonly firstOffset: Offset; readonly lastOffset: Offset };

/** The records of `messages` at or after `from`, whatever the hook is. Views into the messages, valid as long as these are. */
export function* fullMessages(messages: readonly (ConsumedMessage & { readonly headers?: unknown })[], from: Offset): Iterable<FullMessage | LostMessages> {
  const walk = new RecordWalk();
  for (const message of messages) {
    if (isRawBatch(message)) {
      const header = readBatch(message.value, walk, { from });
      if (header === undefined) continue;
      if ('damage' in header) yield { lost: header.damage, firstOffset: header.baseOffset, lastOffset: header.lastOffset };
      else yield* fullRecords(walk, header.compression === 0 ? BATCH_HEADER_BYTES : 0);
      continue;
    }
    const full = stockMessage(message);
    if (full.offset >= from) yield full;
  }
}

/** A second pass over records that the walk has checked: it needs no bounds. Those below `from` are passed by their value's place. */
function* fullRecords(walk: RecordWalk, start: number): Iterable<FullMessage> {
  const { bytes, count, offsets, times, starts, ends } = walk;
  const cursor = { bytes, at: start };
  let index = 0;
  while (index < count) {
    const size = varint(cursor);
    const recordEnd = cursor.at + size;
    const valueStart = starts[index] ?? 0;
    if (recordEnd <= valueStart) {
      cursor.at = recordEnd;
      continue;
    }
    cursor.at++; // attributes
    while ((bytes[cursor.at++] ?? 0) >= 0x80); // time
    varint(cursor); // offset
    const key = sized(cursor);
    const isNull = varint(cursor) < 0;
    const valueEnd = ends[index] ?? 0;
    cursor.at = valueEnd;
    const headers: [string, Uint8Array | null][] = [];
    for (let left = varint(cursor); left > 0; left--) {
      const name = Buffer.from(sized(cursor) ?? []).toString('utf8');
      headers.push([name, sized(cursor)]);
    }
    yield {
      offset: offsets[index] ?? 0,
      timestamp: times[index] ?? -1,
      key,
      value: isNull ? null : bytes.subarray(valueStart, valueEnd),
      headers: Object.fromEntries(headers),
    };
    index++;
  }
}

function stockMessage(message: ConsumedMessage & { readonly headers?: unknown }): FullMessage {
  const headers: Record<string, Uint8Array | null> = {};
  if (typeof message.headers === 'object' && message.headers !== null) {
    for (const [name, given] of Object.entries(message.headers)) {
      const value: unknown = Array.isArray(given) ? given.at(-1) : given;
      headers[name] = value instanceof Uint8Array ? value : typeof value === 'string' ? Buffer.from(value) : null;
    }
  }
  return { offset: Number(message.offset), timestamp: Math.max(-1, Number(message.timestamp)), key: message.key, value: message.value, headers };
}

type Cursor = { readonly bytes: Uint8Array; at: number };

function varint(cursor: Cursor): number {
  let raw = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = cursor.bytes[cursor.at++] ?? 0;
    raw |= (byte & 0x7f) << shift;
    if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1);
  }
}

function sized(cursor: Cursor): Uint8Array | null {
  const size = varint(cursor);
  if (size < 0) return null;
  const start = cursor.at;
  cursor.at += size;
  return cursor.bytes.subarray(start, cursor.at);
}
