import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { openKafkaBus } from '../../../app/wire/kafka.ts';
import { systemClock } from '../../../core/clock.ts';
import { Secret } from '../../../core/secret.ts';
import { BASE, batchesOf } from '../../conformance/history.ts';

/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

test('a process that is told to stop while Kafka is away does not wait for it', async () => {
  const stop = new AbortController();
  const kafka = {
    brokers: [`127.0.0.1:${await closedPort()}`],
    topics: ['events'],
    pattern: undefined,
    group: 'g',
    from: 'earliest',
    tls: undefined,
    sasl: undefined,
    onCorrupt: 'halt',
    busTopic: 'bus',
    deadLetterTopic: 'dlq',
  } as const;
  const told = Promise.withResolvers<void>();
  const onProblem = (message: string): void => {
    if (message.includes('the judge cannot be told')) told.resolve();
  };
  const deps = { clock: systemClock, pepper: new Secret('bm90IGEgcmVhbCBwZXBwZXIgYXQgYWxs'), holder: 'one', onProblem, signal: stop.signal };
  await using bus = await openKafkaBus(kafka, deps);
  const [batch] = batchesOf(
    { events: [{ window: BASE, key: 1, isAccepted: true, bytes: 1, address: 1, us: 1 }], flushes: [1] },
    { source: 1, index: 0, isSealed: false },
  );
  if (batch === undefined) throw new Error('a history without batches');
  const publishing = bus.publisher.publish(batch).then(
    () => 'published',
    () => 'given up',
  );
  await told.promise;
  stop.abort();
  expect(await publishing).toBe('given up');
});
