import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LENGTH_CREATE_TIME, LENGTH_PACKED, LENGTH_SINGLE, endsBefore, spanOf, spanWith } from '../../../ingest/segment/chain.ts';
import { ChainSegment } from '../../../ingest/segment/chain-segment.ts';
import { recordTime } from '../../../ingest/segment/record-time.ts';
import { recordBlock } from '../../support/record-block.ts';
import { blockOf, boundariesOf, logArb } from '../record-log.ts';

const T = Date.UTC(2026, 0, 5, 10);

describe('the length of a segment', () => {
  const first = { at: T, isPacked: false, clock: 'append' as const, crc: 9 };

  test('is decided by its first record: single, packed, or stamped by producers', () => {
    expect(spanOf(first)).toEqual({ firstAt: T, length: LENGTH_SINGLE, crc: 9 });
    expect(spanOf({ ...first, isPacked: true }).length).toBe(LENGTH_PACKED);
    expect(spanOf({ ...first, clock: 'create' }).length).toBe(LENGTH_CREATE_TIME);
    expect(spanOf({ ...first, clock: 'create', isPacked: true }).length).toBe(LENGTH_PACKED);
    expect([LENGTH_SINGLE, LENGTH_PACKED, LENGTH_CREATE_TIME]).toEqual([1_048_576, 16_384, 65_536]);
  });

  test('never changes: what processes cut differently would be counted twice', () => {
    const span = spanOf(first);
    expect(endsBefore(span, 100, { offset: 100 + 2 ** 20 - 1, at: T })).toBe(false);
    expect(endsBefore(span, 100, { offset: 100 + 2 ** 20, at: T })).toBe(true);
  });
});

describe('the end of a segment by time', () => {
  const span = spanOf({ at: T, isPacked: false, clock: 'append', crc: 0 });

  test('is before the first record a minute after its first one, however the clock goes in between', () => {
    expect(endsBefore(span, 0, { offset: 5, at: T + 59_999 })).toBe(false);
    expect(endsBefore(span, 0, { offset: 5, at: T + 60_000 })).toBe(true);
    expect(endsBefore(span, 0, { offset: 5, at: T - 3_600_000 })).toBe(false);
  });

  test('is not where a record has no time, or one that is none', () => {
    for (const at of [-1, 0, Number.NaN, Date.UTC(2101, 0, 1)]) {
      expect(recordTime(at)).toBe(-1);
      expect(endsBefore(span, 0, { offset: 5, at })).toBe(false);
    }
  });

  test('counts from the first record that has a time', () => {
    const timeless = spanOf({ at: -1, isPacked: false, clock: 'append', crc: 0 });
    expect(endsBefore(timeless, 0, { offset: 5, at: T })).toBe(false);
    const timed = spanWith(timeless, T);
    expect(timed.firstAt).toBe(T);
    expect(spanWith(timed, T + 1)).toBe(timed);
    expect(spanWith(timeless, -1)).toBe(timeless);
    expect(endsBefore(timed, 0, { offset: 6, at: T + 60_000 })).toBe(true);
  });
});

test('a block is looked at record by record only where one of it can end the segment', () => {
  const chain = new ChainSegment();
  const block = (from: number, times: readonly number[]): ReturnType<typeof recordBlock> =>
    recordBlock(
      'p',
      times.map((at, i) => ({ offset: from + i, at, value: '{}' })),
    );
  const first = block(10, [T, T + 1]);
  expect(chain.mayEnd(first, 0)).toBe(true);
  chain.start = 10;
  chain.take(first, 0);
  expect(chain.mayEnd(first, 1)).toBe(false);
  expect(chain.mayEnd(block(12, [T + 59_999, T + 5]), 0)).toBe(false);
  expect(chain.mayEnd(block(12, [T + 5, T + 60_000]), 0)).toBe(true);
  expect(chain.mayEnd(block(12, [T + 60_000, T + 5]), 1)).toBe(false);
  expect(chain.mayEnd(block(10 + 2 ** 20 - 1, [T, T]), 0)).toBe(true);
});

test('the same log has the same segments, read from any of their beginnings and in blocks of any size', () => {
  fc.assert(
    fc.property(logArb, fc.nat(40), (log, pick) => {
      const boundaries = boundariesOf(log);
      const from = boundaries[pick % boundaries.length] ?? 0;
      const found: number[] = [];
      const chain = new ChainSegment();
      for (const batch of log.batches) {
        const block = blockOf(log, batch, 'p');
        for (let i = 0; i < block.count; i++) {
          const offset = block.offsets[i] ?? 0;
          if (offset < from) continue;
          if (chain.endsBefore(offset, block.times[i] ?? 0)) chain.clear(offset);
          if (chain.span === undefined) {
            found.push(offset);
            chain.start = offset;
          }
          chain.take(block, i);
        }
      }
      expect(found).toEqual(boundaries.filter((start) => start >= from));
    }),
    { numRuns: 500 },
  );
});
