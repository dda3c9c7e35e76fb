// @ts-check
/**
 * The import rule: who may import whom, which package has which one home, and where time and chance may come from.
 * DESIGN section 3 is the text; `test/project/import-rule.test.ts` breaks each clause once.
 */
import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMain } from './is-main.mjs';
import { readSyntax } from './syntax.mjs';
import { codeFiles } from './tree.mjs';

/**
 * @typedef {{ path: string, source: string }} SourceFile `path` is relative to the root, with forward slashes
 * @typedef {{ path: string, line: number, message: string }} Fault
 */

/** These import `core` and themselves. `app` puts them together. */
const LAYERS = ['ingest', 'keys', 'detectors', 'alerts', 'revocation', 'storage', 'dashboards'];
const PRODUCT = ['core', ...LAYERS, 'app'];
const CONSOLE = 'dashboards/console/';
/** The one place that may use each of these packages; all else goes through a port. */
const HOMES = new Map([
  ['kafkajs', 'ingest/kafka'],
  ['@elastic/elasticsearch', 'storage/elasticsearch'],
  ['nodemailer', 'alerts/notify/email'],
  ['@slack/webhook', 'alerts/notify/slack'],
  ['simple-statistics', 'detectors/stats'],
  ['node-cron', 'app'],
  ['fastify', 'app/http'],
]);
const CLOCK_FILE = 'core/clock.ts';

/**
 * @param {readonly SourceFile[]} files
 * @param {{ devPackages?: readonly string[] }} options `devPackages` may be used by tests and scripts only
 * @returns {Fault[]}
 */
export function importFaults(files, options = {}) {
  return files.flatMap((file) => faultsOf(file, options.devPackages ?? []));
}

/**
 * @param {SourceFile} file
 * @param {readonly string[]} devPackages
 * @returns {Fault[]}
 */
function faultsOf(file, devPackages) {
  const syntax = readSyntax(file.path, file.source);
  const zone = zoneOf(file.path);
  const imports = syntax.imports.flatMap((found) => {
    const message = judgeImport({ path: file.path, zone, found, devPackages });
    return message === undefined ? [] : [{ path: file.path, line: found.line, message }];
  });
  const clock = mayUseClock(file.path)
    ? []
    : syntax.clockUses.map(({ name, line }) => ({ path: file.path, line, message: `uses ${name}: take a Clock, a seed or \`now\` as an argument` }));
  return [...syntax.faults.map((message) => ({ path: file.path, line: 1, message })), ...imports, ...clock];
}

/** @param {string} path */
function zoneOf(path) {
  return path.split('/')[0] ?? '';
}

/** @param {string} path */
function mayUseClock(path) {
  const zone = zoneOf(path);
  return path === CLOCK_FILE || zone === 'app' || !PRODUCT.includes(zone) || path.startsWith(CONSOLE);
}

/**
 * @typedef {{ path: string, zone: string, found: import('./syntax.mjs').Import, devPackages: readonly string[] }} Question
 * @param {Question} question
 * @returns {string | undefined} what is wrong with it
 */
function judgeImport(question) {
  const { specifier } = question.found;
  if (!PRODUCT.includes(question.zone)) return undefined;
  if (specifier === undefined) return question.zone === 'app' ? undefined : 'imports a computed name: nobody can tell what that is';
  if (specifier.startsWith('.')) return judgeFile(question, posix.join(posix.dirname(question.path), specifier));
  if (specifier.startsWith('/')) return `imports ${specifier}: use a relative path`;
  if (specifier.startsWith('node:')) return judgeBuiltIn(question, specifier);
  return judgePackage(question, packageOf(specifier));
}

/**
 * @param {Question} question
 * @param {string} target
 * @returns {string | undefined}
 */
function judgeFile(question, target) {
  const { path, zone } = question;
  const targetZone = zoneOf(target);
  if (targetZone === 'test') return `imports ${target}: nothing imports test`;
  if (targetZone === 'app' && zone !== 'app') return `imports ${target}: nothing imports app`;
  if (!PRODUCT.includes(targetZone)) return `imports ${target}: not a part of the product`;
  if (path.startsWith(CONSOLE)) return judgeConsole(question, target);
  if (target.startsWith(CONSOLE)) return `imports ${target}: the console is a program of its own`;
  if (zone === 'app' || targetZone === zone) return undefined;
  if (zone === 'core') return `imports ${target}: core imports only node: built-ins`;
  return targetZone === 'core' ? undefined : `imports ${target}: ${zone} imports only core, app connects the rest`;
}

/**
 * @param {Question} question
 * @param {string} target
 * @returns {string | undefined}
 */
function judgeConsole(question, target) {
  if (target.startsWith(CONSOLE)) return undefined;
  if (zoneOf(target) === 'core') return question.found.isTypeOnly ? undefined : `imports ${target}: the console may only \`import type\` from core`;
  return `imports ${target}: the console imports nothing but types of core`;
}

/**
 * @param {Question} question
 * @param {string} specifier
 * @returns {string | undefined}
 */
function judgeBuiltIn(question, specifier) {
  if (question.path.startsWith(CONSOLE)) return `imports ${specifier}: the console runs in a browser`;
  if ((specifier !== 'node:timers' && specifier !== 'node:timers/promises') || mayUseClock(question.path)) return undefined;
  // Letting others run for a moment is no waiting for a time.
  if (question.found.names?.every((name) => name === 'setImmediate')) return undefined;
  return `imports ${specifier}: take a Clock as an argument`;
}

/**
 * @param {Question} question
 * @param {string} name
 * @returns {string | undefined}
 */
function judgePackage(question, name) {
  if (question.zone === 'core') return `imports ${name}: core imports only node: built-ins`;
  const home = HOMES.get(name);
  if (home !== undefined && !question.path.startsWith(`${home}/`) && question.path !== `${home}.ts`) return `imports ${name}: its one home is ${home}`;
  if (question.devPackages.includes(name) && !question.path.startsWith(CONSOLE)) return `imports ${name}: an installed Keywatch does not have it`;
  return undefined;
}

/** @param {string} specifier */
function packageOf(specifier) {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/**
 * The faults of a whole tree.
 *
 * @param {string} root
 */
export function importFaultsOfTree(root) {
  const files = codeFiles(root).map((path) => ({ path, source: readFileSync(`${root}/${path}`, 'utf8') }));
  const manifest = /** @type {{ devDependencies?: Record<string, string> }} */ (JSON.parse(readFileSync(`${root}/package.json`, 'utf8')));
  return importFaults(files, { devPackages: Object.keys(manifest.devDependencies ?? {}) });
}

if (isMain(import.meta.url)) {
  const faults = importFaultsOfTree(fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, ''));
  for (const { path, line, message } of faults) process.stdout.write(`${path}:${line} ${message}\n`);
  if (faults.length > 0) process.exitCode = 1;
}
