import { type FileHandle, open } from 'node:fs/promises';
import { type Compression, MAGIC_BYTES, detectCompression } from './compression.ts';
import { fsReason } from './fs-problem.ts';
import { firstChunks, joinHead, readAt, unpack } from './packed-file.ts';
import { SAMPLE_BYTES, isAllNul, whyNotText } from './sample.ts';

/** A file that can be read as a log. */
export type Inspection = {
  readonly compression: Compression;
  /** As stored. */
  readonly sizeBytes: number;
  /** At most 64 KiB of the unpacked beginning. */
  readonly head: Uint8Array;
};

/** Looks at the beginning of a regular file: how it is packed, whether it is a log at all, or why not in words that follow its name. */
export async function inspectFile(path: string): Promise<Inspection | { readonly whyNot: string }> {
  try {
    await using handle = await open(path, 'r');
    const { size } = await handle.stat();
    return await inspectHandle(handle, size);
  } catch (error) {
    return { whyNot: fsReason(error) };
  }
}

async function inspectHandle(handle: FileHandle, sizeBytes: number): Promise<Inspection | { readonly whyNot: string }> {
  if (sizeBytes === 0) return { whyNot: 'is empty: nothing to read' };
  const raw = await readAt(handle, 0, SAMPLE_BYTES);
  const compression = detectCompression(raw.subarray(0, MAGIC_BYTES));
  let head = raw;
  if (compression !== 'none') {
    const stream = unpack(handle, compression);
    head = joinHead(await firstChunks(stream, SAMPLE_BYTES), SAMPLE_BYTES);
    stream.close();
    if (head.length === 0) return { whyNot: stream.problemText ?? 'is empty once unpacked: nothing to read' };
  }
  const whyNot = isAllNul(head) ? 'not a text file' : whyNotText(head);
  return whyNot === undefined ? { compression, sizeBytes, head } : { whyNot: `is ${whyNot}` };
}
