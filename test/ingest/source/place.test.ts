import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FileCursor, decodeCursor, encodeCursor, identityOf } from '../../../ingest/source/file-identity.ts';
import { Place } from '../../../ingest/source/place.ts';

const EDGE = 4096;

/** The first and the last 4096 bytes before a position, taken from the stream itself. */
function edgesByHand(stream: Buffer, next: number): { readonly head: string; readonly tail: string } {
  return {
    head: stream.subarray(0, Math.min(EDGE, next)).toString('latin1'),
    tail: stream.subarray(Math.max(0, next - EDGE), next).toString('latin1'),
  };
}

function edgesOf(place: Place, next: number): { readonly head: string; readonly tail: string } {
  const { head, tail } = place.edgesAt(next);
  return { head: Buffer.from(head).toString('latin1'), tail: Buffer.from(tail).toString('latin1') };
}

/** Bytes that differ everywhere. */
const STREAM = Buffer.from(Array.from({ length: 12_000 }, (_, i) => `${i}.`).join(''));
const lengths = fc.array(fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 9000 })), { minLength: 1, maxLength: 20 });

describe('place', () => {
  test('at any position of the newest block, and at the ends of those before, the edges are those of the stream', () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 0, max: 20_000 }), fc.nat(), (lengths, from, pick) => {
        const place = new Place({ next: from, head: STREAM.subarray(0, Math.min(from, EDGE)), tail: STREAM.subarray(Math.max(0, from - EDGE), from) });
        const ends = [from];
        const buffer = Buffer.alloc(9000);
        let at = from;
        for (const length of lengths) {
          if (at + length > STREAM.length) break;
          // The reader's buffer is used again for every block.
          place.settle();
          buffer.fill(0).set(STREAM.subarray(at, at + length));
          place.advance(buffer.subarray(0, length));
          const inside = at + (pick % (length + 1));
          expect(edgesOf(place, inside)).toEqual(edgesByHand(STREAM, inside));
          at += length;
          ends.push(at);
        }
        for (const end of ends.slice(-3)) expect(edgesOf(place, end)).toEqual(edgesByHand(STREAM, end));
        place.settle();
        buffer.fill(0);
        expect(edgesOf(place, at)).toEqual(edgesByHand(STREAM, at));
      }),
      { numRuns: 300 },
    );
  });

  test('a line that was passed over is part of what lies before', () => {
    const place = new Place({ next: 0, head: STREAM.subarray(0, EDGE), tail: new Uint8Array(0) });
    place.advance(STREAM.subarray(0, 10));
    place.pass(9000, STREAM.subarray(9010 - EDGE, 9010));
    place.advance(STREAM.subarray(9010, 9020));
    for (const next of [9010, 9015, 9020, 10]) expect(edgesOf(place, next)).toEqual(edgesByHand(STREAM, next));
  });

  test('a position that lies too far back is refused: its cursor would not be found again', () => {
    const place = new Place({ next: 0, head: new Uint8Array(0), tail: new Uint8Array(0) });
    for (let at = 0; at < 100; at += 10) place.advance(STREAM.subarray(at, at + 10));
    expect(() => place.edgesAt(5)).toThrow('BUG: no place is known at 5');
    expect(() => place.edgesAt(101)).toThrow('BUG');
  });
});

describe('cursor', () => {
  const cursor: FileCursor = {
    ...identityOf(20, { head: Buffer.from('the head'), tail: Buffer.from('the tail') }),
    device: '65024',
    inode: '18446744073709551615',
    path: '/var/log/a "quoted" name\n.log',
    compression: 'gzip',
    isDone: true,
    stamp: '17-123456789',
  };

  test('what is stored is what was known, to the last digit of an inode', () => {
    expect(decodeCursor(encodeCursor(cursor))).toEqual(cursor);
    const plain: FileCursor = {
      ...identityOf(0, { head: new Uint8Array(0), tail: new Uint8Array(0) }),
      device: '1',
      inode: '2',
      path: 'a',
      compression: 'none',
      isDone: false,
    };
    expect(decodeCursor(encodeCursor(plain))).toEqual(plain);
    expect(encodeCursor(plain).length).toBeLessThan(220);
  });

  test('what this version cannot read is no cursor, never an exception', () => {
    const whole = JSON.parse(encodeCursor(cursor)) as Record<string, unknown>;
    for (const text of [
      '',
      'null',
      '[]',
      '7',
      '{"v":1}',
      '{broken',
      JSON.stringify({ ...whole, v: 2 }),
      JSON.stringify({ ...whole, zip: 'rar' }),
      JSON.stringify({ ...whole, tail: 'x' }),
    ]) {
      expect(decodeCursor(text)).toBeUndefined();
    }
  });
});
