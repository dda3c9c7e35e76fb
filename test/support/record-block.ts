import type { RecordBlock } from '../../core/ports.ts';

export type TestRecord = { readonly offset: number; readonly at: number; readonly value: string | null };

/** A block as a source hands it out: values one behind the other with a byte between them, or right at the end of the buffer. */
export function recordBlock(
  partition: string,
  records: readonly TestRecord[],
  more: { readonly clock?: 'append' | 'create'; readonly crc?: number; readonly tight?: boolean } = {},
): RecordBlock {
  const values = records.map(({ value }) => Buffer.from(value ?? ''));
  const size = values.reduce((sum, value) => sum + value.length + 1, 0);
  const bytes = new Uint8Array(more.tight === true ? Math.max(0, size - 1) : size).fill(0x7f);
  const starts = new Int32Array(records.length);
  const ends = new Int32Array(records.length);
  let at = 0;
  values.forEach((value, i) => {
    bytes.set(value, at);
    starts[i] = at;
    ends[i] = at + value.length;
    at += value.length + 1;
  });
  return {
    kind: 'records',
    partition,
    bytes,
    count: records.length,
    offsets: Float64Array.from(records, ({ offset }) => offset),
    starts,
    ends,
    times: Float64Array.from(records, (record) => record.at),
    clock: more.clock ?? 'append',
    crc: more.crc ?? 0,
  };
}
