import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { runCli } from '../cli/capture.ts';
import { workspace } from './support.ts';

const { write, load, faultsOf, remove } = workspace();
afterAll(remove);

const PEPPER = Buffer.alloc(32, 7).toString('base64');
const env = { HOME: '/home/kw', PEPPER, KAFKA: 'kafka-pass-word', ES: 'es-pass-word', ES_KEY: 'es-api-key', TLS: 'tls-private-key' };
const SHA = 'ab'.repeat(32);
const HEAD = 'pepper: {env: PEPPER}\n';
/** One source with these settings of `kafka` beside the brokers and a topic. */
const kafka = (more = ''): string => `${HEAD}sources: [{kafka: {brokers: [k-1.example:9092], topics: [t]${more === '' ? '' : `, ${more}`}}}]`;
const elasticsearch = (more: string): string => `${HEAD}store: {elasticsearch: {${more}}}`;

describe('what the program gets', () => {
  test('a topic needs brokers and its name, everything else has a default', () => {
    const { sources } = load(kafka(), { env }).config;
    expect(sources).toMatchObject([
      {
        kind: 'kafka',
        format: 'auto',
        envelope: 'auto',
        kafka: {
          brokers: ['k-1.example:9092'],
          topics: ['t'],
          pattern: undefined,
          group: 'keywatch',
          from: 'earliest',
          tls: undefined,
          sasl: undefined,
          onCorrupt: 'halt',
          busTopic: 'keywatch-partials',
          deadLetterTopic: 'keywatch-dlq',
        },
      },
    ]);
  });

  test('files of TLS are read, relative to the configuration, and secrets come from where they are kept', () => {
    const cwd = write(kafka('tls: {ca: ca.pem, cert: cert.pem, key: {env: TLS}}, sasl: {username: u, password: {env: KAFKA}}'));
    writeFileSync(join(cwd, 'ca.pem'), 'the authority');
    writeFileSync(join(cwd, 'cert.pem'), 'the certificate');
    const [source] = load('', { env, cwd }).config.sources;
    if (source?.kind !== 'kafka') throw new Error('no Kafka source');
    expect(source.kafka.tls).toMatchObject({ ca: 'the authority', cert: 'the certificate' });
    expect(source.kafka.tls?.key?.reveal()).toBe(env.TLS);
    expect(source.kafka.sasl).toMatchObject({ mechanism: 'scram-sha-512', username: 'u' });
    expect(source.kafka.sasl?.password.reveal()).toBe(env.KAFKA);
  });

  test('Elasticsearch needs the address of a node, everything else has a default', () => {
    expect(load(elasticsearch('nodes: "https://es:9200"'), { env }).config.store.elasticsearch).toEqual({
      nodes: ['https://es:9200'],
      apiKey: undefined,
      username: undefined,
      password: undefined,
      ca: undefined,
      prefix: 'keywatch',
      shards: 1,
      replicas: 1,
      ilm: false,
      compression: false,
    });
    const { apiKey } = load(elasticsearch('nodes: "https://es:9200", apiKey: {env: ES_KEY}'), { env }).config.store.elasticsearch ?? {};
    expect(apiKey?.reveal()).toBe(env.ES_KEY);
  });

  test('without http nobody can send events; health and metrics are for this machine only', () => {
    const { http, ops, enrich, lateness } = load('').config;
    expect({ http, ops, enrich, lateness }).toEqual({
      http: undefined,
      ops: { listen: { host: '127.0.0.1', port: 9420 } },
      enrich: { databases: [] },
      lateness: undefined,
    });
    expect(load('ops: {listen: off}').config.ops.listen).toBeNull();
    expect(load('http: {}').config.http?.listen).toEqual({ host: '127.0.0.1', port: 9421 });
    expect(load('lateness: 90s').config.lateness).toBe(90_000);
  });

  test('databases of places are paths relative to the file', () => {
    const cwd = write('enrich: {databases: [a.mmdb, /b.mmdb]}');
    expect(load('', { cwd }).config.enrich.databases).toEqual([join(cwd, 'a.mmdb'), '/b.mmdb']);
  });
});

describe('faults', () => {
  test.each([
    ['sources: [{kafka: {brokers: "k:9092", topics: t}}]', 'with Kafka every process needs the same pepper'],
    ['store: {elasticsearch: {nodes: "https://es:9200"}}', 'with Elasticsearch every process needs the same pepper'],
    [`${HEAD}sources: [{kafka: {topics: t}}]`, 'sources.0.kafka.brokers: is missing; expected host:port, or a list of them; for instance brokers: ['],
    [kafka('pattern: "t.*"'), 'needs exactly one of topics and pattern'],
    [`${HEAD}sources: [{kafka: {brokers: "k:9092"}}]`, 'needs exactly one of topics and pattern'],
    [`${HEAD}sources: [{kafka: {brokers: "k:9092", pattern: "("}}]`, 'sources.0.kafka.pattern: is no regular expression'],
    [`${HEAD}sources: [{kafka: {brokers: [k-1], topics: t}}]`, 'expected host:port, not "k-1"'],
    [
      `${HEAD}sources: [{kafka: {brokers: "k:9092", topics: t}}, {kafka: {brokers: "k:9092", topics: u}}]`,
      'sources.1.kafka: there is one Kafka source already',
    ],
    [`${HEAD}sources: [{file: a, kafka: {brokers: "k:9092", topics: t}}]`, 'a source needs exactly one of file, stdin: true and kafka'],
    [kafka('sasl: {mechanism: plain, username: u, password: {env: KAFKA}}'), 'sasl plain sends the password in the clear: set tls: true'],
    [kafka('sasl: {username: u, password: hunter2}'), 'a secret must not stand in the configuration'],
    [kafka('tls: {cert: c.pem}'), 'cert and key belong together'],
    [kafka('tls: {ca: nowhere.pem}'), 'sources.0.kafka.tls.ca: cannot read'],
    [kafka('from: newest'), 'sources.0.kafka.from: expected one of earliest, latest'],
    [`sources: [{file: a, envelope: flebeat}]`, "(did you mean 'filebeat'?)"],
    [
      elasticsearch('prefix: kw'),
      'store.elasticsearch.nodes: is missing; expected an address with its scheme, or a list of them; for instance nodes: [https://es.example.com:9200]',
    ],
    [elasticsearch('nodes: "es:9200"'), 'expected an address such as https://es.example.com:9200'],
    [elasticsearch('nodes: "https://es:9200", prefix: Key_Watch'), 'expected lower case letters, digits and dashes'],
    [elasticsearch('nodes: "https://es:9200", username: u'), 'username and password belong together'],
    [elasticsearch('nodes: "https://es:9200", username: u, password: {env: ES}, apiKey: {env: ES_KEY}'), 'give apiKey or username, not both'],
    [elasticsearch('nodes: "https://es:9200", shards: 0'), 'store.elasticsearch.shards: must be at least 1'],
    ['http: {listen: "0.0.0.0:9421"}', 'http.tokens: 0.0.0.0 can be reached by others'],
    ['http: {listen: 9421}', 'http.listen: expected an address and a port'],
    ['http: {spool: {bytesMax: 1MB}}', 'http.spool.bytesMax: must be at least 8 times maxBody'],
    ['ops: {listen: nowhere}', 'ops.listen: expected an address and a port such as'],
    ['lateness: 1h', 'lateness: must be at most 15m'],
    ['enrich: {databases: []}', 'enrich.databases: expected the path of an .mmdb file'],
  ])('%s', (yaml, want) => {
    expect(faultsOf(yaml, { env })).toContain(want);
  });

  test('sasl plain is taken over TLS, and to brokers on this machine', () => {
    const sasl = 'sasl: {mechanism: plain, username: u, password: {env: KAFKA}}';
    expect(faultsOf(kafka(`tls: true, ${sasl}`), { env })).toBe('nothing is wrong');
    for (const broker of ['localhost:9092', '127.0.0.1:9092', '"[::1]:9092"'])
      expect(faultsOf(`${HEAD}sources: [{kafka: {brokers: [${broker}], topics: t, ${sasl}}}]`, { env })).toBe('nothing is wrong');
  });

  test('a password in an address and a token in place of its hash are refused and not repeated', () => {
    const address = faultsOf(elasticsearch('nodes: "https://elastic:hunter2-hunter2@es:9200"'), { env });
    expect(address).toContain('a password must not stand in an address; use username and password');
    expect(address).not.toContain('hunter2');
    const token = faultsOf('http: {tokens: [{name: edge, sha256: kwt_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789}]}');
    expect(token).toContain('keywatch token makes a token and prints this line');
    expect(token).not.toContain('kwt_AbC');
  });
});

test('config show prints no secret of the production path, only where each is kept', async () => {
  const directory = write(
    [
      'pepper: {env: PEPPER}',
      'sources: [{kafka: {brokers: ["k:9092"], topics: [t], tls: {key: {env: TLS}, cert: cert.pem}, sasl: {username: u, password: {env: KAFKA}}}}]',
      'store: {elasticsearch: {nodes: ["https://es:9200"], username: elastic, password: {env: ES}}}',
      `http: {tokens: [{name: edge, sha256: ${SHA}}]}`,
    ].join('\n'),
  );
  writeFileSync(join(directory, 'cert.pem'), 'the certificate');
  const file = join(directory, 'keywatch.yml');
  for (const flags of [[], ['--origin'], ['--json'], ['--origin', '--json']]) {
    const ran = await runCli(['config', 'show', '-c', file, ...flags], { env });
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    for (const secret of [PEPPER, env.KAFKA, env.ES, env.TLS]) expect(ran.stdout).not.toContain(secret);
    expect(ran.stdout).toContain('<secret>');
  }
  const ran = await runCli(['config', 'show', '--origin', '--json', '-c', file], { env });
  const origins = new Map(
    (JSON.parse(ran.stdout) as { path: string; value: unknown; origin: string }[]).map(({ path, value, origin }) => [path, { value, origin }]),
  );
  for (const [path, name] of [
    ['pepper', 'PEPPER'],
    ['sources.0.kafka.sasl.password', 'KAFKA'],
    ['sources.0.kafka.tls.key', 'TLS'],
    ['store.elasticsearch.password', 'ES'],
  ] as const)
    expect(origins.get(path)).toEqual({ value: '<secret>', origin: expect.stringContaining(`kept in the environment variable ${name}`) as string });
});
