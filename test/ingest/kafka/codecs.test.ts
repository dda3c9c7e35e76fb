import fc from 'fast-check';
import { gzipSync } from 'node:zlib';
import { lz4Compress, snappyCompress } from '@platformatic/wasm-utils';
import { describe, expect, test } from 'vitest';
import { COMPRESSION, compress, decompress } from '../../../ingest/kafka/codecs.ts';
import { crc32c } from '../../../ingest/kafka/crc32c.ts';

const CODECS = Object.entries(COMPRESSION).filter(([, type]) => type !== 0);
const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 400 }),
  fc.array(fc.constantFrom('{"status":200}', 'kf1_', 'é', '\n'), { maxLength: 60 }).map((parts) => Buffer.from(parts.join(''))),
);

describe.each(CODECS)('%s', (_name, type) => {
  test('gives back what was packed, whether it is short or longer than its inner blocks', () => {
    const long = Buffer.from(Array.from({ length: 40_000 }, (_, index) => `{"n":${index * 31}}`).join('\n'));
    fc.assert(fc.property(anyBytes, (bytes) => Buffer.from(unpack(type, compress(type, bytes))).equals(bytes)));
    expect(Buffer.from(unpack(type, compress(type, long))).equals(long)).toBe(true);
  });

  test('takes exactly the limit and refuses one byte more', () => {
    const bytes = Buffer.from('abcdefgh'.repeat(20_000));
    expect(decompress(type, compress(type, bytes), bytes.length)).toHaveLength(bytes.length);
    expect(decompress(type, compress(type, bytes), bytes.length - 1)).toMatchObject({ damage: expect.stringMatching(/larger than 159999 bytes/) });
  });

  test('damaged and cut bytes are a value that says so', () => {
    const packed = Buffer.from(compress(type, Buffer.from('{"status":200}'.repeat(50))));
    fc.assert(
      fc.property(fc.nat(packed.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, flip, isCut) => {
        const changed = Buffer.from(packed);
        changed[at] = (changed[at] ?? 0) ^ flip;
        const unpacked = decompress(type, isCut ? packed.subarray(0, at) : changed, 10_000);
        if (unpacked instanceof Uint8Array) expect(unpacked.length).toBeLessThanOrEqual(10_000);
        else expect(unpacked.damage).not.toBe('');
      }),
      { numRuns: 1_000 },
    );
  });

  test('never throws on garbage', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (garbage) => {
        const unpacked = decompress(type, garbage, 100_000);
        expect(unpacked instanceof Uint8Array || unpacked.damage !== '').toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });
});

test('a gigabyte of zeros in a gzip stream costs no gigabyte', () => {
  const zeros = Buffer.alloc(64 << 20);
  const bomb = Buffer.concat(Array.from({ length: 16 }, () => gzipSync(zeros)));
  const before = process.memoryUsage().rss;
  expect(decompress(COMPRESSION.gzip, bomb)).toMatchObject({ damage: expect.stringMatching(/larger than 67108864/) });
  expect(process.memoryUsage().rss - before).toBeLessThan(300 << 20);
});

test('snappy is read with and without the frame of Java, also when frames were put together', () => {
  const text = Buffer.from('one two three '.repeat(10));
  expect(Buffer.from(unpack(COMPRESSION.snappy, snappyCompress(text))).equals(text)).toBe(true);
  const framed = compress(COMPRESSION.snappy, text);
  expect(Buffer.from(framed.subarray(0, 8)).toString('hex')).toBe('82534e4150505900');
  expect(Buffer.from(unpack(COMPRESSION.snappy, Buffer.concat([framed, framed]))).equals(Buffer.concat([text, text]))).toBe(true);
});

test('an lz4 bomb of many small blocks is measured by its sequences before it is unpacked', () => {
  // A frame's blocks may state a maximum of 4 MiB each: here the bound of the headers alone says nothing.
  const frame = Buffer.from(lz4Compress(Buffer.alloc(3_000_000)));
  expect(decompress(COMPRESSION.lz4, frame, 2_999_999)).toMatchObject({ damage: 'lz4 output is larger than 2999999 bytes' });
  expect(decompress(COMPRESSION.lz4, frame, 3_000_000)).toHaveLength(3_000_000);
});

test('the checksum is CRC-32C', () => {
  // RFC 3720, appendix B.4.
  expect(crc32c(Buffer.alloc(32)).toString(16)).toBe('8a9136aa');
  expect(crc32c(Buffer.alloc(32, 0xff)).toString(16)).toBe('62a8ab43');
  expect(crc32c(Buffer.from('123456789')).toString(16)).toBe('e3069283');
});

function unpack(type: number, bytes: Uint8Array): Uint8Array {
  const unpacked = decompress(type, bytes);
  if (!(unpacked instanceof Uint8Array)) throw new Error(unpacked.damage);
  return unpacked;
}
