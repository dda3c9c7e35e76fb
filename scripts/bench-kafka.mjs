// @ts-check
/**
 * `npm run bench:kafka [-- --only single,packed,formats,keys,judge,streams,delay --events 2000000,10000000 --runs 3]`: Kafka to
 * Elasticsearch on the real servers, beside the same job by Kafka Streams. Exit code 1 when a bar is missed.
 * `npm run bench:kafka -- takeover`: how long a standby needs when the judge is killed. `-- judge-scale`: a judge of 1,000,000 keys.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const node = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url));
const BENCHES = ['run', 'takeover', 'judge-scale'];
const [first = '', ...rest] = process.argv.slice(2);
const isNamed = BENCHES.includes(first);
const bench = fileURLToPath(new URL(`../test/bench/kafka/${isNamed ? first : 'run'}.ts`, import.meta.url));
const { status } = spawnSync(node, [bench, ...(isNamed ? rest : process.argv.slice(2))], {
  cwd: root,
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
