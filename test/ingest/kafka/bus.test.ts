import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fresh, lacks } from '../../services/needs.ts';
import { systemClock } from '../../../core/clock.ts';
import type { PartialBatch } from '../../../core/partial.ts';
import type { BusEvent } from '../../../core/ports.ts';
import { entityId } from '../../../core/types.ts';
import { KafkaBus } from '../../../ingest/kafka/bus.ts';
import { kafkaBusReader } from '../../../ingest/kafka/bus-reader.ts';
import { kafkaPublisher } from '../../../ingest/kafka/publisher.ts';
import { anyBatch } from './batches.ts';
import { Scratch, until } from './scratch.ts';

const never = new AbortController().signal;

function batchOf(partition: number, next: number, rows = 1, cellBytes = 20): PartialBatch {
  return {
    segment: { source: 3, partition, generation: 1, start: 0 },
    next,
    isSealed: false,
    rows: Array.from({ length: rows }, (_, index) => ({
      window: 29_000_000 + (index % 7),
      entity: entityId('key', `kf1_${partition}_${index}`),
      // Hardly compressible, so that the sizes on the wire are real.
      cells: Uint8Array.from({ length: cellBytes }, (__, at) => (index * 31 + at * 17 + ((index * at) >> 3)) & 255),
    })),
    held: [],
    gone: [],
    aliases: [],
    rejects: {},
    dropped: 0,
    records: next,
    newest: 1_700_000_000_000,
  };
}

function collector(): { readonly events: BusEvent[]; readonly batches: () => readonly PartialBatch[]; readonly take: (event: BusEvent) => Promise<void> } {
  const events: BusEvent[] = [];
  return {
    events,
    batches: () => events.flatMap((event) => (event.kind === 'batch' ? [event.batch] : [])),
    take: async (event) => {
      events.push(event);
    },
  };
}

describe.skipIf(lacks('kafka'))('the bus over a real broker', () => {
  it('brings everything that was published after the reader started, whole and in the order of each partition', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('bus', 3, {});
    const problems: string[] = [];
    const deps = { clock: systemClock, onProblem: (message: string) => void problems.push(message), signal: never };
    await using publisher = kafkaPublisher(scratch.client);
    const bus = new KafkaBus({ topic, id: 'one' }, { publisher, ...deps });
    const other = new KafkaBus({ topic, id: 'two' }, { publisher, ...deps });
    await bus.publish(batchOf(0, 1));

    await using reader = kafkaBusReader(scratch.client, { topic }, deps);
    const seen = collector();
    await reader.start(seen.take);
    const random = fc.sample(anyBatch, { numRuns: 20, seed: 11 });
    // About 4 MB, of two senders at once.
    const large = batchOf(1, 500, 40_000, 90);
    const sent = [batchOf(0, 10), large, batchOf(1, 600), batchOf(2, 5), ...random];
    await Promise.all([...sent.map((batch) => bus.publish(batch)), other.publish(large)]);
    await bus.progress([{ source: 3, partition: 1, newest: 17, isAtEnd: true, heardAt: 99 }]);
    bus.hint(batchOf(2, 7));

    await until(() => seen.events.length >= sent.length + 3, 'all that was published');
    expect(seen.batches().filter(({ next }) => next === 500)).toEqual([large, large]);
    const place = ({ segment }: PartialBatch): string => `${segment.source}.${segment.partition}`;
    for (const key of new Set(sent.map(place))) {
      const wanted = sent.filter((batch) => place(batch) === key);
      const got = seen.batches().filter((batch) => place(batch) === key);
      expect(got.filter((batch) => batch.next !== 500 && batch.next !== 7)).toEqual(wanted.filter((batch) => batch.next !== 500 && batch.next !== 7));
    }
    expect(seen.batches().filter(({ next }) => next === 7)).toEqual([batchOf(2, 7)]);
    expect(seen.events.filter(({ kind }) => kind === 'progress')).toEqual([
      { kind: 'progress', from: 'one', partitions: [{ source: 3, partition: 1, newest: 17, isAtEnd: true, heardAt: 99 }] },
    ]);
    // What was published before the start is the store's to tell.
    expect(seen.batches().some(({ segment, next }) => segment.partition === 0 && next === 1)).toBe(false);
    expect(problems).toEqual([]);
  });

  it('a hint overtakes a large batch, and does not tear its pieces apart', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('hints', 1, {});
    const problems: string[] = [];
    const deps = { clock: systemClock, onProblem: (message: string) => void problems.push(message), signal: never };
    await using publisher = kafkaPublisher(scratch.client);
    await using hints = kafkaPublisher(scratch.client);
    const bus = new KafkaBus({ topic, id: 'one' }, { publisher, hints, ...deps });
    await using reader = kafkaBusReader(scratch.client, { topic }, deps);
    const seen = collector();
    await reader.start(seen.take);
    // Both are connected.
    bus.hint(batchOf(0, 1));
    await bus.publish(batchOf(0, 2));
    await until(() => seen.events.length >= 2, 'the first two');

    // About 12 MB in some 18 requests.
    const large = batchOf(0, 500, 40_000, 300);
    const sent = bus.publish(large);
    for (let next = 501; next < 520; next++) bus.hint(batchOf(0, next));
    await sent;
    await until(() => seen.events.length >= 22, 'all that was sent');
    expect(seen.batches().filter(({ next }) => next === 500)).toEqual([large]);
    expect(
      seen
        .batches()
        .map(({ next }) => next)
        .filter((next) => next > 500),
    ).toEqual(Array.from({ length: 19 }, (_, index) => 501 + index));
    expect(seen.batches().findIndex(({ next }) => next === 501)).toBeLessThan(seen.batches().findIndex(({ next }) => next === 500));
    expect(problems).toEqual([]);
  });

  it('a reader that starts before the topic exists waits for it, and reads partitions that are added later', async () => {
    await using scratch = await Scratch.open();
    const topic = fresh('late');
    const problems: string[] = [];
    const deps = { clock: systemClock, onProblem: (message: string) => void problems.push(message), signal: never };
    await using reader = kafkaBusReader(scratch.client, { topic, refreshMs: 100 }, deps);
    const seen = collector();
    const started = reader.start(seen.take);
    await until(() => problems.some((problem) => problem.includes('is missing')), 'the reader to miss its topic');
    await scratch.make(topic, 1, {});
    await started;
    await scratch.admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] });
    await using publisher = kafkaPublisher(scratch.client);
    const bus = new KafkaBus({ topic, id: 'one' }, { publisher, ...deps });
    const sent = Array.from({ length: 12 }, (_, index) => batchOf(index, 100 + index));
    for (const batch of sent) await bus.publish(batch);
    await until(() => seen.events.length >= sent.length, 'batches of the added partitions');
    expect(seen.batches().toSorted((a, b) => a.next - b.next)).toEqual(sent);
  });

  it('a message of somebody else does not stop the judge', async () => {
    await using scratch = await Scratch.open();
    const topic = await scratch.topic('foreign', 1, {});
    const problems: string[] = [];
    const deps = { clock: systemClock, onProblem: (message: string) => void problems.push(message), signal: never };
    await using publisher = kafkaPublisher(scratch.client);
    await using reader = kafkaBusReader(scratch.client, { topic }, deps);
    const seen = collector();
    await reader.start(seen.take);
    const strange = [Uint8Array.of(), Uint8Array.of(1), Uint8Array.of(1, 1, 200), Uint8Array.of(1, 1, 1, 65, 1, 0, 1, 2, 0x7b), Uint8Array.of(99, 1, 2)];
    expect(
      await publisher.publish(
        topic,
        strange.map((value) => ({ value })),
      ),
    ).toEqual({ ok: true });
    await new KafkaBus({ topic, id: 'one' }, { publisher, ...deps }).publish(batchOf(0, 42));
    await until(() => seen.events.length > 0, 'the batch behind them');
    expect(seen.batches()).toEqual([batchOf(0, 42)]);
  });
});
