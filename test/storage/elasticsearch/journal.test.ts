import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GENESIS_HASH } from '../../../storage/journal-chain.ts';
import type { Elasticsearch } from '../../../storage/elasticsearch/client.ts';
import { type ElasticsearchJournal, type JournalOptions, openJournal } from '../../../storage/elasticsearch/journal.ts';
import { alertOf, bodyOf, entriesOf, journalConformance, outboxRow } from '../../conformance/journal.ts';
import { type Fate, type Proxy, Prefixes, connect, isMissing, startProxy } from './judge-cluster.ts';

const prefixes = new Prefixes();
const entryId = (seq: number): string => String(seq).padStart(16, '0');

describe.skipIf(isMissing)('the journal in elasticsearch', () => {
  let elasticsearch: Elasticsearch;
  /** Which installation a journal of the conformance suite is of. */
  const prefixOf = new WeakMap<ElasticsearchJournal, string>();

  beforeAll(async () => {
    elasticsearch = await connect();
  });
  afterAll(async () => {
    await prefixes.remove(elasticsearch);
    await elasticsearch[Symbol.asyncDispose]();
  });

  async function open(prefix = prefixes.next(), over: Partial<JournalOptions> = {}): Promise<ElasticsearchJournal> {
    const journal = await openJournal({ elasticsearch, prefix, ...over });
    prefixOf.set(journal, prefix);
    return journal;
  }

  function prefixFor(journal: ElasticsearchJournal): string {
    const prefix = prefixOf.get(journal);
    if (prefix === undefined) throw new Error('a journal that was not opened here');
    return prefix;
  }

  async function reopen(journal: ElasticsearchJournal): Promise<ElasticsearchJournal> {
    await journal[Symbol.asyncDispose]();
    return open(prefixFor(journal));
  }

  journalConformance('elasticsearch', {
    open: async () => open(),
    reopen,
    tamper: async (journal, seq, change) => {
      await journal[Symbol.asyncDispose]();
      const place = { index: `${prefixFor(journal)}-journal`, id: entryId(seq) };
      if (change === 'body') {
        const { _source: stored } = await elasticsearch.client.get<{ readonly body: string }>(place);
        await elasticsearch.client.index({ ...place, document: { ...stored, body: stored?.body.replace(`actor ${seq}`, 'nobody') } });
      } else await elasticsearch.client.delete(place);
      return open(prefixFor(journal));
    },
    runs: 4,
  });

  test('of two judges that race for every seq exactly one gets each, and the chain is whole', async () => {
    const prefix = prefixes.next();
    await using other = await connect();
    await using one = await open(prefix);
    await using two = await openJournal({ elasticsearch: other, prefix });
    const winners: string[] = [];
    for (let seq = 1; seq <= 30; seq++) {
      const body = (actor: string): ReturnType<typeof bodyOf> => bodyOf({ at: seq, actor, alerts: [alertOf(`a-${seq}`, { startedAt: seq, peak: seq })] });
      const results = await Promise.all([one.append(seq, body('one')), two.append(seq, body('two'))]);
      expect(results.toSorted()).toEqual(['appended', 'taken']);
      winners.push(results[0] === 'appended' ? 'one' : 'two');
    }
    expect((await entriesOf(one)).map((entry) => entry.actor)).toEqual(winners);
    expect(await two.verifyChain()).toEqual({ isIntact: true, entries: 30 });
    expect(await one.head()).toEqual(await two.head());
    const alerts = await one.alerts({});
    expect(alerts.map((alert) => alert.peak)).toEqual(Array.from({ length: 30 }, (_, i) => 30 - i));
    expect(await two.alerts({})).toEqual(alerts);
  });

  test('what one process appended the other reads at once, and a reader makes and writes nothing', async () => {
    const prefix = prefixes.next();
    await using reader = await open(prefix, { readOnly: true });
    expect(await reader.head()).toEqual({ seq: 0, hash: GENESIS_HASH });
    expect([await reader.alerts({}), await reader.pending(), await reader.snapshot(), await entriesOf(reader)]).toEqual([[], [], undefined, []]);
    expect(await reader.verifyChain()).toEqual({ isIntact: true, entries: 0 });
    expect(await elasticsearch.client.indices.exists({ index: `${prefix}-journal` })).toBe(false);
    await using writer = await open(prefix);
    await using rare = await open(prefix, { readOnly: true });
    expect((await rare.head()).seq).toBe(0);
    for (let seq = 1; seq <= 40; seq++) {
      await writer.append(seq, bodyOf({ at: seq, alerts: [alertOf(`a-${seq}`)] }));
      expect((await reader.head()).seq).toBe(seq);
    }
    expect(await reader.alerts({})).toHaveLength(40);
    // It looked long ago, and more came than are asked for at once.
    expect(await rare.head()).toEqual(await writer.head());
    await expect(reader.append(41, bodyOf())).rejects.toThrow(/opened to read only/);
    await expect(reader.saveSnapshot({ seq: 1, state: '' })).rejects.toThrow(/opened to read only/);
  });

  describe('behind a connection that loses answers', () => {
    let proxy: Proxy;
    let shaky: Elasticsearch;

    beforeAll(async () => {
      proxy = await startProxy();
      shaky = await connect(proxy.node);
    });
    afterAll(async () => {
      await shaky[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
    });

    /** The first `count` requests that create an entry meet this fate. */
    function meet(fate: Fate, count = 1): void {
      let left = count;
      proxy.decide((method, path) => (method === 'PUT' && path.includes('-journal/_create/') && left-- > 0 ? fate : 'pass'));
    }

    test('an append whose answer is lost is known to be appended, once', async () => {
      await using journal = await openJournal({ elasticsearch: shaky, prefix: prefixes.next() });
      meet('lose', 2);
      expect(await journal.append(1, bodyOf({ actor: 'judge', alerts: [alertOf('a-1')] }))).toBe('appended');
      meet('refuse', 2);
      expect(await journal.append(2, bodyOf({ actor: 'judge' }))).toBe('appended');
      expect(await journal.verifyChain()).toEqual({ isIntact: true, entries: 2 });
      expect((await journal.alerts({})).map((alert) => alert.id)).toEqual(['a-1']);
    });

    test('an append whose answer is lost, and which somebody else made first, is taken', async () => {
      const prefix = prefixes.next();
      await using journal = await openJournal({ elasticsearch: shaky, prefix });
      await using other = await open(prefix);
      expect(await other.append(1, bodyOf({ actor: 'other' }))).toBe('appended');
      meet('lose');
      // The same words by another judge are not ours either.
      expect(await journal.append(1, bodyOf({ actor: 'other' }))).toBe('taken');
      expect((await entriesOf(journal)).map((entry) => entry.actor)).toEqual(['other']);
    });

    test('after an append that failed the same one is appended, also when the first arrived late', async () => {
      const prefix = prefixes.next();
      await using journal = await openJournal({ elasticsearch: shaky, prefix, patienceMs: 0 });
      meet('late');
      const body = bodyOf({ actor: 'judge', alerts: [alertOf('a-1')] });
      await expect(journal.append(1, body)).rejects.toMatchObject({ name: 'ElasticsearchFault', isRetryable: true });
      expect(await entriesOf(journal)).toEqual([]);
      await proxy.release();
      expect(await journal.append(1, body)).toBe('appended');
      expect(await journal.append(1, body)).toBe('taken');
      expect(await entriesOf(journal)).toHaveLength(1);
    });

    test('an append that arrives after another judge took over changes nothing', async () => {
      const prefix = prefixes.next();
      await using zombie = await openJournal({ elasticsearch: shaky, prefix, patienceMs: 0 });
      await using judge = await open(prefix);
      meet('late');
      await expect(zombie.append(1, bodyOf({ actor: 'zombie', alerts: [alertOf('z-1')] }))).rejects.toMatchObject({ isRetryable: true });
      expect(await judge.append(1, bodyOf({ actor: 'judge', alerts: [alertOf('a-1')] }))).toBe('appended');
      await proxy.release();
      expect(await zombie.append(1, bodyOf({ actor: 'zombie' }))).toBe('taken');
      expect((await entriesOf(judge)).map((entry) => entry.actor)).toEqual(['judge']);
      expect((await zombie.alerts({})).map((alert) => alert.id)).toEqual(['a-1']);
    });

    test('entries whose projection failed are in the answers all the same, and after a restart too', async () => {
      const prefix = prefixes.next();
      const journal = await openJournal({ elasticsearch: shaky, prefix, patienceMs: 0 });
      proxy.decide((_, path) => (path.includes('/_bulk') ? 'refuse' : 'pass'));
      expect(await journal.append(1, bodyOf({ alerts: [alertOf('a-1', { state: 'pending' })], outbox: [outboxRow('r', 7)] }))).toBe('appended');
      expect(await journal.append(2, bodyOf({ alerts: [alertOf('a-1')], deliveries: [{ row: 'r', at: 8, attempt: 1, result: 'retry', nextAt: 99 }] }))).toBe(
        'appended',
      );
      expect(journal.behind).toBe(2);
      await expect(journal.alerts({})).rejects.toMatchObject({ name: 'ElasticsearchFault', isRetryable: true });
      // A process that dies now leaves them to the next one.
      await using next = await open(prefix);
      await using reader = await open(prefix, { readOnly: true });
      expect((await reader.alerts({})).map((alert) => alert.state)).toEqual(['firing']);
      expect((await next.alerts({})).map((alert) => [alert.id, alert.state])).toEqual([['a-1', 'firing']]);
      expect(await next.pending()).toEqual([{ row: outboxRow('r', 7), attempts: 1, nextAt: 99 }]);
      proxy.decide(() => 'pass');
      expect(await journal.append(3, bodyOf({ deliveries: [{ row: 'r', at: 100, attempt: 2, result: 'sent' }] }))).toBe('appended');
      expect(journal.behind).toBe(0);
      expect(await journal.pending()).toEqual([]);
      expect(await next.pending()).toEqual([]);
      await journal[Symbol.asyncDispose]();
    });

    test('what a judge that lost its lease projects late loses against the newer state', async () => {
      const prefix = prefixes.next();
      const zombie = await openJournal({ elasticsearch: shaky, prefix, patienceMs: 0 });
      proxy.decide((_, path) => (path.includes('/_bulk') ? 'late' : 'pass'));
      await zombie.append(1, bodyOf({ alerts: [alertOf('a-1', { state: 'pending' })], outbox: [outboxRow('r', 7)] }));
      await using judge = await open(prefix);
      await judge.append(2, bodyOf({ alerts: [alertOf('a-1', { state: 'resolved' })], deliveries: [{ row: 'r', at: 8, attempt: 1, result: 'sent' }] }));
      await proxy.release();
      expect((await judge.alerts({})).map((alert) => alert.state)).toEqual(['resolved']);
      expect(await judge.pending()).toEqual([]);
      proxy.decide(() => 'pass');
      await zombie[Symbol.asyncDispose]();
    });
  });

  test('damaged projections are made anew from the entries', async () => {
    const prefix = prefixes.next();
    await using journal = await open(prefix);
    await journal.append(1, bodyOf({ alerts: [alertOf('a-1', { state: 'pending' })], outbox: [outboxRow('r', 7), outboxRow('s', 8)] }));
    await journal.append(2, bodyOf({ alerts: [alertOf('a-1')], deliveries: [{ row: 'r', at: 8, attempt: 1, result: 'retry', nextAt: 99 }] }));
    await journal.append(3, bodyOf({ deliveries: [{ row: 's', at: 8, attempt: 1, result: 'sent' }] }));
    const [alerts, pending] = [await journal.alerts({}), await journal.pending()];
    expect([alerts.length, pending.length]).toEqual([1, 1]);
    const { client } = elasticsearch;
    await client.delete({ index: `${prefix}-outbox`, id: 'r' });
    await client.index({
      index: `${prefix}-alert-v1`,
      id: 'nobody-1',
      document: { '@timestamp': 1, id: 'nobody-1', started: 1, alert: alertOf('nobody-1') },
      refresh: true,
    });
    expect((await journal.alerts({})).length + (await journal.pending()).length).toBe(2);
    await journal.rebuildProjections();
    expect([await journal.alerts({}), await journal.pending()]).toEqual([alerts, pending]);
  });

  test('all alerts are given, in order, when they are more than one answer holds', async () => {
    await using journal = await open();
    const alerts = Array.from({ length: 2500 }, (_, i) => alertOf(`a${i}-1`, { startedAt: 1000 + (i % 50), lastBreachAt: 2000 }));
    await journal.append(1, bodyOf({ alerts }));
    const wanted = alerts.toSorted((a, b) => b.startedAt - a.startedAt || (a.id < b.id ? -1 : 1)).map((alert) => alert.id);
    expect((await journal.alerts({ limit: Number.MAX_SAFE_INTEGER })).map((alert) => alert.id)).toEqual(wanted);
    expect((await journal.alerts({ limit: 1001 })).map((alert) => alert.id)).toEqual(wanted.slice(0, 1001));
    expect(await journal.alerts({ limit: 0 })).toEqual([]);
  });

  test('an alert can be searched by what dashboards ask for, and unknown times are absent', async () => {
    const prefix = prefixes.next();
    await using journal = await open(prefix);
    await journal.append(
      1,
      bodyOf({
        alerts: [
          alertOf('a-1', { startedAt: Date.UTC(2026, 10, 24), firedAt: Date.UTC(2026, 10, 24, 0, 2) }),
          alertOf('b-1', { state: 'resolved', severity: 'low' }),
        ],
      }),
    );
    await elasticsearch.client.indices.refresh({ index: `${prefix}-alert` });
    const { hits, aggregations } = await elasticsearch.client.search<Readonly<Record<string, unknown>>>({
      index: `${prefix}-alert`,
      query: { bool: { filter: [{ term: { is_open: true } }, { terms: { severity: ['high', 'critical'] } }, { range: { fired: { gte: '2026-11-24' } } }] } },
      aggs: { rules: { terms: { field: 'rule' } }, peak: { max: { field: 'peak' } } },
    });
    expect(hits.hits).toHaveLength(1);
    expect(hits.hits[0]?._source).toMatchObject({
      key: 'key:k1',
      kind: 'key',
      name: 'k1',
      label: 'billing',
      severity_rank: 4,
      why: 'It made 1,200 requests in a minute.',
      seq: 1,
    });
    expect(hits.hits[0]?._source).not.toHaveProperty('resolved');
    expect(aggregations?.['peak']).toMatchObject({ value: 1200 });
  });

  test('a snapshot larger than one document comes back whole, and parts that no snapshot names are removed', async () => {
    const prefix = prefixes.next();
    await using journal = await open(prefix, { snapshotPartBytes: 1000 });
    const state = (seed: number): string => JSON.stringify(Array.from({ length: 4000 }, (_, i) => `ümläut ${(i * 7919 * seed) % 10_007}`));
    await journal.saveSnapshot({ seq: 3, state: state(3) });
    expect(await journal.snapshot()).toEqual({ seq: 3, state: state(3) });
    const { client } = elasticsearch;
    await client.indices.refresh({ index: `${prefix}-snapshot` });
    expect((await client.count({ index: `${prefix}-snapshot` })).count).toBeGreaterThan(5);
    await journal.saveSnapshot({ seq: 5, state: '' });
    await client.indices.refresh({ index: `${prefix}-snapshot` });
    // The head and its one part.
    expect((await client.count({ index: `${prefix}-snapshot` })).count).toBe(2);
    await using reader = await open(prefix, { readOnly: true });
    expect(await reader.snapshot()).toEqual({ seq: 5, state: '' });
  });

  test('of snapshots that are saved at once one is read whole at every moment, and the newest is left', async () => {
    const prefix = prefixes.next();
    await using journal = await open(prefix, { snapshotPartBytes: 500 });
    const state = (seq: number): string => `${seq} ${'abcdefgh'.repeat(400)} ${seq}`;
    await journal.saveSnapshot({ seq: 1, state: state(1) });
    const read = async (): Promise<void> => {
      const snapshot = await journal.snapshot();
      expect(snapshot?.state).toBe(state(snapshot?.seq ?? 0));
    };
    await Promise.all([9, 4, 7, 8, 2].flatMap((seq) => [journal.saveSnapshot({ seq, state: state(seq) }), read(), read()]));
    expect(await journal.snapshot()).toEqual({ seq: 9, state: state(9) });
  });

  test('a damaged snapshot is refused by name', async () => {
    const prefix = prefixes.next();
    await using journal = await open(prefix);
    await journal.saveSnapshot({ seq: 1, state: 'state' });
    const { client } = elasticsearch;
    await client.indices.refresh({ index: `${prefix}-snapshot` });
    const { hits } = await client.search({ index: `${prefix}-snapshot`, query: { term: { kind: 'part' } } });
    await client.delete({ index: `${prefix}-snapshot`, id: hits.hits[0]?._id ?? '' });
    await expect(journal.snapshot()).rejects.toThrow(/damaged/);
  });
});
