import { describe, expect, it } from 'vitest';
import { lacks } from '../../services/needs.ts';
import { ReadingPump, SharedHeads, freshGroup } from './reading-pump.ts';
import { Scratch, until } from './scratch.ts';
import { range, send } from './sending.ts';

async function committedOf(scratch: Scratch, group: string, topic: string, partition = 0): Promise<string | undefined> {
  const [found] = await scratch.admin.fetchOffsets({ groupId: group, topics: [topic] });
  return found?.partitions.find((one) => one.partition === partition)?.offset;
}

describe.skipIf(lacks('kafka'))('reading topics of a real broker', () => {
  it('every record of every partition comes once, in order, and the end is told', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('read', 3);
    for (const partition of range(0, 3)) await send(scratch, topic, 1000 + partition, { partition });
    await using pump = new ReadingPump(scratch, new SharedHeads(), { topics: [topic], group: freshGroup() });
    for (const partition of range(0, 3)) {
      await pump.caughtUp(topic, partition, 1000 + partition);
      expect(pump.of(topic, partition)?.seen).toEqual(range(0, 1000 + partition).map((offset) => ({ offset, value: `line ${offset}` })));
    }
    await send(scratch, topic, 5, { partition: 1, from: 1001 });
    await pump.caughtUp(topic, 1, 1006);
    expect(pump.events.filter(({ kind }) => kind === 'assigned')).toHaveLength(3);
    expect(pump.events.find(({ kind }) => kind === 'assigned')).toMatchObject({ segments: 'chain', resume: 'fresh', generation: 1, from: 0 });
    expect(pump.problems).toEqual([]);
  });

  it('an idle partition says again and again that it is at its end', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('idle', 1);
    await using pump = new ReadingPump(scratch, new SharedHeads(), { topics: [topic], group: freshGroup() });
    await until(() => pump.events.filter(({ kind }) => kind === 'caught_up').length >= 3, 'three ends');
    expect(pump.events.filter(({ kind }) => kind === 'caught_up')[2]).toMatchObject({ position: 0 });
  });

  it('an offset is committed after a segment was stored whole, never before', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('commit', 1);
    const group = freshGroup();
    await send(scratch, topic, 300);
    await using pump = new ReadingPump(scratch, new SharedHeads(), { topics: [topic], group });
    await pump.caughtUp(topic, 0, 300);
    await pump.store(topic, 0, { next: 150, isSealed: false });
    expect(await committedOf(scratch, group, topic)).toBe('-1');
    await pump.store(topic, 0, { next: 200, isSealed: true });
    expect(await committedOf(scratch, group, topic)).toBe('200');
  });

  it('after a crash the open segment is read again from its start, after a sealed one the next begins', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('crash', 1);
    const group = freshGroup();
    const heads = new SharedHeads();
    await send(scratch, topic, 300);
    {
      await using pump = new ReadingPump(scratch, heads, { topics: [topic], group });
      await pump.caughtUp(topic, 0, 300);
      await pump.store(topic, 0, { next: 200, isSealed: true });
      await pump.store(topic, 0, { start: 200, next: 280, isSealed: false });
    }
    {
      await using pump = new ReadingPump(scratch, heads, { topics: [topic], group });
      await pump.caughtUp(topic, 0, 300);
      expect(pump.of(topic, 0)?.resume).toBe('segment');
      expect(pump.offsets(topic)).toEqual(range(200, 300));
      await pump.store(topic, 0, { next: 300, isSealed: true });
    }
    await using pump = new ReadingPump(scratch, heads, { topics: [topic], group });
    await pump.caughtUp(topic, 0, 300);
    expect(pump.of(topic, 0)?.resume).toBe('fresh');
    expect(pump.offsets(topic)).toEqual([]);
    expect(pump.problems).toEqual([]);
  });

  it('the very first start may begin at the end; a crash before anything was stored changes nothing, and an added partition is read whole', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('latest', 1);
    const group = freshGroup();
    const heads = new SharedHeads();
    await send(scratch, topic, 50);
    {
      await using pump = new ReadingPump(scratch, heads, { topics: [topic], group, startFrom: 'latest' });
      await pump.caughtUp(topic, 0, 50);
      expect(pump.offsets(topic)).toEqual([]);
    }
    await send(scratch, topic, 10, { from: 50 });
    await using pump = new ReadingPump(scratch, heads, { topics: [topic], group, startFrom: 'latest' });
    await pump.caughtUp(topic, 0, 60);
    expect(pump.offsets(topic)).toEqual(range(50, 60));
    await scratch.admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] });
    await send(scratch, topic, 20, { partition: 1 });
    await pump.caughtUp(topic, 1, 20);
    expect(pump.offsets(topic, 1)).toEqual(range(0, 20));
    expect(pump.offsets(topic)).toEqual(range(50, 60));
  });

  it('a paused partition is not read while another one is, and goes on where it stopped', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('pause', 2);
    await using pump = new ReadingPump(scratch, new SharedHeads(), { topics: [topic], group: freshGroup() });
    await pump.caughtUp(topic, 0, 0);
    await pump.caughtUp(topic, 1, 0);
    pump.source.pause(pump.nameOf(topic, 0));
    await send(scratch, topic, 100, { partition: 0 });
    await send(scratch, topic, 100, { partition: 1 });
    await pump.caughtUp(topic, 1, 100);
    expect(pump.offsets(topic, 0)).toEqual([]);
    pump.source.resume(pump.nameOf(topic, 0));
    await pump.caughtUp(topic, 0, 100);
    expect(pump.offsets(topic, 0)).toEqual(range(0, 100));
  });

  it('while the store takes nothing for longer than a session, fetching stops, heartbeats go on, and nothing is lost', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('full', 2);
    const group = freshGroup();
    await using pump = new ReadingPump(scratch, new SharedHeads(), {
      topics: [topic],
      group,
      tuning: { waitingBytesMax: 20_000, maxBytesPerPartition: 10_000, sessionTimeoutMs: 6000 },
    });
    await pump.caughtUp(topic, 0, 0);
    const gate = Promise.withResolvers<void>();
    pump.gate = gate.promise;
    const large = { mark: 'line'.repeat(25), compression: 'none' } as const;
    // In many batches: a broker always sends a whole one.
    for (const from of range(0, 40)) {
      await send(scratch, topic, 100, { partition: 0, from: from * 100, ...large });
      await send(scratch, topic, 100, { partition: 1, from: from * 100, ...large });
    }
    // Somebody else's session of the same length is over: ours would be, too.
    const start = performance.now();
    await until(() => performance.now() - start > 7000, 'a session to pass');
    const { groups } = await scratch.admin.describeGroups([group]);
    expect(groups[0]).toMatchObject({ state: 'Stable', members: [expect.anything()] });
    // One answer of each partition may be under way when the bound is reached; in all there are 900 kB.
    expect(pump.source.waitingBytes).toBeGreaterThan(10_000);
    expect(pump.source.waitingBytes).toBeLessThan(100_000);
    pump.gate = undefined;
    gate.resolve();
    await pump.caughtUp(topic, 0, 4000);
    await pump.caughtUp(topic, 1, 4000);
    expect(pump.offsets(topic, 0)).toEqual(range(0, 4000));
    expect(pump.offsets(topic, 1)).toEqual(range(0, 4000));
    expect(pump.events.some(({ kind }) => kind === 'revoked')).toBe(false);
  });
});
