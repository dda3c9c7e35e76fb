import { describe, expect, test } from 'vitest';
import { SAMPLE_BYTES, isAllNul, whyNotText } from '../../../ingest/source/sample.ts';

const LINE = '203.0.113.24 - - [30/Dec/2025:09:34:00 +0000] "GET /v1/orders HTTP/1.1" 200 1604 "-" "acme/2"\n';

/** Bytes without pattern, the same at every run. */
function noise(length: number): Buffer {
  let state = 1;
  return Buffer.from(Array.from({ length }, () => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 16));
}

describe('telling logs from other files', () => {
  test('logs pass, with stray control bytes, bytes that are no UTF-8, colours, carriage returns and NULs', () => {
    const many = LINE.repeat(600);
    for (const text of [LINE, many, many.replaceAll('\n', '\r\n'), `\x1b[32m${LINE}\x1b[0m`, `\ufeff${LINE}`])
      expect(whyNotText(Buffer.from(text))).toBeUndefined();
    expect(whyNotText(Buffer.from(LINE.repeat(10).replace('GET', '\xff\xfe\x80\0\x01'), 'latin1'))).toBeUndefined();
    expect(whyNotText(Buffer.concat([Buffer.alloc(50_000), Buffer.from(LINE)]))).toBeUndefined();
  });

  test('a long first line of text is text', () => {
    expect(whyNotText(Buffer.alloc(SAMPLE_BYTES, 'a'))).toBeUndefined();
  });

  test('programs, pictures, other packings and UTF-16 are named', () => {
    expect(whyNotText(noise(SAMPLE_BYTES))).toBe('not a text file');
    expect(whyNotText(Buffer.from('\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0', 'latin1'))).toBe('not a text file');
    expect(whyNotText(Buffer.concat([Buffer.alloc(SAMPLE_BYTES - 10, 'a'), Buffer.alloc(10, 1)]))).toContain('no line feed in its first 64 KiB');
    expect(whyNotText(Buffer.from('BZh91AY&SY'))).toBe('a bzip2 file: unpack it first, for instance with bunzip2');
    expect(whyNotText(Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0]))).toContain('an xz file');
    expect(whyNotText(Buffer.from('PK\x03\x04', 'latin1'))).toContain('unzip');
    expect(whyNotText(Buffer.from(`\ufeff${LINE}`, 'utf16le'))).toContain('UTF-16');
  });

  test('a hole is not text yet', () => {
    expect(isAllNul(Buffer.alloc(10))).toBe(true);
    expect(isAllNul(Buffer.from('\0\0a'))).toBe(false);
    expect(isAllNul(Buffer.alloc(0))).toBe(false);
  });
});
