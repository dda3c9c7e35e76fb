// @ts-check
/**
 * `npm run bench:kafka [-- --only single,packed,formats,keys,judge,streams,delay --events 2000000,10000000 --runs 3]`: Kafka to
 * Elasticsearch on the real servers, beside the same job by Kafka Streams. Exit code 1 when a bar is missed.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const node = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url));
const { status } = spawnSync(node, [fileURLToPath(new URL('../test/bench/kafka/run.ts', import.meta.url)), ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
