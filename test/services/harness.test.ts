import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, describe, expect, test } from 'vitest';
import { findProgram, meansHere } from './choice.ts';
import { startElasticsearch } from './elasticsearch.ts';
import { startKafka } from './kafka.ts';
import { fresh, lacks, services } from './needs.ts';
import { ServiceDoor } from './shared.ts';

const client = (brokers: string): Kafka => new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING });

async function newestOffset(brokers: string, topic: string): Promise<string | undefined> {
  const admin = client(brokers).admin();
  await admin.connect();
  try {
    return (await admin.fetchTopicOffsets(topic))[0]?.high;
  } finally {
    await admin.disconnect();
  }
}

async function produce(brokers: string, topic: string): Promise<void> {
  const admin = client(brokers).admin();
  await admin.connect();
  if (!(await admin.listTopics()).includes(topic)) await admin.createTopics({ topics: [{ topic }], waitForLeaders: true });
  await admin.disconnect();
  const producer = client(brokers).producer();
  await producer.connect();
  await producer.send({ topic, messages: [{ value: 'a' }] });
  await producer.disconnect();
}

const put = (url: string, id: number): Promise<Response> =>
  fetch(`${url}/kept/_doc/${id}?refresh=true`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{"a":1}' });

describe.skipIf(lacks('kafka', 'elasticsearch'))('the shared servers', () => {
  test('a topic and an index of its own are all that a test needs', { timeout: 180_000 }, async () => {
    const topic = fresh('harness');
    const { kafka: brokers, elasticsearch: url } = await services();
    await produce(brokers, topic);
    expect(await newestOffset(brokers, topic)).toBe('1');
    const index = fresh('harness');
    expect((await fetch(`${url}/${index}`, { method: 'PUT' })).status).toBe(200);
    expect((await fetch(`${url}/${index}`, { method: 'DELETE' })).status).toBe(200);
    const admin = client(brokers).admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [topic] });
    await admin.disconnect();
  });
});

describe.skipIf(lacks('own'))('a server of its own', () => {
  test('a broker that was killed comes back on its port with what it had acknowledged', { timeout: 240_000 }, async () => {
    await using broker = await startKafka();
    await produce(broker.brokers, 'kept');
    await broker.kill();
    await expect(fetch(`http://${broker.brokers}`)).rejects.toThrow('fetch failed');
    await broker.restart();
    await produce(broker.brokers, 'kept');
    expect(await newestOffset(broker.brokers, 'kept')).toBe('2');
  });

  test('a node that was killed comes back on its port with what it had acknowledged, and can be frozen', { timeout: 240_000 }, async () => {
    await using node = await startElasticsearch();
    expect((await put(node.url, 1)).status).toBe(201);
    await node.kill();
    await expect(fetch(node.url)).rejects.toThrow('fetch failed');
    await node.restart();
    expect((await put(node.url, 1)).status).toBe(200);
    // Frozen it accepts connections and answers nothing.
    await node.freeze();
    await expect(fetch(node.url, { signal: AbortSignal.timeout(500) })).rejects.toThrow('aborted due to timeout');
    await node.thaw();
    expect((await put(node.url, 1)).status).toBe(200);
  });

  test('a setting of a test wins over that of the harness', { timeout: 240_000 }, async () => {
    await using broker = await startKafka({ properties: { 'auto.create.topics.enable': 'true' } });
    const producer = client(broker.brokers).producer({ allowAutoTopicCreation: true });
    await producer.connect();
    await producer.send({ topic: 'made-on-demand', messages: [{ value: 'a' }] });
    await producer.disconnect();
    expect(await newestOffset(broker.brokers, 'made-on-demand')).toBe('1');
  });

  test('a broker with a setting that it does not take says so', { timeout: 240_000 }, async () => {
    await expect(startKafka({ properties: { 'log.retention.ms': 'soon' } })).rejects.toThrow(/log\.retention\.ms/);
  });
});

const killed = mkdtempSync(join(tmpdir(), 'keywatch-harness-'));
afterAll(() => rmSync(killed, { recursive: true, force: true }));

test('a server does not outlive tests that were killed, and leaves nothing on disk', async () => {
  const folder = join(killed, 'served');
  mkdirSync(folder);
  const module = pathToFileURL(join(import.meta.dirname, 'local.ts')).href;
  const script = join(killed, 'tests.ts');
  writeFileSync(
    script,
    `import { local } from ${JSON.stringify(module)};
const server = local({ program: '/bin/sh', args: ['-c', 'echo $$ > pid; exec sleep 600'], folder: ${JSON.stringify(folder)} });
await server.start();
console.log('started');
setInterval(() => {}, 1000);
`,
  );
  const tests = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(createInterface(tests.stdout), 'line');
  expect(existsSync(folder)).toBe(true);
  tests.kill('SIGKILL');
  await expect.poll(() => existsSync(folder), { timeout: 20_000 }).toBe(false);
});

describe('without Java and Docker', () => {
  const only = (...programs: readonly string[]): string => {
    const folder = mkdtempSync(join(killed, 'path-'));
    for (const program of programs) symlinkSync(findProgram(program) ?? `/nonexistent/${program}`, join(folder, program));
    return folder;
  };

  test('what is missing is named, and the tests are skipped', async () => {
    await using door = await ServiceDoor.open({ PATH: only() });
    expect(door.means).toEqual({ by: 'nothing', why: 'no java, no mvn, no Docker engine' });
    expect(door.shared).toMatchObject({ has: { kafka: false, elasticsearch: false }, canStart: false, isRequired: false });
  });

  test('servers that are given are used, also when they are required', async () => {
    const env = { PATH: only(), KEYWATCH_TEST_KAFKA: 'kafka.test:9092', KEYWATCH_TEST_SERVICES: 'required' };
    await using door = await ServiceDoor.open(env);
    expect(door.shared).toMatchObject({ has: { kafka: true, elasticsearch: false }, canStart: false, isRequired: true });
    expect(await (await fetch(`${door.shared.door}/kafka`)).text()).toBe('kafka.test:9092');
    const missing = await fetch(`${door.shared.door}/elasticsearch`);
    expect(missing.status).toBe(500);
    expect(await missing.text()).toContain('no java');
  });

  test('Java without Maven is not enough', async () => {
    const java = mkdtempSync(join(killed, 'old-'));
    writeFileSync(join(java, 'java'), '#!/bin/sh\necho "    java.specification.version = 11" >&2\necho "    java.home = /x" >&2\n', { mode: 0o755 });
    expect(await meansHere({ PATH: java })).toEqual({ by: 'nothing', why: 'java is older than 17, no mvn, no Docker engine' });
    expect(dirname(findProgram('java', { PATH: java }) ?? '')).toBe(java);
  });
});
