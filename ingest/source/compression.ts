/** How a file is packed, told by its first bytes and never by its name. */
export type Compression = 'none' | 'gzip' | 'zstd';

/** Enough bytes for `detectCompression` and `unsupportedPacking`. */
export const MAGIC_BYTES = 6;

export function detectCompression(head: Uint8Array): Compression {
  if (startsWith(head, [0x1f, 0x8b, 0x08])) return 'gzip';
  if (isZstdFrame(head)) return 'zstd';
  return 'none';
}

/** A frame of content, or one that decoders skip. */
export function isZstdFrame(head: Uint8Array): boolean {
  return startsWith(head, [0x28, 0xb5, 0x2f, 0xfd]) || ((head[0] ?? 0) >> 4 === 5 && startsWith(head.subarray(1), [0x2a, 0x4d, 0x18]));
}

const UNSUPPORTED: readonly { readonly name: string; readonly magic: readonly number[]; readonly unpackWith: string }[] = [
  { name: 'a bzip2 file', magic: [0x42, 0x5a, 0x68], unpackWith: 'bunzip2' },
  { name: 'an xz file', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], unpackWith: 'unxz' },
  { name: 'an lz4 file', magic: [0x04, 0x22, 0x4d, 0x18], unpackWith: 'unlz4' },
  { name: 'a zip archive', magic: [0x50, 0x4b, 0x03, 0x04], unpackWith: 'unzip' },
];

/** A packing that people use for logs and that we do not read, with the program that unpacks it. */
export function unsupportedPacking(head: Uint8Array): { readonly name: string; readonly unpackWith: string } | undefined {
  return UNSUPPORTED.find((packing) => startsWith(head, packing.magic));
}

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return bytes.length >= magic.length && magic.every((byte, index) => bytes[index] === byte);
}
