// npm run bench [-- --events 10000000 --runs 3 --only ingest,keys,store,analyze,delay]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const node = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url));
const { status } = spawnSync(node, [fileURLToPath(new URL('../test/bench/run.ts', import.meta.url)), ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
