import type { Producer, Transaction } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chooseDecoder } from '../../../ingest/kafka/patch.ts';
import { fresh, kafka, lacks } from '../../services/needs.ts';
import { RecordReader } from './record-reader.ts';

describe.skipIf(lacks('kafka')).each(['raw', 'stock'] as const)('transactions on a real broker, %s decoder', (hook) => {
  let broker: RecordReader;
  let before: 'raw' | 'stock';
  beforeAll(async () => {
    broker = new RecordReader(await kafka());
    before = chooseDecoder(hook);
  });
  afterAll(async () => {
    chooseDecoder(before);
    await broker[Symbol.asyncDispose]();
  });

  /** Producers whose transactions overlap: what each sends stands at once in the log. */
  async function connected(names: readonly string[]): Promise<readonly Producer[]> {
    const producers = names.map((name) =>
      broker.kafka.producer({ transactionalId: fresh(name), maxInFlightRequests: 1, idempotent: true, retry: { retries: 10 } }),
    );
    await Promise.all(producers.map((producer) => producer.connect()));
    return producers;
  }

  test('of transactions that overlap the committed ones count and the aborted ones do not, wherever in them reading starts', async () => {
    const topic = await broker.topic();
    const producers = await connected(['a', 'b', 'c']);
    const [a, b, c] = producers;
    if (a === undefined || b === undefined || c === undefined) throw new Error('BUG: no producers');
    const kept: (readonly [number, string])[] = [];
    /** Markers are written behind our back: only the broker knows where a record came to stand. */
    const send = async (sender: Pick<Transaction, 'send'>, name: string, count: number): Promise<void> => {
      const messages = Array.from({ length: count }, (_, index) => ({ value: `${name}-${index}` }));
      const [sent] = await sender.send({ topic, messages });
      if (!name.includes('aborted')) kept.push(...messages.map(({ value }, index) => [Number(sent?.baseOffset) + index, value] as const));
    };

    const [abortedA, abortedB, committedC] = [await a.transaction(), await b.transaction(), await c.transaction()];
    await send(abortedA, 'a-aborted', 2);
    await send(abortedB, 'b-aborted', 1);
    await send(committedC, 'c', 2);
    await send(abortedB, 'b-aborted', 3);
    await send(abortedA, 'a-aborted', 2);
    await abortedA.abort();
    await send(committedC, 'c-more', 1);
    await abortedB.abort();
    await committedC.commit();
    const again = await b.transaction();
    await send(again, 'b', 2);
    await again.commit();
    const last = await a.transaction();
    await send(last, 'a-aborted-again', 1);
    await last.abort();
    await broker.send(topic, ['plain']);

    const { records } = await broker.read(topic);
    expect(records.map(({ offset, value }) => [offset, value])).toEqual([...kept, [records.at(-1)?.offset, 'plain']]);
    expect(kept.map(([, value]) => value)).toEqual(['c-0', 'c-1', 'c-more-0', 'b-0', 'b-1']);
    for (let from = 1; from <= (kept.at(-1)?.[0] ?? 0); from++) {
      const values = await broker.values(topic, from);
      expect({ from, values }).toEqual({ from, values: [...kept.filter(([offset]) => offset >= from).map(([, value]) => value), 'plain'] });
    }
    await Promise.all(producers.map((producer) => producer.disconnect()));
  });

  test('a transaction that is still open holds back what comes after it, and is read once it is committed', async () => {
    const topic = await broker.topic();
    const [producer] = await connected(['open']);
    if (producer === undefined) throw new Error('BUG: no producer');
    const open = await producer.transaction();
    await open.send({ topic, messages: [{ value: 'first' }] });
    await broker.send(topic, ['second']);
    const reading = broker.values(topic);
    await open.commit();
    expect(await reading).toEqual(['first', 'second']);
    await producer.disconnect();
  });
});
