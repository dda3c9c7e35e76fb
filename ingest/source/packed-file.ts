import type { FileHandle } from 'node:fs/promises';
import type { Compression } from './compression.ts';
import { Decompressor } from './decompress.ts';

/** How much of a packed file goes into the decoder at once. Fixed, so that damage loses the same bytes at every reading. */
const PIECE_BYTES = 1 << 16;

/** The unpacked stream of an open file, from its beginning. The handle stays the caller's. */
export function unpack(handle: FileHandle, compression: Exclude<Compression, 'none'>, onRead?: (bytes: number) => void): Decompressor {
  const piece = new Uint8Array(PIECE_BYTES);
  let position = 0;
  return new Decompressor(compression, async () => {
    const { bytesRead } = await handle.read(piece, 0, piece.length, position);
    position += bytesRead;
    onRead?.(bytesRead);
    return piece.subarray(0, bytesRead);
  });
}

/** Reads up to `length` bytes at `position`; fewer only where the file ends. */
export async function readAt(handle: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

/** The first `length` unpacked bytes, or what there is: chunk by chunk, kept whole so that none is read twice. */
export async function firstChunks(stream: { read(): Promise<Uint8Array> }, length: number): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  while (total < length) {
    const chunk = await stream.read();
    if (chunk.length === 0) break;
    chunks.push(chunk);
    total += chunk.length;
  }
  return chunks;
}

/** The first `length` bytes of chunks, in one piece. */
export function joinHead(chunks: readonly Uint8Array[], length: number): Uint8Array {
  return new Uint8Array(
    Buffer.concat(
      chunks,
      Math.min(
        length,
        chunks.reduce((sum, chunk) => sum + chunk.length, 0),
      ),
    ),
  );
}
