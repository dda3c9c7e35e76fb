import { appendFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { C, type Counters, at } from '../../../core/counters.ts';
import type { MetricStore } from '../../../core/ports.ts';
import { entityOf } from './ledger.ts';
import { fresh, lacks, services } from '../../services/needs.ts';
import { startNginx } from '../../services/nginx.ts';
import { startRsyslog } from '../../services/rsyslog.ts';
import { readTopic } from '../../services/topic.ts';
import { HttpReceiver } from '../../support/http-receiver.ts';
import { type Output, leaks } from '../support/secret-search.ts';
import { Installation, heard } from './installation.ts';

/** Invented, in the shapes that people use. The busy one goes over its limit; the last one is refused now and then. */
const BUSY = 'kw_live_9sVqT2mXbR4kLzH7cWnY1dPa';
const KEYS = [BUSY, '7b1e64c2-93d4-4f0a-8c55-2f9a0d1e6b73', 'sk_live_51HqLyjWDarjtT1zdp7dcEf8'];
const REFUSED_AT_TIMES = 'AKIAQ3EXAMPLE7ZKPWLN';
const WEBHOOK = '/services/T0FIRST00/B0FIRST00/wh7Qm2Zt9XvKc4RbLd81';
/** From one network: more than the 50 an hour that mean an attack. */
const GUESSES = Array.from({ length: 60 }, (_, i) => `guess_${String(7919 * (i + 11)).padStart(8, '0')}_Zk9p7XqW`);
/** Requests a minute, of any key. */
const LIMIT = 40;
const STATUSES = [200, 200, 201, 404, 500, 429, 200, 403, 301, 503];
/** What a full disk left of a line; with a key in it, as it may be. */
const TORN = `{"msec":1795540000.123,"remote_addr":"198.18.0.4","uri":"/v1/orders/7/200?api_key=${BUSY}","status":2`;

type Asked = { readonly key: string; readonly status: number };
/** Requests by what windows count of a status. */
type Statuses = Record<'requests' | 's2xx' | 's3xx' | 's4xx' | 's5xx' | 's401' | 's403' | 's429', number>;

/** Asks the gateway as customers and as somebody who tries keys, and writes down what it answered. */
async function ask(origin: string): Promise<readonly Asked[]> {
  const wanted: { readonly key: string; readonly status: number; readonly from: string }[] = [];
  for (let i = 0; i < 3 * LIMIT; i++) wanted.push({ key: BUSY, status: 200, from: '198.51.100.20' });
  for (let i = 0; i < 120; i++)
    wanted.push({ key: KEYS[i % KEYS.length] ?? '', status: STATUSES[i % STATUSES.length] ?? 200, from: `198.51.100.${30 + (i % 3)}` });
  for (let i = 0; i < 12; i++) wanted.push({ key: REFUSED_AT_TIMES, status: i % 4 === 3 ? 401 : 200, from: '198.51.100.40' });
  for (const key of GUESSES) wanted.push({ key, status: 401, from: '203.0.113.66' });
  const ledger: Asked[] = [];
  for (const [n, { key, status, from }] of wanted.entries()) {
    const response = await fetch(`${origin}/v1/orders/${n}/${status}`, {
      redirect: 'manual',
      headers: { 'x-api-key': key, 'x-forwarded-for': from, 'user-agent': 'acme/2.4' },
    });
    await response.arrayBuffer();
    ledger.push({ key, status: response.status });
  }
  return ledger;
}

/** By owner: a key that was only ever refused is none. */
function requestsOf(ledger: readonly Asked[]): Record<string, Statuses> {
  const owners: Record<string, Statuses> = {};
  for (const { key, status } of ledger) {
    const owner = entityOf(GUESSES.includes(key) ? 'refused' : key);
    const sums = (owners[owner] ??= { requests: 0, s2xx: 0, s3xx: 0, s4xx: 0, s5xx: 0, s401: 0, s403: 0, s429: 0 });
    sums.requests++;
    const group = `s${Math.floor(status / 100)}xx`;
    if (group in sums) sums[group as 's2xx']++;
    if (`s${status}` in sums) sums[`s${status}` as 's401']++;
  }
  return owners;
}

async function storedBy(store: MetricStore): Promise<Record<string, Statuses>> {
  const owners: Record<string, Statuses> = {};
  for await (const { entity, counters } of store.windows({ from: 0, to: Number.MAX_SAFE_INTEGER })) {
    if (!entity.startsWith('network:')) owners[entity] = sum(owners[entity], counters);
  }
  return owners;
}

function sum(before: Statuses | undefined, counters: Counters): Statuses {
  const names = ['requests', 's2xx', 's3xx', 's4xx', 's5xx', 's401', 's403', 's429'] as const;
  return Object.fromEntries(names.map((name) => [name, (before?.[name] ?? 0) + at(counters, C[name])])) as Statuses;
}

/** Every document of the installation, whatever its index is for. */
async function documentsOf(installed: Installation): Promise<readonly Output[]> {
  const elasticsearch = await installed.elasticsearch();
  await elasticsearch.call('refreshing', (client, options) => client.indices.refresh({ index: `${installed.name}-*`, expand_wildcards: 'all' }, options));
  const found = await elasticsearch.call('reading everything', (client, options) =>
    client.search({ index: `${installed.name}-*`, expand_wildcards: 'all', size: 10_000, track_total_hits: true }, options),
  );
  const { hits, total } = found.hits;
  expect(total).toEqual({ value: hits.length, relation: 'eq' });
  return hits.map((hit) => ({ name: `${hit._index} ${hit._id ?? ''}`, text: JSON.stringify(hit) }));
}

describe.skipIf(lacks('kafka', 'elasticsearch', 'nginx', 'rsyslog'))('a first deployment: NGINX, rsyslog, Kafka, keywatch run, Elasticsearch, Slack', () => {
  test('counts what was asked by key and status, tells Slack who and why, and no key is readable anywhere', { timeout: 240_000 }, async () => {
    const { kafka: brokers, elasticsearch } = await services();
    await using slack = await new HttpReceiver().listen();
    await using gateway = await startNginx({ format: 'json' });
    await using installed = await Installation.open({ name: fresh('kw-first'), brokers, elasticsearch, partitions: 1 });
    installed.folder.write('webhook', `${slack.origin}${WEBHOOK}`);
    const kafka = {
      brokers: [brokers],
      topics: [installed.topic],
      group: installed.group,
      busTopic: `${installed.name}-bus`,
      deadLetterTopic: installed.deadLetterTopic,
    };
    // Nobody says what the lines are: an envelope of rsyslog with the JSON of NGINX in it.
    const config = installed.configure('keywatch.yml', {
      members: {
        sources: [{ kafka }],
        rules: { request_rate: { warning: 'off', critical: LIMIT } },
        alerts: { survey: 0, channels: { slack: [{ name: 'slack', webhookUrl: { file: 'webhook' }, minSeverity: 'critical' }] }, digest: { enabled: false } },
      },
    });
    await using stack = new AsyncDisposableStack();
    const shipper = stack.adopt(await startRsyslog({ file: gateway.accessLog, brokers, topic: installed.topic, template: 'default' }), (runner) =>
      runner.remove(),
    );
    const run = stack.use(installed.run(config));
    await heard(run, 'watching');

    const ledger = await ask(gateway.origin);
    const told = (): string => slack.posts.map(({ body }) => body).join('\n');
    await expect.poll(told, { timeout: 60_000 }).toMatch(/requests in [^"]+, limit 40/);
    await expect.poll(told, { timeout: 60_000 }).toMatch(/different credentials failed to authenticate from this network/);
    // Behind all that is good: a first deployment does not begin with it.
    appendFileSync(gateway.accessLog, `${TORN}\n`);
    await installed.stored(ledger.length + 1);
    await shipper.end('orderly');
    const ended = await run.stop('SIGTERM');
    expect(ended).toMatchObject({ code: 0 });

    expect(await storedBy(await installed.store())).toEqual(requestsOf(ledger));
    expect(slack.posts.map(({ path }) => path)).toEqual(slack.posts.map(() => WEBHOOK));
    const messages = slack.posts.map(({ body }) => (JSON.parse(body) as { text: string }).text);
    expect(messages.some((text) => text.includes(entityOf(BUSY).slice('key:kf1_'.length, 'key:kf1_'.length + 8)))).toBe(true);
    expect(messages.some((text) => text.includes('203.0.113.0/24'))).toBe(true);

    const listed = await installed.cli(['dlq', 'list', '--json'], config);
    const letters = listed.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: string; reason: string });
    expect(letters.map(({ reason }) => reason)).toEqual(['truncated']);
    const shown = await installed.cli(['dlq', 'show', letters[0]?.id ?? ''], config);
    expect(shown).toMatchObject({ code: 0 });
    const topics = await Promise.all(
      [installed.deadLetterTopic, `${installed.name}-bus`].map(async (topic) =>
        (await readTopic(brokers, topic)).map(({ value, offset }) => ({ name: `${topic} ${offset}`, text: value })),
      ),
    );
    const outputs: readonly Output[] = [
      ...(await documentsOf(installed)),
      ...topics.flat(),
      { name: 'stderr of run', text: ended.stderr },
      { name: 'stdout of run', text: ended.stdout },
      ...slack.posts.map(({ body }, i) => ({ name: `Slack message ${i}`, text: body })),
      { name: 'dlq list', text: listed.stdout + listed.stderr },
      { name: 'dlq show', text: shown.stdout + shown.stderr },
    ];
    const kinds = new Set(outputs.map(({ name }) => name.replace(installed.name, '').replace(/[ \d.].*/, '')));
    expect([...kinds]).toEqual(expect.arrayContaining(['-partial-', '-segment', '-journal', '-alert-v', '-dlq', '-bus', 'stderr', 'Slack', 'dlq']));
    expect(topics.map((records) => records.length > 0)).toEqual([true, true]);
    expect(leaks(outputs, [...KEYS, REFUSED_AT_TIMES, ...GUESSES, WEBHOOK])).toEqual([]);
    // The search finds what is there: the topic that the gateway writes to is full of keys.
    const records = (await readTopic(brokers, installed.topic)).map(({ value }) => ({ name: 'record', text: value }));
    expect(leaks(records, KEYS)).toHaveLength(KEYS.length);
  });
});
