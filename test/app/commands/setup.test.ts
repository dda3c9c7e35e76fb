import { describe, expect, test } from 'vitest';
import { KafkaAdmin } from '../../../ingest/kafka/admin.ts';
import { lacks } from '../../services/needs.ts';
import { runCli } from '../cli/capture.ts';
import { Site } from './services-fixture.ts';

type Answer = {
  readonly ok: boolean;
  readonly steps: readonly { readonly what: string; readonly state: string; readonly note: string }[];
  readonly lacks: readonly string[];
};

/** The servers may have to be started first. */
const TIMEOUT = 300_000;

describe.skipIf(lacks('kafka', 'elasticsearch'))('keywatch setup', () => {
  test(
    'a dry run changes nothing and says what is missing; a run makes it; the next finds everything present',
    async () => {
      await using site = await Site.open();
      await using admin = new KafkaAdmin(site.scratch.client);
      const { client } = site.elasticsearch;

      const dry = await site.run('setup', '--dry-run');
      expect(dry.stderr).toBe('');
      expect(dry.stdout).toContain(`would make   topic ${site.busTopic}: 6 partitions, 1 replica\n`);
      expect(dry.stdout).toContain(`would make   topic ${site.deadLetterTopic}: 1 partition, 1 replica\n`);
      expect(dry.stdout).toContain(`missing      topic ${site.topic}: the gateways write to it: make it yourself, or with keywatch setup --create-topics\n`);
      expect(dry.stdout).toContain(`would make   index template ${site.name}-window\n`);
      expect(dry.code).toBe(1);
      expect(await admin.topic(site.busTopic)).toBeUndefined();
      expect(Object.keys(await client.indices.get({ index: `${site.name}-*` }))).toEqual([]);

      const first = JSON.parse((await site.run('setup', '--create-topics', '--partitions', '2', '--json')).stdout) as Answer;
      expect(first.ok).toBe(true);
      expect(new Set(first.steps.map(({ state }) => state))).toEqual(new Set(['made']));
      expect((await admin.topic(site.topic))?.partitions).toBe(2);
      expect((await admin.topic(site.topic))?.timestampType).toBe('LogAppendTime');
      expect((await client.indices.existsIndexTemplate({ name: `${site.name}-window` })) as unknown).toBe(true);

      const second = await site.run('setup', '--create-topics', '--json');
      const again = JSON.parse(second.stdout) as Answer;
      expect(second.code).toBe(0);
      expect(again.steps.filter(({ state }) => state !== 'present')).toEqual([]);
      expect(again.steps.map(({ what }) => what)).toEqual(first.steps.map(({ what }) => what));
      // Nobody asked for another number of partitions of topics that are there.
      expect((await admin.topic(site.topic))?.partitions).toBe(2);
    },
    TIMEOUT,
  );

  test(
    'a template that somebody changed is named with what differs, and put back',
    async () => {
      await using site = await Site.open();
      await site.run('setup', '--create-topics');
      const { client } = site.elasticsearch;
      site.configure({ store: { elasticsearch: { nodes: [site.node], prefix: site.name, replicas: 0, shards: 2 } } });
      const dry = await site.run('setup', '--create-topics', '--dry-run');
      expect(dry.code).toBe(0);
      expect(dry.stdout).toMatch(new RegExp(`^would change +index template ${site.name}-window: .*number_of_shards is 1, wanted 2`, 'm'));
      const run = await site.run('setup', '--create-topics');
      expect(run.stdout).toMatch(new RegExp(`^changed +index template ${site.name}-window: `, 'm'));
      const { index_templates: templates } = await client.indices.getIndexTemplate({ name: `${site.name}-window` });
      expect(JSON.stringify(templates[0]?.index_template.template?.settings)).toContain('"number_of_shards":"2"');
      expect((await site.run('setup', '--create-topics')).stdout).not.toMatch(/^(?:changed|made)/m);
    },
    TIMEOUT,
  );

  test(
    'brokers that are not there are one line with their address',
    async () => {
      await using site = await Site.open();
      site.configure({ sources: [{ kafka: { brokers: ['127.0.0.1:1'], topics: ['access'] } }] });
      const { code, stdout, stderr } = await site.run('setup');
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/^keywatch setup: kafka at 127\.0\.0\.1:1: [^\n]+\n$/);
    },
    TIMEOUT,
  );
});

test('with files and the embedded store there is nothing to set up, and it says so', async () => {
  const { code, stdout } = await runCli(['setup', '--set', 'log.level=warn'], { env: { HOME: '/nowhere' } });
  expect([code, stdout]).toEqual([0, 'nothing to set up: the embedded store makes its files by itself\n']);
});
