// @ts-check
/**
 * Which Node runs Keywatch. An older system Node does not matter: the npm package `node` brings 24.x, and the
 * entry point hands over to it. Everything here runs on any Node since 14.18, so that the message is seen.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The oldest Node that has what Keywatch uses: `node:sqlite` without a warning, type stripping. */
export const NODE_MIN = '24.15.0';

/**
 * @typedef {{ kind: 'run' } | { kind: 'hand-over', node: string } | { kind: 'refuse', message: string }} NodeDecision
 */

/**
 * Decides whether this process runs the program, hands over to the Node that npm installed, or refuses.
 *
 * @param {{ running: string, local: string | undefined, isHandedOver: boolean }} input `running` is the version of
 *   this process, `local` the path of the Node from npm, `isHandedOver` says that another process already handed over.
 * @returns {NodeDecision}
 */
export function decideNode(input) {
  if (isAtLeast(input.running, NODE_MIN)) return { kind: 'run' };
  if (input.local !== undefined && !input.isHandedOver) return { kind: 'hand-over', node: input.local };
  return {
    kind: 'refuse',
    message: `keywatch needs Node ${NODE_MIN} or newer and this is ${input.running}: run \`npm start\` or \`npm run bootstrap\` in its clone, which bring their own Node, or install Node ${NODE_MIN} or newer`,
  };
}

/**
 * Compares two dotted versions; a leading `v` and anything after the third number do not count.
 *
 * @param {string} version
 * @param {string} least
 */
export function isAtLeast(version, least) {
  const a = numbersOf(version);
  const b = numbersOf(least);
  for (let i = 0; i < 3; i++) {
    const difference = Number(a[i]) - Number(b[i]);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** @param {string} version */
function numbersOf(version) {
  const found = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version);
  return found === null ? ['0', '0', '0'] : found.slice(1);
}

/**
 * The Node that npm installed for this package: in its own `node_modules`, or hoisted to that of a folder above.
 *
 * @param {string} packageRoot
 * @returns {string | undefined}
 */
export function findLocalNode(packageRoot) {
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  let folder = packageRoot;
  for (;;) {
    const candidate = join(folder, 'node_modules', 'node', 'bin', name);
    if (existsSync(candidate)) return candidate;
    const parent = dirname(folder);
    if (parent === folder) return undefined;
    folder = parent;
  }
}
