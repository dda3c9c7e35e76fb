import { open } from 'node:fs/promises';
import type { Compression } from './compression.ts';
import { edgeHash } from './file-identity.ts';
import { errorCode } from './fs-problem.ts';
import { EDGE_BYTES, LastBytes } from './last-bytes.ts';
import { readAt, unpack } from './packed-file.ts';

export type ListedFile = { readonly path: string; readonly compression: Compression; /** The beginning of the unpacked content. */ readonly head: Uint8Array };

type Extent = { readonly size: number; readonly tailHash: string };

/**
 * Tells a file whose unpacked content was already read under another name (a rotated file and its gzip, a backup
 * copy): same beginning, same length, same end. Only where beginnings agree are files measured, so it costs nothing
 * without copies.
 */
export class ContentLedger {
  readonly #byHead = new Map<string, { readonly file: ListedFile; extent: Promise<Extent | undefined> | undefined }[]>();

  /** The path of the earlier file with the same content; the file is listed when there is none. */
  async copyOf(file: ListedFile): Promise<string | undefined> {
    const key = headKey(file.head);
    const others = this.#byHead.get(key) ?? [];
    const entry = { file, extent: others.length > 0 ? measure(file) : undefined };
    const extent = await entry.extent;
    for (const other of others) {
      other.extent ??= measure(other.file);
      const known = await other.extent;
      if (extent !== undefined && known !== undefined && known.size === extent.size && known.tailHash === extent.tailHash) return other.file.path;
    }
    this.#byHead.set(key, [...others, entry]);
    return undefined;
  }
}

function headKey(sample: Uint8Array): string {
  const head = sample.subarray(0, EDGE_BYTES);
  return `${head.length}:${edgeHash(head)}`;
}

/** Undefined for a file that went away. */
async function measure(file: ListedFile): Promise<Extent | undefined> {
  try {
    await using handle = await open(file.path, 'r');
    if (file.compression === 'none') {
      const { size } = await handle.stat();
      const length = Math.min(size, EDGE_BYTES);
      return { size, tailHash: edgeHash(await readAt(handle, size - length, length)) };
    }
    const stream = unpack(handle, file.compression);
    const tail = new LastBytes();
    for (let chunk = await stream.read(); chunk.length > 0; chunk = await stream.read()) tail.push(chunk);
    return { size: stream.position, tailHash: edgeHash(tail.view()) };
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return undefined;
  }
}
