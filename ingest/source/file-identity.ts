import { hash } from 'node:crypto';
import type { Offset } from '../../core/types.ts';
import type { Compression } from './compression.ts';
import type { Edges } from './place.ts';

/**
 * What a file is known by: its first bytes and those before the position, in the decompressed stream. A rename, a
 * copy or a gzip of the file keeps all of it; a truncation does not.
 */
export type Identity = {
  readonly next: Offset;
  /** At most 4096 and at most `next`: a file that was short when it was seen still matches after it grew. */
  readonly headLength: number;
  readonly headHash: string;
  /** Of the first 32 bytes: tells whether a file shorter than the head may be the beginning of a copy. */
  readonly firstHash: string;
  /** At most 4096 and at most `next`; 0 where it could not be remembered. */
  readonly tailLength: number;
  readonly tailHash: string;
};

/** What is stored beside `next`. Device, inode and path are hints; the identity decides. */
export type FileCursor = Identity & {
  readonly device: string;
  readonly inode: string;
  readonly path: string;
  readonly compression: Compression;
  /** Read to its end, and the end was announced. */
  readonly isDone: boolean;
  /** Size and change time of the file itself when it was done: an unchanged archive need not be unpacked again. */
  readonly stamp?: string | undefined;
};

/** How much of the beginning `firstHash` covers. */
export const FIRST_BYTES = 32;

/** Two files are told apart by the first 96 bits of SHA-256: log content is chosen by strangers. */
export function edgeHash(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex').slice(0, 24);
}

export function identityOf(next: Offset, edges: Edges): Identity {
  const { head, tail } = edges;
  return {
    next,
    headLength: head.length,
    headHash: edgeHash(head),
    firstHash: edgeHash(head.subarray(0, FIRST_BYTES)),
    tailLength: tail.length,
    tailHash: edgeHash(tail),
  };
}

/** The name of an inode within this machine, as hints and the table of open files use it. */
export function inodeKey(device: bigint | string, inode: bigint | string): string {
  return `${device}:${inode}`;
}

const CURSOR_VERSION = 1;

export function encodeCursor(cursor: FileCursor): string {
  return JSON.stringify({
    v: CURSOR_VERSION,
    next: cursor.next,
    head: [cursor.headLength, cursor.headHash],
    first: cursor.firstHash,
    tail: [cursor.tailLength, cursor.tailHash],
    dev: cursor.device,
    ino: cursor.inode,
    path: cursor.path,
    ...(cursor.compression === 'none' ? {} : { zip: cursor.compression }),
    ...(cursor.isDone ? { done: true } : {}),
    ...(cursor.stamp === undefined ? {} : { stamp: cursor.stamp }),
  });
}

/** Undefined for what this version cannot read: it is then treated as a file that was never seen. */
export function decodeCursor(text: string): FileCursor | undefined {
  const value = parseObject(text);
  if (value === undefined || value['v'] !== CURSOR_VERSION) return undefined;
  const { next, first, dev, ino, path, stamp } = value;
  const head = parseEdge(value['head']);
  const tail = parseEdge(value['tail']);
  const compression = parseCompression(value['zip']);
  if (typeof next !== 'number' || typeof first !== 'string') return undefined;
  if (typeof dev !== 'string' || typeof ino !== 'string' || typeof path !== 'string') return undefined;
  if (head === undefined || tail === undefined || compression === undefined) return undefined;
  return {
    next,
    headLength: head.length,
    headHash: head.hash,
    firstHash: first,
    tailLength: tail.length,
    tailHash: tail.hash,
    device: dev,
    inode: ino,
    path,
    compression,
    isDone: value['done'] === true,
    ...(typeof stamp === 'string' ? { stamp } : {}),
  };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function parseEdge(value: unknown): { readonly length: number; readonly hash: string } | undefined {
  if (!Array.isArray(value)) return undefined;
  const [length, text] = value as readonly unknown[];
  return typeof length === 'number' && typeof text === 'string' ? { length, hash: text } : undefined;
}

function parseCompression(value: unknown): Compression | undefined {
  if (value === undefined) return 'none';
  return value === 'gzip' || value === 'zstd' ? value : undefined;
}
