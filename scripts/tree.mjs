// @ts-check
/** The files of the project, for the checks that read all of them. */
import { readdirSync } from 'node:fs';

const SKIPPED = new Set(['node_modules', 'dist', 'coverage', 'bench-results', 'fixtures']);
const CODE = /\.(ts|tsx|mjs)$/;

/**
 * Every code file, as sorted paths relative to `root` with forward slashes. Test fixtures are data, not code.
 *
 * @param {string} root
 * @returns {string[]}
 */
export function codeFiles(root) {
  return listFiles(root, '').filter((path) => CODE.test(path));
}

/**
 * @param {string} root
 * @param {string} folder
 * @returns {string[]}
 */
function listFiles(root, folder) {
  const entries = readdirSync(`${root}/${folder}`, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    if (SKIPPED.has(entry.name) || entry.name.startsWith('.')) return [];
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    return entry.isDirectory() ? listFiles(root, path) : [path];
  });
}
