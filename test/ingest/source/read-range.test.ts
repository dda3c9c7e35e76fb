import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type RangeEnd, type RangeEvent, readRange } from '../../../ingest/source/read-range.ts';
import { SEGMENT_BYTES, cellsOf, splitForThreads } from '../../../ingest/source/segment-grid.ts';
import { tempDirectory } from './support.ts';

function read(
  path: string,
  from: number,
  to: number,
  options: { readonly lineBytesMax?: number } = {},
): { readonly events: RangeEvent[]; readonly end: RangeEnd } {
  const events: RangeEvent[] = [];
  const range = readRange(path, from, to, options);
  for (let step = range.next(); ; step = range.next()) {
    if (step.done === true) return { events, end: step.value };
    events.push(step.value.kind === 'block' ? { ...step.value, bytes: Uint8Array.from(step.value.bytes) } : step.value);
  }
}

/** `offset:text` of each line. */
function lines(events: readonly RangeEvent[]): string[] {
  return events.flatMap((event) => {
    if (event.kind !== 'block') return event.kind === 'oversized' ? [`${event.offset}:oversized ${event.length}`] : [event.message];
    let at = event.offset;
    return Buffer.from(event.bytes)
      .toString('latin1')
      .split(/(?<=\n)/)
      .map((line) => {
        at += line.length;
        return `${at - line.length}:${line}`;
      });
  });
}

const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '\n'), maxLength: 300 });

describe('ranges of a file', () => {
  test('ranges that tile a file deliver each line once, in the range where it starts', () => {
    using directory = tempDirectory();
    const path = directory.path('log');
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 80 }), (text, segmentBytes) => {
        writeFileSync(path, text);
        const expected: string[] = [];
        let at = 0;
        for (const line of text.split(/(?<=\n)/)) {
          if (line !== '') expected.push(`${at}:${line}`);
          at += line.length;
        }
        const found = cellsOf(text.length, segmentBytes).map(({ from, to }) => ({ from, to, lines: lines(read(path, from, to).events) }));
        expect(found.flatMap(({ lines }) => lines)).toEqual(expected);
        for (const { from, to, lines } of found) {
          for (const line of lines) expect(Number.parseInt(line, 10) >= from && Number.parseInt(line, 10) < to).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('a line longer than many ranges belongs to the one where it starts; those within it are empty', () => {
    using directory = tempDirectory();
    const path = directory.path('log');
    writeFileSync(path, `start\n${'x'.repeat(700_000)}\nlast`);
    const at = (from: number, to: number): number[] => read(path, from, to).events.map((event) => (event.kind === 'block' ? event.bytes.length : -1));
    expect(at(0, 6)).toEqual([6]);
    expect(at(6, 100)).toEqual([700_001]);
    expect(at(100, 400_000)).toEqual([]);
    expect(at(400_000, 700_007)).toEqual([]);
    expect(at(700_007, 9_000_000)).toEqual([4]);
    expect(lines(read(path, 0, 9_000_000, { lineBytesMax: 1000 }).events)).toEqual(['0:start\n', '6:oversized 700001', '700007:last']);
  });

  test('a file that is shorter than the range says so', () => {
    using directory = tempDirectory();
    const path = directory.path('log');
    writeFileSync(path, 'one\ntwo\n');
    expect(read(path, 0, 8).end).toEqual({ next: 8, isShort: false });
    expect(read(path, 0, 100).end).toEqual({ next: 8, isShort: true });
    expect(read(path, 4, 8).end).toEqual({ next: 8, isShort: false });
  });

  test('what cannot be opened is one line, not an exception', () => {
    using directory = tempDirectory();
    expect(lines(read(directory.path('absent'), 0, 10).events)).toEqual(['no such file: check the name']);
    expect(lines(read(directory.root, 0, 10).events)).toHaveLength(1);
  });

  test('threads share a file by whole cells, as equal as cells allow', () => {
    expect(SEGMENT_BYTES).toBe(33_554_432);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 700 }), (size, parts, segmentBytes) => {
        const shares = splitForThreads(size, parts, segmentBytes);
        expect(shares.length).toBe(Math.min(parts, Math.ceil(size / segmentBytes)));
        let at = 0;
        for (const { from, to } of shares) {
          expect(from).toBe(at);
          expect(from % segmentBytes).toBe(0);
          expect(to).toBeGreaterThan(from);
          at = to;
        }
        expect(at).toBe(size === 0 ? 0 : size);
        const cells = shares.map(({ from, to }) => Math.ceil((to - from) / segmentBytes));
        if (cells.length > 0) expect(Math.max(...cells) - Math.min(...cells)).toBeLessThanOrEqual(1);
      }),
    );
  });
});
