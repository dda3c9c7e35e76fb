import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync, statfsSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Secret } from '../../core/secret.ts';
import { PID_FILE } from '../../storage/sqlite/lock.ts';
import { errorCode, systemReason } from '../cli/errors.ts';
import { formatBytes } from '../cli/format.ts';
import { pepperPath, readPepper } from '../pepper.ts';
import { type CheckRow, fail, ok, warn } from './check.ts';

/** The data directory can be written to, by nobody else. */
export function checkDirectory(directory: string): CheckRow {
  const place = nearest(directory);
  if (!statSync(place).isDirectory()) return fail('data directory', `${place} is not a directory`, 'choose another one with --data-dir');
  const refused = refusedWrite(place);
  if (refused !== undefined)
    return fail('data directory', `${place}: ${refused}`, 'make it writable for the user that runs keywatch, or choose another one with --data-dir');
  if (place !== directory) return ok('data directory', `${directory} does not exist yet and will be made`);
  const mode = statSync(directory).mode & 0o777;
  if ((mode & 0o022) !== 0) return warn('data directory', `${directory} can be changed by others (mode ${mode.toString(8)})`, `chmod 700 ${directory}`);
  return ok('data directory', directory);
}

/** The directory itself, or the nearest one above it that exists. */
function nearest(directory: string): string {
  let place = directory;
  while (!existsSync(place) && dirname(place) !== place) place = dirname(place);
  return place;
}

/** Rights and mount options lie; only writing tells. */
function refusedWrite(directory: string): string | undefined {
  const path = join(directory, `.keywatch-doctor-${randomBytes(6).toString('hex')}`);
  try {
    writeFileSync(path, '', { flag: 'wx', mode: 0o600 });
    unlinkSync(path);
    return undefined;
  } catch (error) {
    return systemReason(error);
  }
}

const FREE_FAIL_BYTES = 64 * 1024 ** 2;
const FREE_WARN_BYTES = 1024 ** 3;

export type Space = { readonly freeBytes: number; readonly usedBytes: number; readonly capBytes: number };

/** What is free on the disk, what is stored, and what may be stored. */
export function spaceOf(directory: string, capBytes: number): Space {
  const { bavail, bsize } = statfsSync(nearest(directory));
  let usedBytes = 0;
  if (existsSync(directory)) for (const name of readdirSync(directory)) usedBytes += statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0;
  return { freeBytes: bavail * bsize, usedBytes, capBytes };
}

export function checkDisk({ freeBytes, usedBytes, capBytes }: Space): CheckRow {
  const evidence = `${formatBytes(freeBytes)} free, ${formatBytes(usedBytes)} stored${capBytes === 0 ? ', no cap' : ` of at most ${formatBytes(capBytes)}`}`;
  if (freeBytes < FREE_FAIL_BYTES) return fail('disk', evidence, 'free some space now: without it nothing more is stored');
  if (capBytes > 0 && usedBytes > capBytes)
    return warn('disk', evidence, 'more is stored than store.retention.bytesMax allows; keywatch run drops the oldest minutes first');
  if (freeBytes < FREE_WARN_BYTES) return warn('disk', evidence, 'free some space soon');
  if (capBytes > 0 && freeBytes < capBytes - usedBytes)
    return warn('disk', evidence, 'the disk fills up before the cap is reached: lower store.retention.bytesMax');
  return ok('disk', evidence);
}

/** Whether a keywatch runs on the directory now. */
export function checkOwner(directory: string): CheckRow {
  const path = join(directory, PID_FILE);
  let pid: number;
  try {
    pid = Number.parseInt(readFileSync(path, 'utf8'), 10);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return ok('process', 'no keywatch is running on this data directory');
    return warn('process', `cannot read ${path}: ${systemReason(error)}`, 'run doctor as the user that runs keywatch');
  }
  if (!Number.isSafeInteger(pid) || pid < 1)
    return warn('process', `${path} does not hold a process number`, 'nothing, if no keywatch runs: the next one writes it anew');
  if (isAlive(pid)) return ok('process', `keywatch is running as process ${pid}`);
  return warn(
    'process',
    `the last keywatch (process ${pid}) ended without saying so`,
    'nothing: the next start goes on where it was; look into its log for the reason',
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}

/** The pepper is there and nobody else can read it. */
export function checkPepperFile(directory: string, configured: Secret | undefined): CheckRow {
  if (configured !== undefined) return ok('pepper', 'given by the configuration');
  try {
    return readPepper(directory) === undefined
      ? ok('pepper', 'none yet; it is made at the first start')
      : ok('pepper', `${pepperPath(directory)}, readable by its owner only`);
  } catch (error) {
    return fail('pepper', error instanceof Error ? error.message : String(error), 'see what was found');
  }
}
