import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MEMORY_DISK = '/dev/shm';
const ROOM_BYTES = 256 * 2 ** 20;

/**
 * A directory for databases that a test makes by the dozen: on a memory disk where there is room, because a
 * busy disk takes longer to sync than the test to run. What it proves does not depend on the disk.
 */
export function scratchDirectory(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(hasRoom() ? MEMORY_DISK : tmpdir(), 'keywatch-store-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(MEMORY_DISK);
    return bavail * bsize > ROOM_BYTES;
  } catch {
    return false;
  }
}
