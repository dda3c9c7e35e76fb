// @ts-check
/**
 * `npm run soak:law [-- --histories 10000 --guesses 10000000 --only law|records|model|guesses]`: the crash law over 10,000
 * random histories per store, the one of message logs over as many, every interleaving of the protocol's model, and ten
 * million guessed keys through a running process. Exit code 1 when one of them fails.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findLocalNode } from '../bin/node-version.mjs';

/**
 * @typedef {{ name: string, file: string, env: Record<string, string>, runs: string }} Part
 * @typedef {{ test: string, runs: string, state: string, seconds: number, said: string }} Row
 */

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({ options: { histories: { type: 'string' }, guesses: { type: 'string' }, only: { type: 'string' } } });
const histories = values.histories ?? '10000';
const guesses = values.guesses ?? '10000000';

/** @type {readonly Part[]} */
const PARTS = [
  { name: 'law', file: 'test/ingest/crash-law.test.ts', env: { KEYWATCH_LAW_RUNS: histories }, runs: histories },
  { name: 'records', file: 'test/ingest/record-law.test.ts', env: { KEYWATCH_LAW_RUNS: histories }, runs: histories },
  { name: 'model', file: 'test/model/chain.test.ts', env: { KEYWATCH_MODEL: 'full' }, runs: 'all' },
  { name: 'guesses', file: 'test/e2e/guessing.test.ts', env: { KEYWATCH_GUESSES: guesses }, runs: guesses },
];

/**
 * @param {Part} part
 * @returns {Promise<Row[]>}
 */
async function run(part) {
  const folder = mkdtempSync(join(tmpdir(), 'keywatch-soak-'));
  const report = join(folder, 'report.json');
  let output = '';
  try {
    const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
    const child = spawn(findLocalNode(root) ?? process.execPath, [vitest, 'run', part.file], {
      cwd: root,
      env: { ...process.env, ...part.env, KEYWATCH_TEST_REPORT: report },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.on('data', (chunk) => (output += String(chunk)));
    child.stderr.on('data', (chunk) => (output += String(chunk)));
    await new Promise((resolve) => child.on('close', resolve));
    const rows = existsSync(report) ? rowsOf(part, report, output) : [];
    if (rows.some((row) => row.state !== 'passed') || rows.length === 0) process.stderr.write(output);
    return rows;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {Part} part
 * @param {string} report
 * @param {string} output
 * @returns {Row[]}
 */
function rowsOf(part, report, output) {
  const { testResults } = /** @type {{ testResults: { assertionResults: { title: string, status: string, duration?: number }[] }[] }} */ (
    JSON.parse(readFileSync(report, 'utf8'))
  );
  const said = /^guessed keys: .*$/m.exec(output)?.[0] ?? '';
  return testResults.flatMap(({ assertionResults }) =>
    assertionResults.map(({ title, status, duration }) => ({
      test: title,
      runs: part.runs,
      state: status,
      seconds: Math.round((duration ?? 0) / 1000),
      said,
    })),
  );
}

/** @type {Row[]} */
const rows = [];
for (const part of PARTS) {
  if (values.only !== undefined && values.only !== part.name) continue;
  process.stderr.write(`${part.name}: ${part.file}\n`);
  rows.push(...(await run(part)));
}
for (const { test, runs, state, seconds, said } of rows) {
  process.stderr.write(
    `${state.padEnd(8)} ${runs.padStart(10)} ${`${seconds} s`.padStart(8)}  ${test.split(':')[0]}${said === '' ? '' : `\n${' '.repeat(30)}${said}`}\n`,
  );
}
const isGood = rows.length > 0 && rows.every(({ state }) => state === 'passed');
process.stdout.write(`${JSON.stringify({ isGood, rows })}\n`);
if (!isGood) process.exitCode = 1;
