import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StorageFault, faultOf, isLocked } from './fault.ts';

export const LOCK_FILE = 'keywatch.lock';
export const PID_FILE = 'keywatch.pid';

/** A lock that nobody refers to any more would be closed, and so given up, by the garbage collector. */
const heldLocks = new Set<DatabaseSync>();

export type DirectoryLock = Disposable & { release(): void };

/**
 * Makes this process the only writer of a data directory. The lock is SQLite's own on an empty database: the
 * operating system drops it when the process ends, however it ends, so no stale lock has to be cleared by
 * hand. The pid file beside it only says who holds it.
 */
export function lockDirectory(directory: string): DirectoryLock {
  const path = join(directory, LOCK_FILE);
  const db = openLock(directory, path);
  heldLocks.add(db);
  const release = (): void => {
    if (!heldLocks.delete(db)) return;
    // The pid first: whoever takes the lock next writes its own.
    rmSync(join(directory, PID_FILE), { force: true });
    db.close();
  };
  return { release, [Symbol.dispose]: release };
}

function openLock(directory: string, path: string): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    db = new DatabaseSync(path, { timeout: 0 });
    db.exec('pragma journal_mode = memory; begin exclusive');
    writeFileSync(join(directory, PID_FILE), `${process.pid}\n`, { mode: 0o600 });
    return db;
  } catch (error) {
    db?.close();
    if (isLocked(error))
      throw new StorageFault(`${holder(directory)} writes to the data directory ${directory}; stop it or choose another directory`, {
        isRetryable: false,
        cause: error,
      });
    throw (
      faultOf(error, path) ??
      new StorageFault(`cannot lock the data directory ${directory}; check that it exists and is writable`, { isRetryable: false, cause: error })
    );
  }
}

/** Who holds the lock, as far as it can be told. */
function holder(directory: string): string {
  const pid = readPid(directory);
  return pid !== undefined && isAlive(pid) ? `another keywatch (process ${pid})` : 'another process';
}

function readPid(directory: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(join(directory, PID_FILE), 'utf8'), 10);
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    // No pid file, or one of a process in between: the message says less.
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // A process of somebody else is alive too.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
