// @ts-check
/**
 * Makes a clone ready to run: installs the dependencies when they are missing or older than the lockfile, and builds
 * when the sources changed. Needs nothing but Node 20 and npm; says nothing and is done at once when nothing is to do.
 */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findLocalNode, isAtLeast } from '../bin/node-version.mjs';
import { isBuilt } from '../bin/sources.mjs';
import { spawnSync } from 'node:child_process';
import { isMain } from './is-main.mjs';
import { install, isInstalled } from './install.mjs';
import { withBootstrapLock } from './lock.mjs';

const NODE_FOR_BOOTSTRAP = '20.0.0';

/**
 * @param {{ root: string, env: NodeJS.ProcessEnv, say: (line: string) => void }} options
 */
export async function bootstrap(options) {
  const { root, say } = options;
  if (isInstalled(root) && isBuilt(root)) return;
  await withBootstrapLock(options, async () => {
    if (!isInstalled(root)) {
      say('installing the dependencies (needed once, about 20 s)');
      await install(options);
    }
    if (!isBuilt(root)) build(options);
  });
}

/**
 * A build that fails is no reason to stop: the program then runs from its sources.
 *
 * @param {{ root: string, env: NodeJS.ProcessEnv, say: (line: string) => void }} options
 */
function build(options) {
  const node = findLocalNode(options.root) ?? process.execPath;
  const script = fileURLToPath(new URL('build.mjs', import.meta.url));
  const result = spawnSync(node, [script, '--quick', options.root], { env: options.env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  if (result.status !== 0) options.say('the build failed, so the sources are run instead: `npm run build` shows why');
}

if (isMain(import.meta.url)) {
  const say = (/** @type {string} */ line) => process.stderr.write(`keywatch: ${line}\n`);
  if (!isAtLeast(process.versions.node, NODE_FOR_BOOTSTRAP)) {
    say(`Node 20 or newer is needed and this is ${process.versions.node}: install a newer one, for instance from your system's packages`);
    process.exitCode = 2;
  } else {
    try {
      await bootstrap({ root: dirname(dirname(fileURLToPath(import.meta.url))), env: process.env, say });
    } catch (error) {
      say(error instanceof Error ? error.message : String(error));
      process.exitCode = 1;
    }
  }
}
