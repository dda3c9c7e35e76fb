import { describe, expect, test } from 'vitest';
import type { CheckRow } from '../../../app/doctor/check.ts';
import { lacks } from '../../services/needs.ts';
import { Site } from './services-fixture.ts';

/** The servers may have to be started first. */
const TIMEOUT = 300_000;

type Rows = (name: string) => readonly CheckRow[];

async function doctor(site: Site): Promise<Rows> {
  const { stdout } = await site.run('doctor', '--json');
  const { checks } = JSON.parse(stdout) as { readonly checks: readonly CheckRow[] };
  return (name) => checks.filter((row) => row.name === name);
}

describe.skipIf(lacks('kafka', 'elasticsearch'))('keywatch doctor on Kafka and Elasticsearch', () => {
  test(
    'says what setup has still to make, and that all is well once it has; what is wrong with a topic comes with what to do',
    async () => {
      await using site = await Site.open();
      const before = await doctor(site);
      expect(before('kafka')).toMatchObject([{ state: 'ok', evidence: expect.stringContaining(`1 broker at ${site.brokers}`) as string }]);
      expect(before(`topic ${site.topic}`)).toMatchObject([{ state: 'fail', evidence: 'there is no such topic' }]);
      expect(before(`topic ${site.busTopic}`)).toMatchObject([{ state: 'fail', fix: 'keywatch setup makes it' }]);
      expect(before('index templates')).toMatchObject([{ state: 'warn', evidence: expect.stringMatching(/^missing: /) as string, fix: 'run keywatch setup' }]);
      expect(before('store')).toMatchObject([{ state: 'ok', evidence: 'nothing stored yet' }]);
      // Looking makes nothing.
      expect(Object.keys(await site.elasticsearch.client.indices.get({ index: `${site.name}-*` }))).toEqual([]);

      expect((await site.run('setup', '--create-topics', '--partitions', '2')).code).toBe(0);
      const after = await doctor(site);
      expect(after(`topic ${site.topic}`)).toMatchObject([{ state: 'ok', evidence: '2 partitions, 1 replica, kept 7 d' }]);
      expect(after(`topic ${site.busTopic}`)).toMatchObject([{ state: 'ok', evidence: 'kept 2 h' }]);
      expect(after(`topic ${site.deadLetterTopic}`)).toMatchObject([{ state: 'ok' }]);
      expect(after('consumer group')).toMatchObject([{ state: 'ok', evidence: `${site.name}: nobody reads now` }]);
      expect(after('index templates')).toMatchObject([{ state: 'ok', evidence: 'as keywatch setup made them' }]);

      const poor = await site.scratch.topic('poor', 1, { 'message.timestamp.type': 'CreateTime', 'cleanup.policy': 'compact', 'retention.ms': '3600000' });
      site.configure({
        sources: [{ kafka: { brokers: [site.brokers], topics: [poor], group: site.name, busTopic: site.busTopic, deadLetterTopic: site.deadLetterTopic } }],
      });
      const rows = (await doctor(site))(`topic ${poor}`);
      expect(rows.map(({ state, evidence }) => [state, evidence.split(':')[0]])).toEqual([
        ['warn', 'message.timestamp.type is CreateTime'],
        ['fail', 'cleanup.policy is compact'],
        ['warn', 'retention.ms is 1 h'],
      ]);
    },
    TIMEOUT,
  );
});
