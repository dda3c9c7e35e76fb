import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openMetricStore } from '../../../storage/elasticsearch/metric-store.ts';
import { lacks } from '../../services/needs.ts';
import { runCli } from '../cli/capture.ts';
import { Site } from './services-fixture.ts';

/** The servers may have to be started first. */
const TIMEOUT = 300_000;
const root = mkdtempSync(join(tmpdir(), 'keywatch generation '));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe.skipIf(lacks('kafka', 'elasticsearch'))('keywatch generation new', () => {
  test(
    'is refused while a process reads, changes nothing in a dry run, and takes over the reading rules of the configuration',
    async () => {
      await using site = await Site.open();
      await site.run('setup', '--create-topics', '--partitions', '1');
      await using store = await openMetricStore({ prefix: site.name, replicas: 0 }, { elasticsearch: site.elasticsearch });
      await store.setControl('interpretation:keyBy', '["key"]');

      const consumer = site.scratch.client.kafka.consumer({ groupId: site.name });
      await consumer.connect();
      await consumer.subscribe({ topic: site.topic });
      await new Promise<void>((resolve) => {
        consumer.on(consumer.events.GROUP_JOIN, () => resolve());
        void consumer.run({ eachMessage: async () => undefined });
      });
      try {
        const refused = await site.run('generation', 'new');
        expect(refused.code).toBe(2);
        expect(refused.stderr).toMatch(new RegExp(`1 process is still reading as group ${site.name} \\(.+\\): stop all of them first`));
        expect(await store.control('generation')).toBeUndefined();
      } finally {
        await consumer.disconnect();
      }

      const dry = await site.run('generation', 'new', '--dry-run');
      expect(dry.stdout).toBe('generation 2 would be begun (before: 1)\nkeyBy would be now ["auto"] (before: ["key"])\n');
      expect([await store.control('generation'), await store.control('interpretation:keyBy')]).toEqual([undefined, '["key"]']);

      const run = await site.run('generation', 'new');
      expect(run).toMatchObject({ code: 0, stderr: '' });
      expect(run.stdout).toBe(
        'generation 2 is begun (before: 1)\nkeyBy is now ["auto"] (before: ["key"])\nstart the processes again: each partition says where it goes on\n',
      );
      expect([await store.control('generation'), await store.control('interpretation:keyBy')]).toEqual(['2', '["auto"]']);

      expect(JSON.parse((await site.run('generation', 'new', '--json')).stdout)).toEqual({ from: 2, to: 3, isApplied: true, changes: [] });
    },
    TIMEOUT,
  );

  test(
    'a dry run looks only: where nothing is set up it makes nothing',
    async () => {
      await using site = await Site.open();
      const dry = await site.run('generation', 'new', '--dry-run');
      expect(dry.code).toBe(2);
      expect(dry.stderr).toContain(`nothing of this version of keywatch is set up under the prefix ${site.name}`);
      const { client } = site.elasticsearch;
      expect(Object.keys(await client.indices.get({ index: `${site.name}-*`, allow_no_indices: true }))).toEqual([]);
      expect((await client.indices.getIndexTemplate()).index_templates.map(({ name }) => name).filter((name) => name.startsWith(site.name))).toEqual([]);
    },
    TIMEOUT,
  );

  test(
    'another pepper is refused before anything is changed',
    async () => {
      await using site = await Site.open();
      await using store = await openMetricStore({ prefix: site.name, replicas: 0 }, { elasticsearch: site.elasticsearch });
      await site.run('setup', '--create-topics');
      await store.setControl('pepper.check', '0'.repeat(64));
      const { code, stderr } = await site.run('generation', 'new');
      expect(code).not.toBe(0);
      expect(stderr).toContain('this is not the pepper that the store was filled with');
      expect(await store.control('generation')).toBeUndefined();
    },
    TIMEOUT,
  );
});

test('without topics there is nothing to begin, and it says so', async () => {
  const { code, stderr } = await runCli(['generation', 'new', '--data-dir', join(root, 'data')], { env: { HOME: root } });
  expect(code).toBe(2);
  expect(stderr).toContain('generations are of topics, and this configuration has no source kafka: there is nothing to begin');
  expect(existsSync(join(root, 'data'))).toBe(false);
});
