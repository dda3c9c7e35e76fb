import { glob, opendir, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { EpochMs } from '../../core/types.ts';
import { inodeKey } from './file-identity.ts';
import { type SourceProblem, errorCode, fsReason, problem } from './fs-problem.ts';
import { oldestFirst } from './rotation-order.ts';

/** A file to read. */
export type FileInput = {
  readonly kind: 'file';
  readonly path: string;
  /** Device and inode: the same for two names of one file. */
  readonly key: string;
  /** As stored, before unpacking. */
  readonly sizeBytes: number;
  readonly modifiedAt: EpochMs;
  /** Size and change time: equal means unchanged. */
  readonly stamp: string;
  /** False for a pipe, which is read to its end like stdin; only an explicit name gives one. */
  readonly isRegular: boolean;
};
export type Input = FileInput | { readonly kind: 'stdin' };

export type Expansion = { readonly inputs: readonly Input[]; readonly problems: readonly SourceProblem[] };

/**
 * Turns what a user named (files, globs, directories, `-`) into files, oldest first, each once however many names it
 * has. A directory stands for the files in it and below, without hidden ones. What cannot be read is one problem
 * each. Stdin comes last.
 */
export async function expandInputs(names: readonly string[]): Promise<Expansion> {
  const problems: NameProblem[] = [];
  const found = new Map<string, FileInput>();
  for (const name of names) {
    if (name === '-') continue;
    for (const file of await expandName(name, problems)) if (!found.has(file.key)) found.set(file.key, file);
  }
  const inputs: Input[] = oldestFirst([...found.values()]);
  if (names.includes('-')) inputs.push({ kind: 'stdin' });
  return { inputs, problems: problems.map(({ subject, message }) => problem(subject, message)) };
}

/** `isAbsent`: there is nothing of that name, yet. */
export type NameProblem = { readonly subject: string; readonly message: string; readonly isAbsent: boolean };

/** The files of one name, in no order. A file of that very name goes before the glob that the name may be. */
export async function expandName(name: string, problems: NameProblem[]): Promise<FileInput[]> {
  const named = await lookUp(name);
  if (named.kind === 'directory') return filesBelow(name, problems);
  if (named.kind === 'file') return [named.file];
  if (named.kind === 'failed' && !isGlob(name)) {
    problems.push({ subject: name, message: named.reason, isAbsent: named.code === 'ENOENT' });
    return [];
  }
  return expandGlob(name, problems);
}

export function isGlob(name: string): boolean {
  return /[*?[\]{}]/.test(name);
}

type Found =
  | { readonly kind: 'file'; readonly file: FileInput }
  | { readonly kind: 'directory' }
  | { readonly kind: 'other' }
  | { readonly kind: 'failed'; readonly code: string; readonly reason: string };

async function lookUp(path: string): Promise<Found> {
  try {
    const stats = await stat(path, { bigint: true });
    if (stats.isDirectory()) return { kind: 'directory' };
    if (stats.isSocket()) return { kind: 'failed', code: 'ENXIO', reason: 'is a socket, not a file: read a file, or pipe into keywatch and name the input -' };
    return {
      kind: 'file',
      file: {
        kind: 'file',
        path,
        key: inodeKey(stats.dev, stats.ino),
        sizeBytes: Number(stats.size),
        modifiedAt: Number(stats.mtimeMs),
        stamp: `${stats.size}-${stats.mtimeNs}`,
        isRegular: stats.isFile(),
      },
    };
  } catch (error) {
    return { kind: 'failed', code: errorCode(error) ?? '', reason: fsReason(error) };
  }
}

async function expandGlob(pattern: string, problems: NameProblem[]): Promise<FileInput[]> {
  const files: FileInput[] = [];
  const known = problems.length;
  for await (const path of glob(pattern)) {
    const found = await lookUp(path);
    if (found.kind === 'file' && found.file.isRegular) files.push(found.file);
    // A name that went away between two looks is no problem; neither is a directory that matches.
    if (found.kind === 'failed' && found.code !== 'ENOENT' && found.code !== 'ENXIO') problems.push({ subject: path, message: found.reason, isAbsent: false });
  }
  if (files.length === 0 && problems.length === known) {
    const unreadable = await whyUnreadable(globBase(pattern));
    problems.push({ subject: pattern, message: unreadable ?? 'no file matches: check the pattern', isAbsent: unreadable === undefined });
  }
  return files;
}

/** The part of a pattern that names a directory literally. */
export function globBase(pattern: string): string {
  let base = pattern;
  while (isGlob(base)) base = dirname(base);
  return base;
}

async function whyUnreadable(directory: string): Promise<string | undefined> {
  try {
    await (await opendir(directory)).close();
    return undefined;
  } catch (error) {
    return errorCode(error) === 'ENOENT' ? undefined : `the directory ${directory}: ${fsReason(error)}`;
  }
}

async function filesBelow(directory: string, problems: NameProblem[]): Promise<FileInput[]> {
  const files: FileInput[] = [];
  try {
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      if (entry.name.startsWith('.')) continue;
      const path = join(directory, entry.name);
      if (entry.isDirectory()) {
        files.push(...(await filesBelow(path, problems)));
        continue;
      }
      // A link to a directory is not entered: it may lead back here.
      const found = await lookUp(path);
      if (found.kind === 'file' && found.file.isRegular) files.push(found.file);
      if (found.kind === 'failed' && found.code !== 'ENOENT' && found.code !== 'ENXIO')
        problems.push({ subject: path, message: found.reason, isAbsent: false });
    }
  } catch (error) {
    problems.push({ subject: directory, message: fsReason(error), isAbsent: false });
  }
  return files;
}
