import type { SourceEvent } from '../../core/ports.ts';

/** One clear line for a person. */
export type SourceProblem = Extract<SourceEvent, { readonly kind: 'problem' }>;

export function problem(subject: string, message: string, partition?: string): SourceProblem {
  return partition === undefined ? { kind: 'problem', subject, message } : { kind: 'problem', partition, subject, message };
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied: give the user who runs keywatch the right to read it',
  EPERM: 'permission denied: give the user who runs keywatch the right to read it',
  ENOENT: 'no such file: check the name',
  ENOTDIR: 'no such file: a part of the path is not a directory',
  EISDIR: 'is a directory: name the files in it or give the directory itself to keywatch',
  ELOOP: 'the symbolic link leads to itself: point it at a file',
  ENXIO: 'is a socket, not a file: read a file, or pipe into keywatch and name the input -',
  ENAMETOOLONG: 'the name is too long for this file system',
  EMFILE: 'too many open files: raise the limit with ulimit -n',
  ENFILE: 'too many open files on this machine: raise fs.file-max',
  EIO: 'the disk reports a read error: check it and its cable or volume',
  ESTALE: 'the network file system lost the file: check the mount',
  ETIMEDOUT: 'the network file system does not answer: check the mount',
};

/** `EACCES` and its like, or undefined when `error` is nothing of the file system's. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** What went wrong and what to do. Anything that is no fault of the file system is a bug and is thrown again. */
export function fsReason(error: unknown): string {
  const code = errorCode(error);
  if (code === undefined) throw error;
  return REASONS[code] ?? `cannot be read (${code})`;
}
