import { mkdir, open, readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Offset } from '../../core/types.ts';
import { errorCode } from '../source/fs-problem.ts';

/** A spool that cannot be used. One line: what, where, what to do. */
export class SpoolFault extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SpoolFault';
  }
}

/** Holds the name of the spool. */
const NAME_FILE = 'spool.json';
const SUFFIX = '.spool';
const DIGITS = 16;

/** A file of the spool: the bytes of its stream from `start` on. */
export type SpoolFile = { readonly start: Offset; readonly path: string };

/** What the store knows the spool by. */
export function partitionOf(id: string): string {
  return `spool:${id}`;
}

export function spoolPath(directory: string, start: Offset): string {
  return join(directory, `${String(start).padStart(DIGITS, '0')}${SUFFIX}`);
}

/** The files of a spool in order; empty where there is no such directory yet. */
export async function listSpool(directory: string): Promise<readonly SpoolFile[]> {
  let names: readonly string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw faultOf(directory, error);
  }
  const starts = names.filter((name) => NAME_PATTERN.test(name)).map((name) => Number(name.slice(0, DIGITS)));
  return starts.sort((a, b) => a - b).map((start) => ({ start, path: spoolPath(directory, start) }));
}

const NAME_PATTERN = new RegExp(`^\\d{${DIGITS}}\\${SUFFIX}$`);

/** The random name of the spool; undefined where there is none yet. */
export async function readSpoolId(directory: string): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(join(directory, NAME_FILE), 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw faultOf(directory, error);
  }
  const id = /^\{"v":1,"id":"([0-9a-f]{16})"\}\s*$/.exec(text)?.[1];
  if (id === undefined)
    throw new SpoolFault(
      `${join(directory, NAME_FILE)} is not what keywatch wrote; put it back from a backup, or move the whole directory away to begin a new spool`,
    );
  return id;
}

/** Makes the directory, and a name for the spool when there is nothing in it. A spool whose files are gone gets a new name: positions of the old one mean nothing in it. */
export async function nameSpool(directory: string, newId: () => string): Promise<string> {
  try {
    // Lines hold keys: nobody else may read them.
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw faultOf(directory, error);
  }
  const files = await listSpool(directory);
  const known = await readSpoolId(directory);
  if (known !== undefined && files.length > 0) return known;
  if (files.length > 0)
    throw new SpoolFault(`the spool in ${directory} has lost its ${NAME_FILE}; put it back from a backup, or move the directory away to begin a new spool`);
  const id = newId();
  try {
    await replaceFile(join(directory, NAME_FILE), Buffer.from(`${JSON.stringify({ v: 1, id })}\n`));
    await syncDirectory(directory);
  } catch (error) {
    throw faultOf(directory, error);
  }
  return id;
}

/** Writes a small file so that a crash leaves the old or the new one. The caller syncs the directory. */
export async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const next = `${path}.new`;
  await writeFile(next, bytes, { mode: 0o600, flush: true });
  await rename(next, path);
}

/** Makes new and removed names durable, where the system can do that for a directory. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'EINVAL' && code !== 'EPERM' && code !== 'ENOTSUP') throw error;
  } finally {
    await handle.close();
  }
}

export function faultOf(directory: string, error: unknown): SpoolFault {
  return new SpoolFault(`the spool in ${directory}: ${writeReason(error)}`, { cause: error });
}

const WRITE_REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: free some space',
  EDQUOT: 'the disk quota is used up: raise it or free some space',
  EFBIG: 'the file would be too large for this file system or limit',
  EROFS: 'the file system is read-only: mount it writable or choose another data directory',
  EIO: 'the disk reports an error: check it and its cable or volume',
  EMFILE: 'too many open files: raise the limit with ulimit -n',
  ENOENT: 'its directory is gone: make it again and start keywatch anew',
  EACCES: 'permission denied: give the user who runs keywatch the right to write there',
  EPERM: 'permission denied: give the user who runs keywatch the right to write there',
};

/** Why something of the file system's could not be written, and what to do. A bug is thrown again. */
export function writeReason(error: unknown): string {
  const code = errorCode(error);
  if (code === undefined) throw error;
  return WRITE_REASONS[code] ?? `cannot be written (${code})`;
}
