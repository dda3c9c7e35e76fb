// @ts-check
/**
 * `npm run check`: types, lint, format, unused code and the import rule. One line a tool; what a failed one said
 * follows its line. Exit code 1 when any failed.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * @typedef {{ name: string, package?: string, command: readonly string[] }} Tool `command` is a program of `package`, or a script of ours
 * @typedef {{ tool: Tool, code: number, output: string, seconds: number }} Result
 */

const root = fileURLToPath(new URL('..', import.meta.url));

/** The slow ones first, so that the fast ones fill the gaps. */
/** @type {readonly Tool[]} */
const TOOLS = [
  { name: 'lint', package: 'oxlint', command: ['oxlint', '--deny-warnings'] },
  { name: 'types', package: 'typescript', command: ['tsc', '-p', 'tsconfig.json', '--noEmit'] },
  { name: 'unused code', package: 'knip', command: ['knip', '--no-progress'] },
  { name: 'format', package: 'oxfmt', command: ['oxfmt', '--check', '.'] },
  { name: 'import rule', command: ['scripts/import-rule.mjs'] },
];

/**
 * The script behind a command of a package: started with this Node, so that no system Node is ever picked up.
 *
 * @param {Tool} tool
 * @returns {readonly string[]}
 */
function argumentsOf(tool) {
  const [program = '', ...rest] = tool.command;
  if (tool.package === undefined) return tool.command;
  const folder = join(root, 'node_modules', tool.package);
  const manifest = /** @type {{ bin: string | Record<string, string> }} */ (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')));
  const script = typeof manifest.bin === 'string' ? manifest.bin : manifest.bin[program];
  if (script === undefined) throw new Error(`BUG: the package ${tool.package} has no command ${program}`);
  return [join(folder, script), ...rest];
}

/**
 * @param {Tool} tool
 * @returns {Promise<Result>}
 */
function run(tool) {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, argumentsOf(tool), { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += String(chunk)));
    child.stderr.on('data', (chunk) => (output += String(chunk)));
    child.on('error', reject);
    child.on('close', (code) => resolve({ tool, code: code ?? 1, output, seconds: (performance.now() - started) / 1000 }));
  });
}

/** @param {Result} result */
function show(result) {
  const name = result.tool.name.padEnd(12);
  const seconds = `${result.seconds.toFixed(1)} s`;
  process.stdout.write(result.code === 0 ? `${name} ok      ${seconds}\n` : `${name} failed  ${seconds}\n${result.output.trimEnd()}\n`);
}

const queue = [...TOOLS];
let failures = 0;

async function work() {
  for (let tool = queue.shift(); tool !== undefined; tool = queue.shift()) {
    const result = await run(tool);
    if (result.code !== 0) failures++;
    show(result);
  }
}

await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, work));
if (failures > 0) process.exitCode = 1;
