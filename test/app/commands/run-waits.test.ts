import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { elasticsearch, fresh, lacks } from '../../services/needs.ts';
import { type Command, keywatch, scratch } from '../../e2e/support/command.ts';
import { openCluster, deletePrefix } from '../../storage/elasticsearch/cluster.ts';
import { FakeElasticsearch } from '../../support/fake-elasticsearch.ts';

/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

type Given = { readonly elasticsearch: string; readonly prefix?: string; readonly kafka?: string; readonly ops?: number };

function started(folder: ReturnType<typeof scratch>, { elasticsearch, prefix = 'kw-waits', kafka, ops }: Given): Command {
  folder.write('pepper', `${Buffer.alloc(32, 7).toString('base64')}\n`);
  folder.write('access.log', '');
  const source = kafka === undefined ? 'file: access.log' : `kafka: {brokers: "${kafka}", topics: events}`;
  const config = folder.write(
    'keywatch.yml',
    `pepper: {file: pepper}\nsources: [{${source}}]\nstore: {directory: state, elasticsearch: {nodes: "${elasticsearch}", prefix: ${prefix}, replicas: 0}}\n` +
      `ops: {listen: ${ops === undefined ? 'off' : `"127.0.0.1:${ops}"`}}\n`,
  );
  return keywatch(['run', '-c', config]);
}

describe('a start while the store is away', () => {
  test('waits and says in one line for what, is alive and not ready with the reason, and ends at once when told to', async () => {
    using folder = scratch();
    const [port, ops] = [await closedPort(), await closedPort()];
    await using run = started(folder, { elasticsearch: `http://127.0.0.1:${port}`, ops });
    await run.says('waiting for it');
    expect((await fetch(`http://127.0.0.1:${ops}/livez`)).status).toBe(200);
    const ready = await fetch(`http://127.0.0.1:${ops}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ ok: false, checks: [{ name: 'start', ok: false, text: expect.stringContaining(`127.0.0.1:${port}`) }] });
    expect((await fetch(`http://127.0.0.1:${ops}/metrics`)).status).toBe(200);
    const ended = await run.stop('SIGTERM');
    expect(ended).toMatchObject({ code: 0 });
    expect(ended.stderr.split('\n').filter((line) => line.includes('waiting for it'))).toHaveLength(1);
    expect(ended.stderr).toMatch(/elasticsearch: connecting to 127\.0\.0\.1:\d+: cannot connect.*waiting for it.*tried again/);
  });

  test.each([
    ['refused credentials', (fake: FakeElasticsearch) => void (fake.status = 401), /the credentials were refused \(401\)/],
    ['a denied access', (fake: FakeElasticsearch) => void (fake.status = 403), /not allowed \(403\)/],
    [
      'a version that does not fit',
      (fake: FakeElasticsearch) => {
        fake.version = '7.17.0';
        fake.status = 200;
      },
      /runs version 7\.17\.0; keywatch needs 8\.x or 9\.x/,
    ],
  ])('ends with its line once the answer is %s', async (_name, change, line) => {
    using folder = scratch();
    await using fake = await new FakeElasticsearch().listen();
    fake.status = 503;
    await using run = started(folder, { elasticsearch: fake.url });
    await run.says('waiting for it');
    change(fake);
    const ended = await run.end();
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(line);
  });

  test('a fault of the configuration is not waited for', async () => {
    using folder = scratch();
    await using run = started(folder, { elasticsearch: 'localhost:9200' });
    expect(await run.end()).toMatchObject({ code: 2 });
  });
});

describe.skipIf(lacks('elasticsearch'))('a start with a real Elasticsearch', () => {
  test('goes on by itself as soon as the store answers', async () => {
    using folder = scratch();
    const url = await elasticsearch();
    const prefix = fresh('kw-waits');
    await using fake = await new FakeElasticsearch({ behind: url }).listen();
    fake.status = 503;
    await using run = started(folder, { elasticsearch: fake.url, prefix });
    await run.says('waiting for it');
    fake.status = 200;
    await run.says('watching ');
    expect(await run.stop('SIGTERM')).toMatchObject({ code: 0 });
    await using cluster = await openCluster(url);
    await deletePrefix(cluster, prefix);
  }, 60_000);

  test('waits for Kafka too, and ends at once when told to', async () => {
    using folder = scratch();
    const url = await elasticsearch();
    const prefix = fresh('kw-waits');
    const [port, ops] = [await closedPort(), await closedPort()];
    await using run = started(folder, { elasticsearch: url, prefix, kafka: `127.0.0.1:${port}`, ops });
    await run.says(/kafka broker 127\.0\.0\.1:\d+ refused the connection.*waiting for it/);
    const ready = await fetch(`http://127.0.0.1:${ops}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.text()).toContain(`127.0.0.1:${port}`);
    expect(await run.stop('SIGTERM')).toMatchObject({ code: 0 });
    await using cluster = await openCluster(url);
    await deletePrefix(cluster, prefix);
  }, 60_000);
});
