import { describe, expect, test } from 'vitest';
import { Secret } from '../../../core/secret.ts';
import { type ElasticsearchOptions, openElasticsearch } from '../../../storage/elasticsearch/client.ts';
import { FakeElasticsearch } from '../../support/fake-elasticsearch.ts';
import { selfSigned } from '../../support/self-signed.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const PASSWORD = 'correct horse battery staple';
const deps = { clock: new VirtualClock(0), random: () => 0 };

/** What opening says, or the version. */
async function opened(options: ElasticsearchOptions): Promise<string> {
  try {
    await using cluster = await openElasticsearch(options, deps);
    return cluster.version;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

describe('opening a cluster', () => {
  test.each(['8.0.0', '8.19.0', '9.2.0'])('accepts version %s', async (version) => {
    await using fake = await new FakeElasticsearch().listen();
    fake.version = version;
    expect(await opened({ nodes: [fake.url] })).toBe(version);
  });

  test.each(['7.17.9', '10.0.0'])('refuses version %s and says what it needs', async (version) => {
    await using fake = await new FakeElasticsearch().listen();
    fake.version = version;
    expect(await opened({ nodes: [fake.url] })).toMatch(new RegExp(`^elasticsearch: 127.0.0.1:\\d+ runs version ${version}; keywatch needs 8.x or 9.x$`));
  });

  test('says in one line that nobody listens, and where', async () => {
    const fake = await new FakeElasticsearch().listen();
    const { url } = fake;
    await fake[Symbol.asyncDispose]();
    expect(await opened({ nodes: [url] })).toMatch(/^elasticsearch: connecting to 127\.0\.0\.1:\d+: cannot connect: connect ECONNREFUSED 127\.0\.0\.1:\d+$/);
  });

  test('says that the credentials were refused, without showing them', async () => {
    await using fake = await new FakeElasticsearch().listen();
    fake.status = 401;
    const byKey = await opened({ nodes: [fake.url], apiKey: new Secret(PASSWORD) });
    const byName = await opened({ nodes: [fake.url.replace('//', '//someone:else@')], username: 'keywatch', password: new Secret(PASSWORD) });
    for (const line of [byKey, byName])
      expect(line).toMatch(/^elasticsearch: connecting to 127\.0\.0\.1:\d+: the credentials were refused \(401\); check api_key, or username and password$/);
    expect(fake.authorizations).toEqual([`ApiKey ${PASSWORD}`, `Basic ${Buffer.from(`keywatch:${PASSWORD}`).toString('base64')}`]);
  });

  test('trusts the authority that it is given, and names a certificate that it does not trust', async () => {
    const { key, cert } = selfSigned();
    await using fake = await new FakeElasticsearch({ tls: { key, cert } }).listen();
    expect(await opened({ nodes: [fake.url], ca: cert })).toBe('8.19.0');
    const line = await opened({ nodes: [fake.url] });
    expect(line).toMatch(/^elasticsearch: connecting to 127\.0\.0\.1:\d+: TLS failed: .*certificate.*; check ca and the scheme of the address$/);
    expect(line).not.toContain('\n');
  });

  test('says that TLS fails where the other side speaks none', async () => {
    await using fake = await new FakeElasticsearch().listen();
    expect(await opened({ nodes: [fake.url.replace('http:', 'https:')] })).toMatch(/TLS failed: .*; check ca and the scheme of the address$/);
  });

  test('says that something else answers there', async () => {
    await using fake = await new FakeElasticsearch().listen();
    fake.isElasticsearch = false;
    expect(await opened({ nodes: [fake.url] })).toContain('what answers there is not Elasticsearch; check the address');
  });

  test('tries what may pass again as long as it is told to', async () => {
    await using fake = await new FakeElasticsearch().listen();
    fake.status = 503;
    const clock = new VirtualClock(0);
    const opening = openElasticsearch({ nodes: [fake.url] }, { clock, random: () => 1 }, { patienceMs: 60_000 });
    while (fake.authorizations.length < 3) await (clock.sleepers > 0 ? clock.advance(1000) : clock.settle());
    fake.status = 200;
    while (fake.authorizations.length < 4) await (clock.sleepers > 0 ? clock.advance(1000) : clock.settle());
    await using cluster = await opening;
    expect(cluster.version).toBe('8.19.0');
  });
});
