import { deflateRawSync, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { detectCompression } from '../../../ingest/source/compression.ts';
import { Decompressor } from '../../../ingest/source/decompress.ts';

type Unpacked = { readonly text: string; readonly problem: string | undefined; readonly largest: number; readonly position: number };

async function unpack(compression: 'gzip' | 'zstd', packed: Uint8Array, pieceBytes = 65_536): Promise<Unpacked> {
  let at = 0;
  const piece = Buffer.alloc(pieceBytes);
  const stream = new Decompressor(compression, () => {
    // The same memory each time, as a file reader does.
    const length = Buffer.from(packed.buffer, packed.byteOffset, packed.length).copy(piece, 0, at);
    at += length;
    return Promise.resolve(piece.subarray(0, length));
  });
  const chunks: Uint8Array[] = [];
  for (let chunk = await stream.read(); chunk.length > 0; chunk = await stream.read()) chunks.push(chunk);
  expect(stream.isEnded).toBe(true);
  return {
    text: Buffer.concat(chunks).toString(),
    problem: stream.problem,
    largest: Math.max(0, ...chunks.map(({ length }) => length)),
    position: stream.position,
  };
}

/** 900 KB that do not pack to nothing. */
const LONG = Array.from({ length: 30_000 }, (_, i) => `line ${i} ${Math.sin(i)}\n`).join('');
const SHORT = 'a line\nand another\n';
const GZIP = gzipSync(LONG);
const ZSTD = zstdCompressSync(LONG);
const SKIPPABLE = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);

/** A gzip member with every optional field: extra, name, comment and header checksum. */
function gzipWithFields(content: string): Buffer {
  const plain = gzipSync(content);
  const header = Buffer.concat([
    Buffer.from([0x1f, 0x8b, 8, 4 | 8 | 16 | 2, 0, 0, 0, 0, 0, 3]),
    Buffer.from([4, 0, 65, 66, 67, 68]),
    Buffer.from('name.log\0a comment\0'),
    Buffer.from([1, 2]),
  ]);
  return Buffer.concat([header, deflateRawSync(content), plain.subarray(plain.length - 8)]);
}

describe('decompression', () => {
  test('the packing is told by the first bytes', () => {
    expect(detectCompression(GZIP)).toBe('gzip');
    expect(detectCompression(ZSTD)).toBe('zstd');
    expect(detectCompression(SKIPPABLE)).toBe('zstd');
    expect(detectCompression(Buffer.from('{"time":1}'))).toBe('none');
    expect(detectCompression(Buffer.from([0x1f]))).toBe('none');
  });

  test('members and frames one after the other, padding and skippable frames are one stream', async () => {
    for (const pieceBytes of [65_536, 1000, 7]) {
      const text = pieceBytes === 7 ? SHORT : LONG;
      const gzip = gzipSync(text);
      const zstd = zstdCompressSync(text);
      const clean = { text: text + text, problem: undefined };
      expect(await unpack('gzip', Buffer.concat([gzip, gzip]), pieceBytes)).toMatchObject(clean);
      expect(await unpack('gzip', Buffer.concat([gzip, Buffer.alloc(1500), gzip, Buffer.alloc(20)]), pieceBytes)).toMatchObject(clean);
      expect(await unpack('gzip', Buffer.concat([gzipWithFields(text), gzip]), pieceBytes)).toMatchObject(clean);
      expect(await unpack('zstd', Buffer.concat([zstd, zstd]), pieceBytes)).toMatchObject(clean);
      expect(await unpack('zstd', Buffer.concat([SKIPPABLE, zstd, SKIPPABLE, zstd, SKIPPABLE]), pieceBytes)).toMatchObject(clean);
    }
  });

  test('wherever members are cut into pieces, the content is the same', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string(), { minLength: 1, maxLength: 5 }),
        fc.constantFrom('gzip' as const, 'zstd' as const),
        fc.integer({ min: 1, max: 40 }),
        async (parts, kind, pieceBytes) => {
          const packed = Buffer.concat(parts.map((part) => (kind === 'gzip' ? gzipSync(part) : zstdCompressSync(part))));
          expect(await unpack(kind, packed, pieceBytes)).toMatchObject({ text: parts.join(''), problem: undefined });
        },
      ),
      { numRuns: 200 },
    );
  });

  test('what is readable of a truncated file is kept, and it is called truncated', async () => {
    for (const [kind, packed, least] of [
      ['gzip', GZIP, 700_000],
      ['zstd', ZSTD, 500_000],
    ] as const) {
      const cut = await unpack(kind, packed.subarray(0, packed.length - 20_000));
      expect(cut.problem).toBe('truncated');
      expect(cut.text.length).toBeGreaterThan(least);
      expect(LONG.startsWith(cut.text)).toBe(true);
    }
    expect(await unpack('gzip', GZIP.subarray(0, GZIP.length - 3))).toMatchObject({ text: LONG, problem: 'truncated' });
    expect(await unpack('gzip', GZIP.subarray(0, 7))).toMatchObject({ text: '', problem: 'truncated' });
    expect(await unpack('gzip', Buffer.concat([GZIP, GZIP.subarray(0, 5)]))).toMatchObject({ text: LONG, problem: 'truncated' });
    expect(await unpack('gzip', Buffer.concat([gzipSync(SHORT), GZIP.subarray(0, 100_000)]))).toMatchObject({ problem: 'truncated' });
  });

  test('other bytes after the end cost nothing of what came before them', async () => {
    const garbage = Buffer.from('this is no member and no frame');
    for (const pieceBytes of [65_536, 100]) {
      expect(await unpack('gzip', Buffer.concat([GZIP, garbage]), pieceBytes)).toMatchObject({ text: LONG, problem: 'trailing' });
    }
    expect(await unpack('zstd', Buffer.concat([ZSTD, garbage]))).toMatchObject({ text: LONG, problem: 'trailing' });
  });

  test('damage is reported, and everything before the damaged piece is kept', async () => {
    const broken = Buffer.from(GZIP);
    broken.fill(0xff, 200_000, 200_100);
    const damaged = await unpack('gzip', broken);
    expect(damaged.problem).toBe('damaged');
    expect(damaged.text.length).toBeGreaterThan(200_000);
    const checksum = Buffer.from(GZIP);
    checksum[checksum.length - 6] = (checksum[checksum.length - 6] ?? 0) ^ 0x55;
    expect(await unpack('gzip', checksum)).toMatchObject({ text: LONG, problem: 'damaged' });
  });

  test('a bomb is unpacked in small pieces', async () => {
    const zeros = Buffer.alloc(100 << 20);
    for (const [kind, packed] of [
      ['gzip', gzipSync(zeros)],
      ['zstd', zstdCompressSync(zeros)],
    ] as const) {
      let at = 0;
      const stream = new Decompressor(kind, () => {
        const piece = packed.subarray(at, at + 65_536);
        at += piece.length;
        return Promise.resolve(piece);
      });
      let largest = 0;
      for (let chunk = await stream.read(); chunk.length > 0; chunk = await stream.read()) largest = Math.max(largest, chunk.length);
      expect(stream.position).toBe(zeros.length);
      expect(largest).toBeLessThanOrEqual(1 << 18);
    }
  });

  test('the same bytes unpack to the same position at every reading, damaged or not', async () => {
    const broken = Buffer.from(GZIP);
    broken.fill(0xff, 200_000, 200_100);
    const first = await unpack('gzip', broken);
    const second = await unpack('gzip', broken);
    expect(second.position).toBe(first.position);
    expect(second.text).toBe(first.text);
  });
});
