// @ts-check
/** Installs the dependencies from `package-lock.json` when needed. Runs on any Node since 14.18. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join, relative, isAbsolute } from 'node:path';
import { NODE_MIN, findLocalNode, isAtLeast } from '../bin/node-version.mjs';

/** Holds the hash of the lockfile that `node_modules` was installed from; written last. */
const INSTALLED_STAMP = join('node_modules', '.keywatch-installed');

/**
 * @param {string} root
 * @returns {boolean}
 */
export function isInstalled(root) {
  const stamp = join(root, INSTALLED_STAMP);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8').trim() === lockSignature(root)) return existsSync(join(root, 'node_modules', '.bin'));
  // Somebody ran `npm ci` or `npm install` by hand: what npm noted there tells whether that was this lockfile.
  if (!isInstalledByHand(root)) return false;
  writeFileSync(stamp, `${lockSignature(root)}\n`);
  return true;
}

/** @param {string} root */
function lockSignature(root) {
  // The platform too: a folder that was copied into a container holds binaries of the host.
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .update(`${process.platform} ${process.arch}`)
    .digest('hex');
}

/** @param {string} root */
function isInstalledByHand(root) {
  const noted = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(noted) || findLocalNode(root) === undefined) return false;
  const wanted = packagesOf(join(root, 'package-lock.json'));
  const found = packagesOf(noted);
  return Object.entries(wanted).every(([path, entry]) => path === '' || entry.optional === true || found[path]?.version === entry.version);
}

/**
 * @param {string} path
 * @returns {Record<string, { version?: string, optional?: boolean }>}
 */
function packagesOf(path) {
  const lock = /** @type {{ packages?: Record<string, { version?: string, optional?: boolean }> }} */ (JSON.parse(readFileSync(path, 'utf8')));
  return lock.packages ?? {};
}

/**
 * Runs `npm ci` quietly. Throws an error of one line that says what to do.
 *
 * @param {{ root: string, env: NodeJS.ProcessEnv }} options
 */
export async function install(options) {
  const env = outsideEnv(options);
  rmSync(join(options.root, INSTALLED_STAMP), { force: true });
  // `--include`: NODE_ENV=production would leave out what tests and the build need. The default retries take minutes
  // where there is no network.
  const args = [
    'ci',
    '--include=dev',
    '--include=optional',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    '--no-progress',
    '--loglevel=error',
    '--fetch-retries=1',
  ];
  const result = await runQuietly({ command: 'npm', args, cwd: options.root, env });
  if (result.code !== 0) throw new Error(explain(result));
  await settleNode(options.root, env);
  writeFileSync(join(options.root, INSTALLED_STAMP), `${lockSignature(options.root)}\n`);
}

/**
 * The environment for npm: without this folder's own `node_modules/.bin` in the path, because npm removes it while it
 * works, and without settings of an outer npm that would make this one do something else.
 *
 * @param {{ root: string, env: NodeJS.ProcessEnv }} options
 */
function outsideEnv(options) {
  const env = { ...options.env };
  const own = join(options.root, 'node_modules');
  const path = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder === '' || !isInside(folder, own));
  env['PATH'] = path.join(delimiter);
  for (const name of ['global', 'location', 'dry_run', 'package_lock_only', 'package_lock', 'prefix', 'local_prefix', 'omit', 'workspace', 'workspaces']) {
    delete env[`npm_config_${name}`];
  }
  return env;
}

/**
 * @param {string} path
 * @param {string} folder
 */
function isInside(path, folder) {
  const way = relative(folder, path);
  return !way.startsWith('..') && !isAbsolute(way);
}

/**
 * Makes sure that scripts will find a Node that is new enough. Where the one from npm does not run (another C library,
 * or install scripts are switched off) a new enough system Node takes its place.
 *
 * @param {string} root
 * @param {NodeJS.ProcessEnv} env
 */
async function settleNode(root, env) {
  const local = findLocalNode(root);
  if (local !== undefined && (await versionOf(local, env)) !== undefined) return;
  const system = await versionOf('node', env);
  if (system !== undefined && isAtLeast(system, NODE_MIN)) {
    for (const name of ['node', 'node.cmd', 'node.ps1']) rmSync(join(root, 'node_modules', '.bin', name), { force: true });
    return;
  }
  throw new Error(
    local === undefined
      ? `npm did not run the install script of the package \`node\` (is ignore-scripts set?): allow it, or install Node ${NODE_MIN} or newer`
      : `the Node that npm installed does not run on this system: install Node ${NODE_MIN} or newer`,
  );
}

/**
 * @param {string} node
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<string | undefined>}
 */
async function versionOf(node, env) {
  const result = await runQuietly({ command: node, args: ['--version'], cwd: dirname(process.execPath), env });
  return result.code === 0 ? result.output.trim() : undefined;
}

/**
 * @param {{ command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv }} run
 * @returns {Promise<{ code: number, output: string }>}
 */
function runQuietly(run) {
  return new Promise((resolve) => {
    // On Windows npm is a batch file, which only a shell starts. No argument here needs quotes.
    const child = spawn(run.command, [...run.args], {
      cwd: run.cwd,
      env: run.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32' && run.command === 'npm',
    });
    let output = '';
    child.stdout.on('data', (chunk) => (output += String(chunk)));
    child.stderr.on('data', (chunk) => (output += String(chunk)));
    child.on('error', (error) => resolve({ code: 127, output: `${output}${'code' in error ? String(error.code) : error.message}` }));
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

/** @type {readonly (readonly [RegExp, string])[]} */
const REASONS = [
  [
    /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|EIDLETIMEOUT)\b/,
    'the package registry cannot be reached: check the network and the proxy settings of npm, then try again',
  ],
  [/\bEUSAGE\b/, 'package.json and package-lock.json do not agree: run `npm install`'],
  [/\bENOSPC\b/, 'no space left on the disk: free some (about 400 MB are needed), then try again'],
  [/\b(EACCES|EPERM|EROFS)\b/, 'npm may not write here: give this user the folder and its npm cache'],
  [/\bEINTEGRITY\b/, 'a package is not what package-lock.json says: run `npm cache verify`, then try again'],
  [/\b(E401|E403)\b/, 'the package registry refused the request: check the registry and the login in your .npmrc'],
  [/\b(E404|ETARGET)\b/, 'the package registry does not have a package that package-lock.json names: check the registry in your .npmrc'],
];

/** @param {{ code: number, output: string }} result */
function explain(result) {
  if (result.code === 127) return 'npm is not in the PATH: install Node 20 or newer with npm';
  for (const [pattern, reason] of REASONS) {
    const found = pattern.exec(result.output);
    if (found !== null) return `${reason} (${found[0]})`;
  }
  const line = result.output
    .split('\n')
    .map((text) => text.replace(/^npm (error|ERR!)\s*/, '').trim())
    .find((text) => text !== '');
  return `npm ci failed with exit code ${result.code}: ${line ?? 'no message'}`;
}
