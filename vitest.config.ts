import { defineConfig } from 'vitest/config';

/** Where `.ci/run` wants the counts as JSON; `npm test` by hand sets nothing and stays plain. */
const report = process.env['KEYWATCH_TEST_REPORT'];

/**
 * `keywatch run` while topics, groups and servers fail, and the test servers themselves: minutes of waiting, so `npm run test:long` runs them.
 */
const long =
  process.env['KEYWATCH_TEST_LONG'] === undefined
    ? [
        'test/e2e/kafka/log-faults.test.ts',
        'test/e2e/kafka/members.test.ts',
        'test/e2e/kafka/servers-die.test.ts',
        'test/e2e/kafka/store-faults.test.ts',
        'test/services/harness.test.ts',
      ]
    : [];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', 'test/fixtures/**', ...long],
    // Starts a real Kafka and a real Elasticsearch beside the unit tests, where it can: test/services/needs.ts.
    globalSetup: ['test/services/global-setup.ts'],
    // One process, no isolation: seven times as fast. So a test file must not change what others share
    // (process.env, process.cwd(), globals): it passes such things as arguments.
    pool: 'threads',
    maxWorkers: 2,
    isolate: false,
    testTimeout: 60_000,
    // The first test that asks for a server waits until it has started, on a busy machine.
    hookTimeout: 180_000,
    teardownTimeout: 30_000,
    passWithNoTests: false,
    allowOnly: false,
    dangerouslyIgnoreUnhandledErrors: false,
    reporters: report === undefined ? ['default'] : ['default', 'json'],
    ...(report === undefined ? {} : { outputFile: { json: report } }),
  },
});
