import { describe, expect, it } from 'vitest';
import { fresh, kafka, lacks } from '../../services/needs.ts';
import { KafkaAdmin, busPlan, deadLetterPlan, sourcePlan } from '../../../ingest/kafka/admin.ts';
import { Scratch } from './scratch.ts';

describe.skipIf(lacks('kafka'))('setting up a real broker', () => {
  it('makes what is missing, once, and changes nothing in a dry run', async () => {
    await using scratch = await Scratch.open();
    await using admin = new KafkaAdmin(scratch.client);
    const names = [fresh('bus'), fresh('dlq'), fresh('access')] as const;
    names.forEach((name) => scratch.adopt(name));
    const plans = [busPlan(names[0], 4), deadLetterPlan(names[1]), sourcePlan(names[2], 6)];
    expect((await admin.ensure(plans, { isDryRun: true })).map(({ action }) => action)).toEqual(['would_create', 'would_create', 'would_create']);
    expect(await admin.topic(names[0])).toBeUndefined();
    expect(await admin.ensure(plans)).toEqual([
      { name: names[0], action: 'created', partitions: 4, replication: 1 },
      { name: names[1], action: 'created', partitions: 1, replication: 1 },
      { name: names[2], action: 'created', partitions: 6, replication: 1 },
    ]);
    expect((await admin.ensure(plans)).map(({ action }) => action)).toEqual(['exists', 'exists', 'exists']);
    expect(await admin.topic(names[0])).toMatchObject({
      partitions: 4,
      replication: 1,
      leaderless: [],
      retentionMs: 7_200_000,
      cleanupPolicy: 'delete',
      minInsyncReplicas: 1,
    });
    expect(await admin.topic(names[2])).toMatchObject({
      partitions: 6,
      timestampType: 'LogAppendTime',
      retentionMs: 604_800_000,
      retentionBytes: -1,
      maxMessageBytes: 1_048_588,
    });
  });

  it('a topic that the brokers take long to know of is made all the same', async () => {
    await using scratch = await Scratch.open();
    const real = scratch.client.kafka;
    // As the client does when its patience with a busy cluster ends: the topic is made, and waiting for it fails.
    const impatient = (): ReturnType<typeof real.admin> => {
      const admin = real.admin();
      const createTopics: typeof admin.createTopics = async (request) => {
        await admin.createTopics(request);
        throw Object.assign(new Error('This server does not host this topic-partition'), { type: 'UNKNOWN_TOPIC_OR_PARTITION' });
      };
      return { ...admin, createTopics };
    };
    const kafka = new Proxy(real, { get: (target, name) => (name === 'admin' ? impatient : Reflect.get(target, name)) });
    await using admin = new KafkaAdmin({ ...scratch.client, kafka });
    const name = fresh('slow');
    scratch.adopt(name);
    expect(await admin.ensure([busPlan(name, 2)])).toEqual([{ name, action: 'created', partitions: 2, replication: 1 }]);
  });

  it('tells the cluster, its brokers, its groups and the ranges of its logs', async () => {
    await using scratch = await Scratch.open();
    await using admin = new KafkaAdmin(scratch.client);
    const topic = await scratch.topic('facts', 2);
    expect(await admin.clusterId()).toMatch(/^\S{10,}$/);
    const brokers = await admin.brokers();
    expect(brokers.map(({ address }) => address)).toEqual([await kafka()]);
    expect(Number(brokers[0]?.release)).toBeGreaterThanOrEqual(3.9);
    expect(await admin.topics()).toContain(topic);
    expect(await admin.group(fresh('nobody'))).toEqual({ state: 'Dead', members: [] });
    expect([...(await admin.ranges(topic))].toSorted(([a], [b]) => a - b)).toEqual([
      [0, { start: 0, end: 0 }],
      [1, { start: 0, end: 0 }],
    ]);
    const group = fresh('group');
    await scratch.admin.setOffsets({ groupId: group, topic, partitions: [{ partition: 1, offset: '0' }] });
    expect([...(await admin.committed(group, topic))]).toEqual([[1, { offset: 0, metadata: '' }]]);
    expect(await admin.committed(group, fresh('none'))).toEqual(new Map());
  });
});
