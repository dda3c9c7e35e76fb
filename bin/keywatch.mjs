#!/usr/bin/env node
// @ts-check
import module from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { HANDED_OVER, handOver } from './hand-over.mjs';
import { NODE_MIN, decideNode, findLocalNode } from './node-version.mjs';
import { findProgram } from './sources.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** Nothing else is left to do by then; a pipe that is read slowly is waited for. */
const LINGER_MS = 500;
const decision = decideNode({ running: process.versions.node, local: findLocalNode(root), isHandedOver: process.env[HANDED_OVER] === '1' });
switch (decision.kind) {
  case 'refuse':
    refuse(decision.message);
    break;
  case 'hand-over':
    try {
      process.exitCode = await handOver({ node: decision.node, args: [fileURLToPath(import.meta.url), ...process.argv.slice(2)] });
    } catch (error) {
      refuse(
        `${decision.node} does not start (${error instanceof Error ? error.message : 'unknown reason'}): run \`npm run bootstrap\` in ${root}, or install Node ${NODE_MIN} or newer`,
      );
    }
    break;
  case 'run':
    await run();
    break;
}

async function run() {
  const program = findProgram(root);
  if (program === undefined) return refuse(`keywatch is incomplete: neither dist/app/main.js nor app/main.ts is in ${root}; install it again`);
  // The default folder is shared by all users of the machine, and what lies there is trusted as code.
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  module.enableCompileCache(join(cache, 'keywatch', 'compiled'));
  /** @type {{ main: (argv: readonly string[]) => Promise<number> }} */
  let loaded;
  try {
    loaded = /** @type {typeof loaded} */ (await import(pathToFileURL(program).href));
  } catch (error) {
    if (!isDependencyMissing(error)) throw error;
    return refuse(`the dependencies of keywatch are not installed: run \`npm run bootstrap\` in ${root}`);
  }
  process.exitCode = await loaded.main(process.argv.slice(2));
  endWhenWritten();
}

/**
 * The command has closed all that it opened, so the process ends by itself. kafkajs leaves something of a broker that
 * died behind, though, which would keep it: then it ends as soon as everything that was written is on its way.
 */
function endWhenWritten() {
  setInterval(() => {
    if (process.stdout.writableLength === 0 && process.stderr.writableLength === 0) process.exit();
  }, LINGER_MS).unref();
}

/** @param {unknown} error */
function isDependencyMissing(error) {
  return error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND' && error.message.includes('Cannot find package');
}

/** @param {string} message */
function refuse(message) {
  process.stderr.write(`${message}\n`);
  process.exitCode = 2;
}
