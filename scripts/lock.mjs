// @ts-check
/**
 * A lock between processes: a folder that holds one file, named after its owner. Taking it is one `rename` of a
 * prepared folder onto the lock's name, which fails while the lock is held; taking over from an owner that died is one
 * `rename` of that owner's file, which only one process can win. So no two processes ever hold it, and a kill -9
 * leaves nothing that needs a hand.
 */
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, rmdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 100;
const WAIT_MS_MAX = 15 * 60_000;

/**
 * The lock of a clone, under which `node_modules` and `dist` are changed.
 *
 * @template T
 * @param {{ root: string, say: (line: string) => void }} options
 * @param {() => Promise<T>} work
 */
export function withBootstrapLock(options, work) {
  const onWait = (/** @type {string} */ pid) => options.say(`waiting for process ${pid}, which is installing or building`);
  return withLock({ path: join(options.root, '.bootstrap-lock'), waitMsMax: WAIT_MS_MAX, onWait }, work);
}

/**
 * Runs `work` while holding the lock.
 *
 * @template T
 * @param {{ path: string, waitMsMax: number, onWait: (owner: string) => void }} options `onWait` is called once, when somebody else holds it.
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(options, work) {
  const token = await acquire(options);
  try {
    return await work();
  } finally {
    release(options.path, token);
  }
}

/** @param {{ path: string, waitMsMax: number, onWait: (owner: string) => void }} options */
async function acquire(options) {
  const token = `${process.pid}@${hostname()}@${Math.random().toString(36).slice(2)}`;
  const deadline = Date.now() + options.waitMsMax;
  let isWaiting = false;
  for (;;) {
    if (takeFree(options.path, token)) return token;
    const owner = ownerOf(options.path);
    if (owner === undefined) continue;
    if (isDead(owner) && takeOver(options.path, owner, token)) return token;
    const pid = owner.split('@')[0] ?? '';
    if (Date.now() > deadline) throw new Error(`process ${pid} has held ${options.path} for too long: end it, or remove that folder if it is not running`);
    if (!isWaiting) options.onWait(pid);
    isWaiting = true;
    await delay(POLL_MS);
  }
}

/**
 * @param {string} path
 * @param {string} token
 */
function takeFree(path, token) {
  mkdirSync(dirname(path), { recursive: true });
  const prepared = mkdtempSync(`${path}-`);
  writeFileSync(join(prepared, token), '');
  try {
    renameSync(prepared, path);
    return true;
  } catch (error) {
    rmSync(prepared, { recursive: true, force: true });
    if (isCode(error, ['ENOTEMPTY', 'EEXIST', 'EPERM'])) return false;
    throw error;
  }
}

/** @param {string} path */
function ownerOf(path) {
  try {
    return readdirSync(path)[0];
  } catch (error) {
    if (isCode(error, ['ENOENT'])) return undefined;
    throw error;
  }
}

/** @param {string} owner */
function isDead(owner) {
  const [pid, host] = owner.split('@');
  // The owner may run on another machine that shares the folder: only its own machine can tell.
  if (host !== hostname()) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return isCode(error, ['ESRCH']);
  }
}

/**
 * @param {string} path
 * @param {string} owner
 * @param {string} token
 */
function takeOver(path, owner, token) {
  try {
    renameSync(join(path, owner), join(path, token));
    return true;
  } catch (error) {
    if (isCode(error, ['ENOENT'])) return false;
    throw error;
  }
}

/**
 * @param {string} path
 * @param {string} token
 */
function release(path, token) {
  unlinkSync(join(path, token));
  try {
    rmdirSync(path);
  } catch (error) {
    // Somebody took it in between: an empty folder counts as free.
    if (!isCode(error, ['ENOTEMPTY', 'EEXIST', 'ENOENT'])) throw error;
  }
}

/**
 * @param {unknown} error
 * @param {readonly string[]} codes
 */
function isCode(error, codes) {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
