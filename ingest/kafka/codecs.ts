import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { decodeLz4, encodeLz4 } from './codecs-lz4.ts';
import { decodeSnappy, encodeSnappy } from './codecs-snappy.ts';

/** What is wrong with bytes that came from elsewhere, as one phrase. */
export type Damage = { readonly damage: string };

/** How the records of a batch are packed: the low three bits of its attributes. */
export const COMPRESSION = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const;

/** Default bound of what one batch may unpack to. A topic takes 1 MiB of compressed bytes unless it was told otherwise; its honest content is far below this. */
export const UNPACKED_MAX = 64 * 1024 * 1024;

/**
 * Unpacks the records of one batch, at most `cap` bytes: a bomb or a damaged stream is a value, never a memory fault.
 * Uncompressed bytes come back as they are, not copied.
 */
export function decompress(type: number, bytes: Uint8Array, cap = UNPACKED_MAX): Uint8Array | Damage {
  switch (type) {
    case COMPRESSION.none:
      return bytes.length <= cap ? bytes : { damage: `records are larger than ${cap} bytes` };
    case COMPRESSION.gzip:
      return guardZlib('gzip', cap, () => gunzipSync(bytes, { maxOutputLength: cap }));
    case COMPRESSION.snappy:
      return decodeSnappy(bytes, cap);
    case COMPRESSION.lz4:
      return decodeLz4(bytes, cap);
    case COMPRESSION.zstd:
      return guardZlib('zstd', cap, () => zstdDecompressSync(bytes, { maxOutputLength: cap }));
    default:
      return { damage: `compression type ${type} is not known` };
  }
}

/** Packs records for a producer. */
export function compress(type: number, bytes: Uint8Array): Uint8Array {
  switch (type) {
    case COMPRESSION.none:
      return bytes;
    case COMPRESSION.gzip:
      return gzipSync(bytes);
    case COMPRESSION.snappy:
      return encodeSnappy(bytes);
    case COMPRESSION.lz4:
      return encodeLz4(bytes);
    case COMPRESSION.zstd:
      return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 3 } });
    default:
      throw new Error(`BUG: compression type ${type} is not known`);
  }
}

function guardZlib(codec: string, cap: number, run: () => Uint8Array): Uint8Array | Damage {
  try {
    return run();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ERR_BUFFER_TOO_LARGE') return { damage: `${codec} output is larger than ${cap} bytes` };
    if (typeof code === 'string' && /^(?:Z_|ZSTD_)/.test(code)) return { damage: `${codec} data is damaged (${code})` };
    throw error;
  }
}
