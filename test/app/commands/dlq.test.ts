import { describe, expect, test } from 'vitest';
import { Secret } from '../../../core/secret.ts';
import { Sealer } from '../../../ingest/dead-letter/seal.ts';
import { deadLetterTopic } from '../../../ingest/kafka/dead-letter-topic.ts';
import { LogReader } from '../../../ingest/kafka/log-reader.ts';
import { kafkaPublisher } from '../../../ingest/kafka/publisher.ts';
import { TEST_PEPPER } from '../../e2e/support/pepper.ts';
import { lacks } from '../../services/needs.ts';
import { readTopic } from '../../services/topic.ts';
import { type Ran, runCli } from '../cli/capture.ts';
import { Site } from './services-fixture.ts';

/** The servers may have to be started first. */
const TIMEOUT = 300_000;
const SECRET = 'sk_live_7Hq2planted0secret9Zx';
const RECORDS = [`{"time":"soon","api_key":"${SECRET}","status":200}`, `GET /v1/x?api_key=${SECRET} broken`, `{"status":200,"api_key":"${SECRET}"`];

type Listed = {
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly reason: string;
  readonly at: string;
};

/** A site whose topic has three records that were not counted, as the pump buries them. */
async function withLetters(site: Site, pepper = TEST_PEPPER): Promise<void> {
  await site.run('setup', '--create-topics', '--partitions', '1');
  await using publisher = kafkaPublisher(site.scratch.client);
  const sealer = new Sealer(new Secret(pepper));
  const letters = deadLetterTopic(publisher, { topic: site.deadLetterTopic, seal: (bytes) => sealer.seal(bytes) });
  const reasons = ['bad_time', 'not_this_format', 'bad_json'] as const;
  const outcome = await letters.put(
    RECORDS.map((value, offset) => ({
      source: `kafka:cluster/${site.topic}`,
      partition: 0,
      offset: 100 + offset,
      index: offset === 2 ? 4 : 0,
      reason: reasons[offset] ?? 'bad_json',
      at: Date.UTC(2026, 10, 23, 12, 0, offset),
      value: Buffer.from(value),
    })),
  );
  expect(outcome).toEqual({ ok: true });
}

const lines = (text: string): readonly Listed[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Listed);

describe.skipIf(lacks('kafka', 'elasticsearch'))('keywatch dlq', () => {
  test(
    'lists where letters were and why, shows one masked, and puts originals back once; a secret in them is never shown',
    async () => {
      await using site = await Site.open();
      expect((await site.run('setup', '--create-topics', '--partitions', '1')).code).toBe(0);
      expect((await site.run('dlq', 'list')).stdout).toBe('no dead letters\n');
      await withLetters(site);
      let said = '';
      const run = async (...argv: readonly string[]): Promise<Ran> => {
        const ran = await site.run('dlq', ...argv);
        said += ran.stdout + ran.stderr;
        return ran;
      };

      const listed = lines((await run('list', '--json')).stdout);
      expect(listed.map(({ topic, partition, offset, reason }) => [topic, partition, offset, reason])).toEqual([
        [site.topic, 0, 100, 'bad_time'],
        [site.topic, 0, 101, 'not_this_format'],
        [site.topic, 0, 102, 'bad_json'],
      ]);
      const ids = listed.map(({ id }) => id);
      const table = await run('list', '--limit', '2');
      expect(table.stdout).toContain('bad_time');
      expect(table.stdout).toContain('there are more; --limit shows them');
      expect(table.stdout).not.toContain(ids[2]);
      expect(lines((await run('list', '--json', '--reason', 'bad_json')).stdout).map(({ id }) => id)).toEqual([ids[2]]);
      expect((await run('list', '--topic', 'another')).stdout).toBe('no dead letters\n');

      const shown = await run('show', ids[2] ?? '');
      expect(shown.stdout).toContain(`topic      ${site.topic}, partition 0, offset 102, event 5 of it\nreason     bad_json\n`);
      expect(shown.stdout).toContain('status');
      expect(shown.stdout).toContain('***');
      expect((await run('show', 'kafka:cluster/nothing/0/0/0/bad_json')).code).toBe(1);

      const dry = await run('replay', '--all', '--reason', 'bad_time', '--dry-run');
      expect(dry.stdout).toBe('1 record would be put back\n');
      expect(lines((await run('list', '--json')).stdout)).toHaveLength(3);
      expect((await run('replay', ids[0] ?? '')).stdout).toBe('1 record put back at the end of the topic\n');
      const unknown = await run('replay', ids[0] ?? '', '--json');
      expect(unknown.code).toBe(1);
      expect(JSON.parse(unknown.stdout)).toEqual({ replayed: 0, matched: 1, failed: [{ id: ids[0], why: 'there is no such letter' }] });
      expect((await run('replay', '--all')).stdout).toBe('2 records put back at the end of the topic\n');
      expect((await run('list')).stdout).toBe('no dead letters\n');
      expect((await readTopic(site.brokers, site.topic)).map(({ value }) => value).toSorted()).toEqual(RECORDS.toSorted());
      expect(said).not.toContain(SECRET);
      expect(said).not.toContain(SECRET.slice(3, 15));
    },
    TIMEOUT,
  );

  test(
    'letters of another pepper are told and left where they are',
    async () => {
      await using site = await Site.open();
      await withLetters(site, Buffer.alloc(32, 9).toString('base64'));
      const replay = await site.run('dlq', 'replay', '--all');
      expect(replay.code).toBe(1);
      expect(replay.stdout).toBe('0 records put back at the end of the topic\n');
      expect(replay.stderr.match(/was sealed with another pepper; use the configuration that it was read with/g)).toHaveLength(3);
      const { id = '' } = lines((await site.run('dlq', 'list', '--json')).stdout)[0] ?? {};
      expect((await site.run('dlq', 'show', id)).stdout).toContain('was sealed with another pepper');
      await using reader = new LogReader(site.scratch.client.kafka);
      expect([...(await reader.ranges(site.topic)).values()].map(({ end }) => end)).toEqual([0]);
    },
    TIMEOUT,
  );

  test(
    'without the topic of dead letters it says where it looked',
    async () => {
      await using site = await Site.open();
      const { code, stderr } = await site.run('dlq', 'list');
      expect(code).toBe(1);
      expect(stderr).toBe(`keywatch dlq list: topic ${site.deadLetterTopic} at ${site.brokers}: there is no such topic; keywatch setup makes it\n`);
    },
    TIMEOUT,
  );
});

test('dead letters need a Kafka source, and what is put back is named', async () => {
  const env = { HOME: '/nowhere' };
  const list = await runCli(['dlq', 'list'], { env });
  expect(list.code).toBe(2);
  expect(list.stderr).toContain('that needs a source kafka in the configuration');
  expect((await runCli(['dlq', 'replay'], { env })).stderr).toContain('name the letters to put back, or --all');
  expect((await runCli(['dlq', 'replay', 'x', '--reason', 'bad_json'], { env })).stderr).toContain('--topic and --reason go with --all');
});
