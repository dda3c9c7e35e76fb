import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EpochMs, Offset } from '../../core/types.ts';
import { errorCode } from '../source/fs-problem.ts';
import type { Frame } from './frame.ts';
import { FrameReader } from './frame-reader.ts';
import type { KeyMemory } from './key-memory.ts';
import { type SpoolFile, listSpool } from './spool-files.ts';

/** The keys of deleted files. */
export const KEYS_FILE = 'idempotency.keys';

/** A request's id says where it is, so that a repeat is given the same one, also after a restart. */
export function requestId(frame: Offset, index: number): string {
  return `ev_${frame.toString(36)}_${index.toString(36)}`;
}

export type Recovered = {
  readonly files: readonly SpoolFile[];
  /** Where appending goes on: after the last whole frame. */
  readonly end: Offset;
  /** One line for a person each. */
  readonly problems: readonly string[];
};

/**
 * Looks through a spool after a start: finds its end, cuts a torn tail (it was never answered with 202), makes the rest
 * durable, and learns the idempotency keys. Damage in the middle is kept as it is and told.
 */
export async function recoverSpool(directory: string, id: string, options: { readonly keys: KeyMemory; readonly now: EpochMs }): Promise<Recovered> {
  const problems: string[] = [];
  const files = await listSpool(directory);
  await loadKeys(directory, options, problems);
  const first = files[0];
  const last = files.at(-1);
  if (first === undefined || last === undefined) return { files, end: 0, problems };
  await using reader = new FrameReader({ directory, id, from: first.start });
  for (;;) {
    const step = await reader.next();
    if (step.kind === 'end') {
      await cutTail(last, step.position);
      return { files, end: step.position, problems };
    }
    if (step.kind === 'frame') rememberKeys(step.frame, options);
    else problems.push(gapText(directory, step.from, step.to));
  }
}

export function gapText(directory: string, from: Offset, to: Offset): string {
  return `bytes ${from} to ${to} of the spool in ${directory} are damaged or gone: ${to - from} bytes of accepted events are lost; check the disk`;
}

function rememberKeys(frame: Frame, { keys, now }: { readonly keys: KeyMemory; readonly now: EpochMs }): void {
  for (const [index, { key, checksum, count }] of frame.entries.entries()) {
    if (key !== '') keys.add({ key, checksum, count, at: frame.receivedAt, id: requestId(frame.offset, index) }, now);
  }
}

async function loadKeys(directory: string, options: { readonly keys: KeyMemory; readonly now: EpochMs }, problems: string[]): Promise<void> {
  try {
    if (options.keys.load(await readFile(join(directory, KEYS_FILE)), options.now)) return;
    problems.push(`${join(directory, KEYS_FILE)} is damaged: a request that was accepted before and is repeated now counts twice`);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

/** What stayed in the page cache of the process before is made durable too: it is read from now on. */
async function cutTail(file: SpoolFile, end: Offset): Promise<void> {
  const handle = await open(file.path, 'r+');
  try {
    await handle.truncate(Math.max(0, end - file.start));
    await handle.sync();
  } finally {
    await handle.close();
  }
}
