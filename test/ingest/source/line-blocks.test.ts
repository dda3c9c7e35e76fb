import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LineBlocks, type LineEvent } from '../../../ingest/source/line-blocks.ts';

/** A line as the stream has it: where it starts, and its text with the line feed, or only its length when too long. */
type Line = readonly [offset: number, text: string | number];

/** The lines of a stream by counting, with nothing of the code under test. */
function linesByHand(text: string, lineBytesMax: number): Line[] {
  const lines: Line[] = [];
  let offset = 0;
  for (const part of text.split(/(?<=\n)/)) {
    if (part === '') continue;
    const bare = part.endsWith('\n') ? part.length - 1 : part.length;
    lines.push([offset, bare > lineBytesMax ? part.length : part]);
    offset += part.length;
  }
  return lines;
}

function linesOf(events: readonly LineEvent[]): Line[] {
  return events.flatMap((event): Line[] => {
    if (event.kind === 'oversized') return [[event.offset, event.length]];
    let offset = event.offset;
    return Buffer.from(event.bytes)
      .toString('latin1')
      .split(/(?<=\n)/)
      .map((text) => {
        offset += text.length;
        return [offset - text.length, text];
      });
  });
}

/** Runs chunks through, as a reader would that reuses its buffer. */
function cut(chunks: readonly string[], config: { readonly lineBytesMax: number; readonly segmentBytes: number }): LineEvent[] {
  const lines = new LineBlocks({ offset: 0, ...config });
  const all: LineEvent[] = [];
  const take = (events: readonly LineEvent[]): void => {
    for (const event of events) all.push(event.kind === 'block' ? { ...event, bytes: Uint8Array.from(event.bytes) } : event);
  };
  const buffer = Buffer.alloc(4096);
  for (const chunk of chunks) {
    buffer.fill(0x5a);
    buffer.write(chunk, 'latin1');
    take(lines.push(buffer.subarray(0, chunk.length)));
  }
  take(lines.end());
  return all;
}

const chunks = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '\n', '\r', '\0', '\xff'), maxLength: 40 }), { maxLength: 20 });
const limits = fc.record({ lineBytesMax: fc.integer({ min: 1, max: 30 }), segmentBytes: fc.integer({ min: 1, max: 64 }) });

describe('line blocks', () => {
  test('any chunking gives the same lines, and the same lines are too long', () => {
    fc.assert(
      fc.property(chunks, limits, (chunks, limits) => {
        expect(linesOf(cut(chunks, limits))).toEqual(linesByHand(chunks.join(''), limits.lineBytesMax));
      }),
      { numRuns: 3000 },
    );
  });

  test('all lines of a block start in one cell of the grid', () => {
    fc.assert(
      fc.property(chunks, limits, (chunks, limits) => {
        for (const event of cut(chunks, limits)) {
          const starts = linesOf([event]).map(([offset]) => Math.floor(offset / limits.segmentBytes));
          expect(new Set(starts).size).toBe(1);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('a block is a part of the chunk; only the line at the seam is copied', () => {
    const lines = new LineBlocks({ offset: 0 });
    const first = Buffer.from('one\ntwo\nthr');
    const second = Buffer.from('ee\nfour\n');
    expect(lines.push(first).map((event) => event.kind === 'block' && event.bytes.buffer === first.buffer)).toEqual([true]);
    const [seam, rest] = lines.push(second);
    expect(seam).toMatchObject({ kind: 'block', offset: 8, bytes: Buffer.from('three\n') });
    expect(rest).toMatchObject({ kind: 'block', offset: 14 });
    expect(rest?.kind === 'block' && rest.bytes.buffer === second.buffer).toBe(true);
  });

  test('a line of the limit is delivered, one byte more is passed over, however long it is', () => {
    const text = `${'x'.repeat(10)}\n${'y'.repeat(11)}\n${'z'.repeat(5000)}\nend\n`;
    const events = cut([text.slice(0, 4000), text.slice(4000)], { lineBytesMax: 10, segmentBytes: 2 ** 25 });
    expect(linesOf(events)).toEqual([
      [0, `${'x'.repeat(10)}\n`],
      [11, 12],
      [23, 5001],
      [5024, 'end\n'],
    ]);
  });

  test('memory stays flat within an endless line', () => {
    const lines = new LineBlocks({ offset: 0, lineBytesMax: 1 << 20 });
    const chunk = new Uint8Array(1 << 18).fill(0x61);
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 4000; i++) expect(lines.push(chunk)).toEqual([]);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 << 20);
    expect(lines.pendingBytes).toBe(4000 * chunk.length);
    expect(lines.push(Buffer.from('\n'))).toMatchObject([{ kind: 'oversized', offset: 0, length: 4000 * chunk.length + 1 }]);
  });

  test('carriage returns and NULs stay in: they are the business of the parser', () => {
    expect(linesOf(cut(['a\r\n', '\0b\n'], { lineBytesMax: 9, segmentBytes: 99 }))).toEqual([
      [0, 'a\r\n'],
      [3, '\0b\n'],
    ]);
  });
});
