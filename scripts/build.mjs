// @ts-check
/**
 * Compiles the sources into `dist/`, which is what an installed package runs, and copies what is not TypeScript.
 * `--quick`, as bootstrap calls it, leaves out the type check and relies on the lock that bootstrap holds. Files of `dist/` are replaced one by one, and only
 * where they changed, so that a running program and a second build are not disturbed.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withBootstrapLock } from './lock.mjs';
import { BUILT_STAMP, SOURCE_FOLDERS, sourceSignature } from '../bin/sources.mjs';

/** Ends the name of a file that is being written. */
const PARTIAL = '.partial';

/**
 * @param {{ root: string, isQuick: boolean }} options
 * @returns {string} what the compiler said; empty when all is well
 */
function build(options) {
  const { root } = options;
  const signature = sourceSignature(root);
  const stage = mkdtempSync(join(tmpdir(), 'keywatch-build-'));
  try {
    const compiler = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));
    if (!existsSync(compiler)) return 'the compiler is not installed: run `npm run bootstrap`';
    const args = [compiler, '-p', join(root, 'tsconfig.build.json'), '--outDir', stage, ...(options.isQuick ? ['--noCheck'] : [])];
    const result = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
    if (result.status !== 0) return `${result.stdout}${result.stderr}`.trim() || 'the compiler gave no reason';
    for (const path of filesUnder(stage)) if (path.endsWith('.js')) rewriteWorkerUrls(join(stage, path));
    for (const path of assets(root)) copyInto(join(root, path), join(stage, path));
    publish(stage, join(root, 'dist'));
    writeFileSync(join(root, BUILT_STAMP), `${signature}\n`);
    return '';
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

/**
 * The compiler turns `./x.ts` into `./x.js` in imports, but not in `new URL('./x.ts', import.meta.url)`, by which
 * worker threads are named.
 *
 * @param {string} path
 */
function rewriteWorkerUrls(path) {
  const before = readFileSync(path, 'utf8');
  const after = before.replace(/(new URL\(\s*(['"`])\.{1,2}\/[^'"`]*)\.ts\2(\s*,\s*import\.meta\.url)/g, '$1.js$2$3');
  if (after !== before) writeFileSync(path, after);
}

/** @param {string} root */
function assets(root) {
  return SOURCE_FOLDERS.filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => filesUnder(join(root, folder)).map((path) => join(folder, path)))
    .filter((path) => !path.endsWith('.ts'));
}

/**
 * @param {string} stage
 * @param {string} target
 */
function publish(stage, target) {
  const wanted = new Set(filesUnder(stage));
  for (const path of wanted) {
    const to = join(target, path);
    if (existsSync(to) && readFileSync(to).equals(readFileSync(join(stage, path)))) continue;
    copyInto(join(stage, path), to);
  }
  for (const path of filesUnder(target)) {
    if (!wanted.has(path) && !path.endsWith(PARTIAL) && join('dist', path) !== BUILT_STAMP) rmSync(join(target, path));
  }
}

/**
 * @param {string} from
 * @param {string} to
 */
function copyInto(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  const partial = `${to}.${process.pid}${PARTIAL}`;
  copyFileSync(from, partial);
  renameSync(partial, to);
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function filesUnder(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

const args = process.argv.slice(2);
const isQuick = args.includes('--quick');
const root = resolve(args.find((arg) => !arg.startsWith('--')) ?? fileURLToPath(new URL('..', import.meta.url)));
const fault = isQuick ? build({ root, isQuick }) : await withBootstrapLock({ root, say }, async () => build({ root, isQuick }));
if (fault !== '') {
  say(fault);
  process.exitCode = 1;
}

/** @param {string} line */
function say(line) {
  process.stderr.write(`${line}\n`);
}
