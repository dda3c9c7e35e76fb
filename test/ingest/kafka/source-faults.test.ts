import { describe, expect, it } from 'vitest';
import { Secret } from '../../../core/secret.ts';
import { openKafka } from '../../../ingest/kafka/client.ts';
import { kafkaPublisher } from '../../../ingest/kafka/publisher.ts';
import { fresh, kafka, lacks } from '../../services/needs.ts';
import { ReadingPump, SharedHeads, freshGroup } from './reading-pump.ts';
import { Scratch, until } from './scratch.ts';
import { range, send } from './sending.ts';

/** Five records, one batch that unpacks to 2 MB, five records. */
async function bomb(scratch: Scratch, topic: string): Promise<void> {
  await send(scratch, topic, 5);
  await using publisher = kafkaPublisher(scratch.client, { compression: 'gzip' });
  expect(await publisher.publish(topic, [{ partition: 0, value: new Uint8Array(2_000_000) }])).toEqual({ ok: true });
  await send(scratch, topic, 5, { from: 6 });
}

/** What several processes hold of a topic right now, partition by owner. */
function owners(pumps: readonly ReadingPump[], topic: string, partitions: number): readonly number[] {
  return range(0, partitions).map((partition) => pumps.findIndex((pump) => pump.of(topic, partition) !== undefined));
}

describe.skipIf(lacks('kafka'))('what goes wrong around a real broker', () => {
  it('two processes share the partitions; one that leaves hands its own over, and the open segment is read again whole', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('share', 4);
    const group = freshGroup();
    const heads = new SharedHeads();
    for (const partition of range(0, 4)) await send(scratch, topic, 100, { partition });
    await using first = new ReadingPump(scratch, heads, { topics: [topic], group });
    for (const partition of range(0, 4)) await first.caughtUp(topic, partition, 100);
    for (const partition of range(0, 4)) await first.store(topic, partition, { next: 60, isSealed: true });
    {
      await using second = new ReadingPump(scratch, heads, { topics: [topic], group });
      await until(() => new Set(owners([first, second], topic, 4)).size === 2 && !owners([first, second], topic, 4).includes(-1), 'both to own partitions');
      const moved = range(0, 4).filter((partition) => second.of(topic, partition) !== undefined);
      expect(moved.length).toBe(2);
      for (const partition of moved) {
        await second.caughtUp(topic, partition, 100);
        expect(second.offsets(topic, partition)).toEqual(range(60, 100));
        await send(scratch, topic, 50, { partition, from: 100 });
        await second.caughtUp(topic, partition, 150);
        // Not sealed: whoever comes next reads it again.
        await second.store(topic, partition, { start: 60, next: 130, isSealed: false });
      }
      // What stayed where it was is not read again.
      for (const partition of range(0, 4).filter((one) => !moved.includes(one))) {
        await send(scratch, topic, 50, { partition, from: 100 });
        await first.caughtUp(topic, partition, 150);
        expect(first.offsets(topic, partition)).toEqual(range(0, 150));
      }
      for (const partition of moved) expect(first.of(topic, partition)).toBeUndefined();
    }
    for (const partition of range(0, 4)) await first.caughtUp(topic, partition, 150);
    const again = range(0, 4).filter((partition) => first.of(topic, partition)?.start === 60);
    expect(again).toHaveLength(2);
    for (const partition of again) expect(first.offsets(topic, partition)).toEqual(range(60, 150));
  });

  it('an offset that an operator put into the middle of a segment is ignored, and told once', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('reset', 1);
    const group = freshGroup();
    const heads = new SharedHeads();
    await send(scratch, topic, 300);
    {
      await using pump = new ReadingPump(scratch, heads, { topics: [topic], group });
      await pump.caughtUp(topic, 0, 300);
      await pump.store(topic, 0, { next: 200, isSealed: true });
    }
    for (const offset of ['37', '290']) {
      await until(async () => (await scratch.admin.describeGroups([group])).groups[0]?.members.length === 0, 'the group to be empty');
      await scratch.admin.setOffsets({ groupId: group, topic, partitions: [{ partition: 0, offset }] });
      await using pump = new ReadingPump(scratch, heads, { topics: [topic], group });
      await pump.caughtUp(topic, 0, 300);
      expect(pump.offsets(topic)).toEqual(range(200, 300));
      expect(pump.problems.filter((problem) => problem.includes(`the offset ${offset} that group ${group} has committed`))).toHaveLength(1);
    }
  });

  it('records removed before they were counted halt their partition only, until a new generation is opened', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('removed', 2);
    const group = freshGroup();
    const heads = new SharedHeads();
    for (const partition of [0, 1]) await send(scratch, topic, 300, { partition });
    {
      await using pump = new ReadingPump(scratch, heads, { topics: [topic], group });
      for (const partition of [0, 1]) {
        await pump.caughtUp(topic, partition, 300);
        await pump.store(topic, partition, { next: 100, isSealed: true });
      }
    }
    await scratch.cut(topic, 0, 150);
    await using pump = new ReadingPump(scratch, heads, { topics: [topic], group });
    await pump.caughtUp(topic, 1, 300);
    await until(() => pump.told(/halted: records 100 to 149 were removed/), 'the halt to be told');
    expect(pump.of(topic, 0)).toBeUndefined();
    const position = (partition: number): unknown => pump.source.positions().find((one) => one.partition === partition);
    // Its lag is told all the same, and grows.
    expect(position(0)).toMatchObject({
      phase: 'halted',
      position: 100,
      end: 300,
      halt: expect.stringContaining('records 100 to 149 were removed') as unknown,
    });
    expect(position(1)).toMatchObject({ phase: 'reading', halt: undefined });
    await send(scratch, topic, 20, { partition: 0 });
    await until(() => pump.source.positions().some(({ partition, end }) => partition === 0 && end === 320), 'the lag to grow');
    heads.generation = 2;
    await pump.caughtUp(topic, 0, 320);
    expect(pump.of(topic, 0)).toMatchObject({ resume: 'fresh', generation: 2 });
    expect(pump.offsets(topic, 0)).toEqual(range(150, 320));
    expect(pump.of(topic, 1)?.generation).toBe(1);
  });

  it('records removed after they were stored, though the start of their segment went too, do not stop anything', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('seeded', 1);
    const group = freshGroup();
    const heads = new SharedHeads();
    await send(scratch, topic, 300);
    {
      await using pump = new ReadingPump(scratch, heads, { topics: [topic], group });
      await pump.caughtUp(topic, 0, 300);
      await pump.store(topic, 0, { next: 200, isSealed: false });
    }
    await scratch.cut(topic, 0, 150);
    await using pump = new ReadingPump(scratch, heads, { topics: [topic], group });
    await pump.caughtUp(topic, 0, 300);
    expect(pump.of(topic, 0)?.resume).toBe('rows');
    expect(pump.offsets(topic)).toEqual(range(200, 300));
  });

  it('records removed in front of a reader that waits are not passed over silently', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('gap', 1);
    await using pump = new ReadingPump(scratch, new SharedHeads(), { topics: [topic], group: freshGroup() });
    await send(scratch, topic, 100);
    await pump.caughtUp(topic, 0, 100);
    pump.source.pause(pump.nameOf(topic));
    await send(scratch, topic, 100, { from: 100 });
    await scratch.cut(topic, 0, 180);
    pump.source.resume(pump.nameOf(topic));
    // Either they were fetched before they went, or that they are lost is told.
    await until(() => pump.told(/halted: records 100 to 179 were removed/) || pump.offsets(topic).length === 200, 'the loss to be told');
    if (pump.offsets(topic).length < 200) expect(pump.offsets(topic)).toEqual(range(0, 100));
  });

  it('a topic made anew while it is read halts instead of being mixed in, and a new generation reads it from its start', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('anew', 1);
    const group = freshGroup();
    const heads = new SharedHeads();
    await send(scratch, topic, 200);
    await using pump = new ReadingPump(scratch, heads, { topics: [topic], group });
    await pump.caughtUp(topic, 0, 200);
    await pump.store(topic, 0, { next: 120, isSealed: true });
    await scratch.remove(topic);
    await scratch.make(topic, 1);
    await send(scratch, topic, 50, { mark: 'new' });
    await until(() => pump.told(/halted: .*the topic was (?:deleted and )?made anew/), 'the halt to be told');
    expect(pump.of(topic)?.seen.some(({ value }) => value.startsWith('new')) ?? false).toBe(false);
    heads.generation = 2;
    await pump.caughtUp(topic, 0, 50);
    expect(pump.of(topic)?.seen).toEqual(range(0, 50).map((offset) => ({ offset, value: `new ${offset}` })));
    expect(pump.of(topic)).toMatchObject({ resume: 'fresh', generation: 2, start: 0 });
    expect(pump.failure).toBeUndefined();
  });

  it('a topic made anew that has grown past the old one is told apart by its records', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('grown', 1);
    const group = freshGroup();
    const heads = new SharedHeads();
    await send(scratch, topic, 200);
    {
      await using pump = new ReadingPump(scratch, heads, { topics: [topic], group });
      await pump.caughtUp(topic, 0, 200);
      await pump.store(topic, 0, { next: 150, isSealed: true });
    }
    await scratch.remove(topic);
    await scratch.make(topic, 1);
    await send(scratch, topic, 500, { mark: 'new' });
    await using pump = new ReadingPump(scratch, heads, { topics: [topic], group });
    await until(() => pump.told(/halted: the record at offset 0 is not the one that was counted/), 'the halt to be told');
    expect(pump.events.some(({ kind }) => kind === 'assigned')).toBe(false);
    heads.generation = 2;
    await pump.caughtUp(topic, 0, 500);
    expect(pump.of(topic)?.seen[0]).toEqual({ offset: 0, value: 'new 0' });
  });

  it('a batch that cannot be read halts its partition and no other', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('bomb', 2);
    await bomb(scratch, topic);
    await send(scratch, topic, 10, { partition: 1 });
    await using pump = new ReadingPump(scratch, new SharedHeads(), { topics: [topic], group: freshGroup(), tuning: { unpackedBytesMax: 100_000 } });
    await pump.caughtUp(topic, 1, 10);
    await until(
      () => pump.told(new RegExp(`topic ${topic}/0: halted: the record batch at offset 5 cannot be read: .*larger than 100000 bytes`)),
      'the halt to be told',
    );
    expect(pump.offsets(topic, 0)).toEqual(range(0, 5));
    await send(scratch, topic, 10, { partition: 1, from: 10 });
    await pump.caughtUp(topic, 1, 20);
    expect(pump.offsets(topic, 0)).toEqual(range(0, 5));
  });

  it('or is left out and kept apart, where that was asked for', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('skip', 1);
    await bomb(scratch, topic);
    await using pump = new ReadingPump(scratch, new SharedHeads(), {
      topics: [topic],
      group: freshGroup(),
      onCorrupt: 'skip',
      tuning: { unpackedBytesMax: 100_000 },
    });
    await pump.caughtUp(topic, 0, 11);
    expect(pump.offsets(topic)).toEqual([...range(0, 5), ...range(6, 11)]);
    expect(pump.quarantined).toMatchObject([{ partition: 0, baseOffset: 5, lastOffset: 5, why: expect.stringContaining('larger than 100000 bytes') }]);
    expect(pump.quarantined[0]?.bytes.length).toBeGreaterThan(61);
    expect(pump.told(/the record batch at offset 5 cannot be read: .*; it is left out/)).toBe(true);
  });

  it('what only a person can change ends the source with a clear line', async () => {
    await using scratch = await Scratch.open();
    const client = openKafka({
      brokers: [await kafka()],
      clientId: 'test',
      sasl: { mechanism: 'plain', username: 'someone', password: new Secret('open sesame') },
      log: () => undefined,
    });
    await using pump = new ReadingPump({ client }, new SharedHeads(), { topics: [await scratch.topic('login', 1)], group: freshGroup() });
    await until(() => pump.failure !== undefined, 'the source to fail');
    expect(String(pump.failure)).toMatch(/kafka group \S+ cannot be read: /);
    expect(String(pump.failure)).not.toContain('sesame');
  });

  it('a topic that is deleted is waited for, and the others go on', async () => {
    await using scratch = await Scratch.open();
    const gone = await scratch.topic('gone', 1);
    const kept = await scratch.topic('kept', 1);
    await using pump = new ReadingPump(scratch, new SharedHeads(), { topics: [gone, kept], group: freshGroup() });
    await send(scratch, gone, 10);
    await pump.caughtUp(gone, 0, 10);
    await pump.caughtUp(kept, 0, 0);
    await scratch.remove(gone);
    await until(() => pump.told(new RegExp(`topic ${gone} is missing`)), 'the loss of the topic to be told');
    await send(scratch, kept, 40);
    await until(() => pump.of(kept)?.isAtEnd === true && pump.of(kept)?.next === 40, 'the other topic to be read');
    await until(() => pump.of(gone) === undefined, 'its partition to be given up');
    expect(pump.failure).toBeUndefined();
  });

  it('topics of a pattern are found when they are made, and read from their beginning whatever the start says', async () => {
    await using scratch = await Scratch.open();
    const stem = fresh('pattern');
    const problems = new RegExp(`^${stem}-`);
    await using pump = new ReadingPump(scratch, new SharedHeads(), { topics: [problems], group: freshGroup(), startFrom: 'latest' });
    await until(() => pump.told(/no topic matches/), 'none to be found');
    for (const name of [`${stem}-a`, `${stem}-b`]) {
      await scratch.make(name, 1);
      await send(scratch, name, 20);
      await pump.caughtUp(name, 0, 20);
      expect(pump.offsets(name)).toEqual(range(0, 20));
    }
  });

  it('while the store cannot say where to go on, nothing is read', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('away', 1);
    const heads = new SharedHeads();
    heads.isAway = true;
    await send(scratch, topic, 30);
    await using pump = new ReadingPump(scratch, heads, { topics: [topic], group: freshGroup() });
    await until(() => pump.told(/where to go on cannot be found out yet: .*the store is away/), 'the fault to be told');
    expect(pump.events).toEqual([]);
    heads.isAway = false;
    await pump.caughtUp(topic, 0, 30);
    expect(pump.problems.filter((problem) => problem.includes('cannot be found out'))).toHaveLength(1);
  });

  it('committed transactions come, aborted ones do not, and the end behind their markers is reached', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('transactions', 1);
    await using pump = new ReadingPump(scratch, new SharedHeads(), { topics: [topic], group: freshGroup() });
    const producer = scratch.client.kafka.producer({ transactionalId: fresh('tx'), maxInFlightRequests: 1, idempotent: true });
    await producer.connect();
    const wanted: string[] = [];
    try {
      for (const index of range(0, 6)) {
        const transaction = await producer.transaction();
        const value = `transaction ${index}`;
        await transaction.send({ topic, messages: [{ value, partition: 0 }] });
        if (index % 2 === 0) {
          await transaction.commit();
          wanted.push(value);
        } else await transaction.abort();
      }
    } finally {
      await producer.disconnect();
    }
    await pump.caughtUp(topic, 0, 12);
    expect(pump.of(topic)?.seen.map(({ value }) => value)).toEqual(wanted);
  });

  it('members that come and go all the time lose nothing and mix nothing up', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('storm', 3);
    const group = freshGroup();
    const heads = new SharedHeads();
    for (const partition of range(0, 3)) await send(scratch, topic, 200, { partition });
    await using steady = new ReadingPump(scratch, heads, { topics: [topic], group });
    for (const round of range(0, 4)) {
      await using guest = new ReadingPump(scratch, heads, { topics: [topic], group });
      await until(() => guest.partitions.size > 0, `guest ${round} to get a partition`);
      await send(scratch, topic, 10, { partition: round % 3, from: 1000 });
    }
    const ends = (await scratch.admin.fetchTopicOffsets(topic)).map(({ partition, high }) => [partition, Number(high)] as const);
    for (const [partition, high] of ends) {
      await steady.caughtUp(topic, partition, high);
      expect(steady.offsets(topic, partition)).toEqual(range(0, high));
    }
    expect(steady.failure).toBeUndefined();
  });
});
