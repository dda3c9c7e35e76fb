import { expect, it } from 'vitest';
import { decodeFetch } from '../../../ingest/kafka/raw-fetch.ts';

/** An answer written from the protocol's description: two topics, aborted transactions, an empty and a missing record set. */
function answer(version: number): Buffer {
  const parts: Buffer[] = [];
  const int = (bits: 16 | 32 | 64, value: number): void => {
    const part = Buffer.alloc(bits / 8);
    if (bits === 16) part.writeInt16BE(value);
    else if (bits === 32) part.writeInt32BE(value);
    else part.writeBigInt64BE(BigInt(value));
    parts.push(part);
  };
  const topic = (
    name: string,
    partitions: readonly {
      readonly id: number;
      readonly error: number;
      readonly end: number;
      readonly start: number;
      readonly aborted: number;
      readonly records: string | null;
    }[],
  ): void => {
    int(16, Buffer.byteLength(name));
    parts.push(Buffer.from(name));
    int(32, partitions.length);
    for (const { id, error, end, start, aborted, records } of partitions) {
      int(32, id);
      int(16, error);
      int(64, end);
      int(64, end - 1);
      if (version >= 5) int(64, start);
      int(32, aborted);
      for (let index = 0; index < aborted; index++) {
        int(64, 77);
        int(64, index);
      }
      if (version >= 11) int(32, -1);
      int(32, records === null ? -1 : Buffer.byteLength(records));
      parts.push(Buffer.from(records ?? ''));
    }
  };
  int(32, 0);
  if (version >= 7) {
    int(16, 0);
    int(32, 0);
  }
  int(32, 2);
  topic('first', [
    { id: 3, error: 0, end: 5_000_000_000, start: 12, aborted: 2, records: 'batch one' },
    { id: 4, error: 1, end: -1, start: -1, aborted: -1, records: null },
  ]);
  topic('zweites-ä', [{ id: 0, error: 0, end: 9, start: 0, aborted: 0, records: '' }]);
  return Buffer.concat(parts);
}

it.each([4, 5, 6, 7, 8, 9, 10, 11])('an answer of version %i is taken apart', (version) => {
  const found = decodeFetch(answer(version), version).map(({ records, ...rest }) => ({ ...rest, records: records.toString() }));
  const start = (value: number): number => (version >= 5 ? value : -1);
  expect(found).toEqual([
    { topic: 'first', partition: 3, errorCode: 0, highWatermark: 5_000_000_000, logStart: start(12), records: 'batch one' },
    { topic: 'first', partition: 4, errorCode: 1, highWatermark: -1, logStart: -1, records: '' },
    { topic: 'zweites-ä', partition: 0, errorCode: 0, highWatermark: 9, logStart: start(0), records: '' },
  ]);
});
