import { type Outcome, failed } from '../../core/types.ts';

/** A fault of the world under a database: the disk, its rights, another process. Thrown where the port has no `Outcome`. */
export class StorageFault extends Error {
  override readonly name = 'StorageFault';
  /** True when the same call may succeed later without anybody changing the configuration. */
  readonly isRetryable: boolean;

  constructor(message: string, options: { readonly isRetryable: boolean; readonly cause?: unknown }) {
    super(message, { cause: options.cause });
    this.isRetryable = options.isRetryable;
  }

  outcome(): Outcome {
    return failed(this.message, this.isRetryable);
  }
}

/** Primary result codes of SQLite that are the world's fault; every other one is a bug of ours and stays an exception. */
const FAULTS: ReadonlyMap<number, { readonly what: string; readonly todo: string; readonly isRetryable: boolean }> = new Map([
  [3, { what: 'no permission', todo: 'check the owner of the data directory', isRetryable: false }],
  [5, { what: 'locked by another process', todo: 'find out who else writes to it', isRetryable: true }],
  [6, { what: 'locked by another connection', todo: 'try again', isRetryable: true }],
  [7, { what: 'out of memory', todo: 'give the process more memory', isRetryable: true }],
  [8, { what: 'read-only', todo: 'make the data directory writable', isRetryable: false }],
  [10, { what: 'the disk fails to read or write', todo: 'check the disk, its quota and its mount', isRetryable: true }],
  [11, { what: 'damaged', todo: 'restore a backup or move the file away', isRetryable: false }],
  [13, { what: 'disk full', todo: 'free some space', isRetryable: true }],
  [14, { what: 'cannot be opened', todo: 'check that the directory exists and is writable', isRetryable: false }],
  [23, { what: 'no permission', todo: 'check the owner of the data directory', isRetryable: false }],
  [26, { what: 'not a database', todo: 'move the file away', isRetryable: false }],
]);

/** The fault behind an exception of node:sqlite, or undefined when it is a bug. */
export function faultOf(error: unknown, path: string): StorageFault | undefined {
  if (error instanceof StorageFault) return error;
  const code = sqliteCode(error);
  const fault = code === undefined ? undefined : FAULTS.get(code & 0xff);
  if (fault === undefined) return undefined;
  return new StorageFault(`${fault.what}: ${path}; ${fault.todo}`, { isRetryable: fault.isRetryable, cause: error });
}

/** True when another connection, of this or of another process, holds a lock. */
export function isLocked(error: unknown): boolean {
  const code = (sqliteCode(error) ?? 0) & 0xff;
  return code === 5 || code === 6;
}

function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined;
  return typeof error.errcode === 'number' ? error.errcode : undefined;
}
