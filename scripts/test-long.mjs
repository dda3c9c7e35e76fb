// The fault tests of the production path that take minutes: real servers that die, topics that vanish, members that come and go.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const files = [...['log-faults', 'members', 'servers-die', 'store-faults'].map((name) => `test/e2e/kafka/${name}.test.ts`), 'test/services/harness.test.ts'];
const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));
const { status } = spawnSync(process.execPath, [vitest, 'run', ...files], { stdio: 'inherit', env: { ...process.env, KEYWATCH_TEST_LONG: '1' } });
process.exitCode = status ?? 1;
