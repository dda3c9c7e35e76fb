// @ts-check
/**
 * Says whether `dist/` was built from the sources beside it. An installed package has no sources: there `dist/` is all.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** The folders that are compiled into `dist/`; those that do not exist yet are passed over. */
export const SOURCE_FOLDERS = ['core', 'ingest', 'keys', 'detectors', 'alerts', 'revocation', 'storage', 'app'];
/** Holds the signature of the sources that `dist/` was made from; written last. */
export const BUILT_STAMP = join('dist', '.built');

/**
 * A hash over path, size and time of change of every source: it also changes when a file goes away or an older one
 * comes back, which the newest time alone would not show.
 *
 * @param {string} root
 */
export function sourceSignature(root) {
  const hash = createHash('sha256');
  for (const name of ['tsconfig.json', 'tsconfig.build.json', join('scripts', 'build.mjs')]) addFile(hash, root, name);
  for (const folder of SOURCE_FOLDERS) if (existsSync(join(root, folder))) addFolder(hash, root, folder);
  return hash.digest('hex');
}

/**
 * @param {import('node:crypto').Hash} hash
 * @param {string} root
 * @param {string} folder
 */
function addFolder(hash, root, folder) {
  const entries = readdirSync(join(root, folder), { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) addFolder(hash, root, path);
    else addFile(hash, root, path);
  }
}

/**
 * @param {import('node:crypto').Hash} hash
 * @param {string} root
 * @param {string} path
 */
function addFile(hash, root, path) {
  const stats = statSync(join(root, path), { throwIfNoEntry: false });
  if (stats !== undefined) hash.update(`${path}\0${stats.size}\0${stats.mtimeMs}\n`);
}

/** @param {string} root */
export function isBuilt(root) {
  const stamp = join(root, BUILT_STAMP);
  return existsSync(stamp) && readFileSync(stamp, 'utf8').trim() === sourceSignature(root);
}

/**
 * The program to load. A clone whose sources changed since the build runs the sources, never an old build.
 *
 * @param {string} root
 * @returns {string | undefined} an absolute path
 */
export function findProgram(root) {
  const built = join(root, 'dist', 'app', 'main.js');
  const source = join(root, 'app', 'main.ts');
  if (!existsSync(source)) return existsSync(built) ? built : undefined;
  return existsSync(built) && isBuilt(root) ? built : source;
}
