// @ts-check
/**
 * `npm run soak:kafka [-- --short]`: a real broker, a real Elasticsearch and three processes under load, with `kill -9`,
 * rebalances and an outage of Elasticsearch. Exit code 1 when one event was lost or counted twice, or one breach not told.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { NODE_MIN, findLocalNode, isAtLeast } from '../bin/node-version.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
if (isAtLeast(process.versions.node, NODE_MIN)) {
  const { main } = await import('../test/e2e/kafka/soak-main.ts');
  process.exitCode = await main(process.argv.slice(2));
} else {
  const node = findLocalNode(root);
  if (node === undefined) throw new Error('the Node of this project is not installed: run `npm run bootstrap`');
  process.exitCode = spawnSync(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' }).status ?? 1;
}
