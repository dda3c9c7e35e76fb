import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, chmod, chown, cp, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from './choice.ts';

const run = promisify(execFile);

/** A user of the system to run a server as. */
export type Account = { readonly name: string; readonly uid: number; readonly gid: number };

const NAME = 'keywatch-es';

/** For servers that refuse to run as root: a system user, made when absent. Undefined where the tests are not root. */
export async function unprivilegedAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const known = await lookUp();
  if (known !== undefined) return known;
  const useradd = findProgram('useradd');
  if (useradd === undefined) throw new Error('elasticsearch does not run as root and there is no useradd to make a user for it: run the tests as another user');
  // Another worker may make it at the same moment: what counts is that it is there afterwards.
  const failure = await run(useradd, ['--system', '--user-group', '--no-create-home', '--home-dir', '/nonexistent', '--shell', '/usr/sbin/nologin', NAME]).then(
    () => undefined,
    (error: unknown) => error,
  );
  const made = await lookUp();
  if (made === undefined) throw new Error(`cannot make the system user ${NAME} to run elasticsearch as`, { cause: failure });
  return made;
}

async function lookUp(): Promise<Account | undefined> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', NAME]), run('id', ['-g', NAME])]);
    return { name: NAME, uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return undefined;
  }
}

/** What `fill` makes of a fresh folder that `account` can get at and owns. If it fails the folder goes too. */
export async function inFreshFolder<T>(account: Account | undefined, prefix: string, fill: (folder: string) => Promise<T>): Promise<T> {
  const folder = await freshFolder(account, prefix);
  try {
    return await fill(folder);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function freshFolder(account: Account | undefined, prefix: string): Promise<string> {
  if (account === undefined) return mkdtemp(join(tmpdir(), prefix));
  const parents = await Promise.all([tmpdir(), '/tmp', '/var/tmp'].map(async (parent) => ((await canReach(account, parent)) ? parent : undefined)));
  const folder = await mkdtemp(join(parents.find((parent) => parent !== undefined) ?? tmpdir(), prefix));
  await chmod(folder, 0o755);
  await chown(folder, account.uid, account.gid);
  return folder;
}

/** `folder` itself where `account` can get at it, else a copy below `place`: a clone may lie in a home folder that is closed to others. */
export async function reachable(account: Account | undefined, folder: string, place: string): Promise<string> {
  if (account === undefined || (await canReach(account, folder))) return folder;
  const copy = join(place, 'home');
  await cp(folder, copy, { recursive: true });
  return copy;
}

/** Whether every folder of the way down lets others through. */
async function canReach(account: Account, folder: string): Promise<boolean> {
  await access(folder, constants.F_OK);
  for (let path = folder; ; path = dirname(path)) {
    const { mode, uid, gid } = await stat(path);
    const execute = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if ((mode & execute) === 0) return false;
    if (dirname(path) === path) return true;
  }
}
