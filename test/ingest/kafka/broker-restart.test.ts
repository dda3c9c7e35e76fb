import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../core/clock.ts';
import type { PartialBatch } from '../../../core/partial.ts';
import type { BusEvent } from '../../../core/ports.ts';
import { KafkaBus } from '../../../ingest/kafka/bus.ts';
import { kafkaBusReader } from '../../../ingest/kafka/bus-reader.ts';
import { openKafka } from '../../../ingest/kafka/client.ts';
import { kafkaPublisher } from '../../../ingest/kafka/publisher.ts';
import { startKafka } from '../../services/kafka.ts';
import { lacks } from '../../services/needs.ts';
import { ReadingPump, SharedHeads, freshGroup } from './reading-pump.ts';
import { until } from './scratch.ts';
import { range } from './sending.ts';

const batch: PartialBatch = {
  segment: { source: 1, partition: 0, generation: 1, start: 0 },
  next: 10,
  isSealed: false,
  rows: [],
  held: [],
  gone: [],
  aliases: [],
  rejects: {},
  dropped: 0,
  records: 10,
  newest: 0,
};

describe.skipIf(lacks('own'))('a broker that dies', () => {
  it('is waited for by the source, the bus and its reader, and nothing is lost or read twice', { timeout: 240_000 }, async () => {
    await using server = await startKafka({ heapMb: 300 });
    const client = openKafka({ brokers: [server.brokers], clientId: 'test', log: () => undefined });
    const admin = client.kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: ['access', 'bus'].map((topic) => ({ topic, numPartitions: 1, replicationFactor: 1 })) });
    await admin.disconnect();

    const problems: string[] = [];
    const deps = { clock: systemClock, onProblem: (message: string) => void problems.push(message) };
    const heads = new SharedHeads();
    const events: BusEvent[] = [];
    await using publisher = kafkaPublisher(client);
    await using reader = kafkaBusReader(client, { topic: 'bus' }, deps);
    await reader.start(async (event) => void events.push(event));
    const bus = new KafkaBus({ topic: 'bus', id: 'one' }, { publisher, ...deps });
    await using pump = new ReadingPump({ client }, heads, { topics: ['access'], group: freshGroup() });
    const lines = range(0, 100).map((index) => ({ partition: 0, value: Buffer.from(`line ${index}`) }));
    expect(await publisher.publish('access', lines)).toEqual({ ok: true });
    await pump.caughtUp('access', 0, 100);
    await pump.store('access', 0, { next: 60, isSealed: true });
    await bus.publish(batch);

    await server.kill();
    // Sent while nobody is there: waits, and is not lost.
    const sent = bus.publish({ ...batch, next: 20 });
    await until(() => problems.some((problem) => problem.includes('the judge cannot be told')), 'the outage to be told', 90_000);
    await server.restart();
    await sent;
    await until(async () => (await publisher.publish('access', lines)).ok, 'the broker to take records');
    // The same member goes on where it was; a new one reads the open segment again. Neither loses or doubles anything.
    await until(() => pump.of('access')?.next === 200 && pump.of('access')?.isAtEnd === true, 'the rest to be read', 90_000);
    const start = pump.of('access')?.start ?? -1;
    expect([0, 60]).toContain(start);
    expect(pump.offsets('access')).toEqual(range(start, 200));
    await until(() => events.length >= 2, 'the second batch');
    expect(events.map((event) => (event.kind === 'batch' ? event.batch.next : -1))).toEqual([10, 20]);
    await pump.store('access', 0, { start: 60, next: 150, isSealed: true });
    expect(pump.failure).toBeUndefined();
  });
});
