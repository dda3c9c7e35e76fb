// @ts-check
/**
 * `npm run soak:kill [-- --kills 50 --rate 3000 --backlog 1000000 --seed 1]`: real `kill -9` of the built command while it follows two
 * logs that grow and rotate. Exit code 1 when one line was lost or counted twice.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { NODE_MIN, findLocalNode, isAtLeast } from '../bin/node-version.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
if (isAtLeast(process.versions.node, NODE_MIN)) {
  const { main } = await import('../test/e2e/kill/soak.ts');
  process.exitCode = await main(process.argv.slice(2));
} else {
  const node = findLocalNode(root);
  if (node === undefined) throw new Error('the Node of this project is not installed: run `npm run bootstrap`');
  process.exitCode = spawnSync(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' }).status ?? 1;
}
