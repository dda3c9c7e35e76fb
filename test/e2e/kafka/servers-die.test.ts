import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { startElasticsearch } from '../../services/elasticsearch.ts';
import { startKafka } from '../../services/kafka.ts';
import { lacks } from '../../services/needs.ts';
import { Installation, events, heard } from './installation.ts';
import { same } from './ledger.ts';

describe.skipIf(lacks('own'))('servers that die under load', () => {
  test(
    'Elasticsearch by kill -9, then the broker with its group and offsets: the same processes go on, and every event is counted once',
    { timeout: 400_000 },
    async () => {
      const [broker, node] = await Promise.all([startKafka({ heapMb: 300 }), startElasticsearch()]);
      await using stack = new AsyncDisposableStack();
      stack.use(broker);
      stack.use(node);
      const installed = stack.use(await Installation.open({ name: 'die', brokers: broker.brokers, elasticsearch: node.url, partitions: 2, isOwn: true }));
      await using first = installed.run();
      await using second = installed.run();
      await heard(first, 'watching');
      await heard(second, 'watching');
      await installed.send(events(400));
      await installed.stored(undefined, 120_000);

      const loading = new AbortController();
      const load = (async () => {
        while (!loading.signal.aborted) {
          await installed.send(events(200, { name: 'under-load' }));
          await delay(200);
        }
      })();
      load.catch(() => undefined);
      await node.kill();
      await Promise.any([first, second].map((run) => heard(run, /nothing more is read, since the store refuses: .*elasticsearch/)));
      // Whoever starts now says what it waits for, and ends when told to.
      await using late = installed.run();
      await heard(late, /elasticsearch.*cannot connect.*waiting for it/);
      expect(await late.stop('SIGTERM')).toMatchObject({ code: 0 });
      await node.restart();
      await Promise.any([first, second].map((run) => heard(run, 'the store accepts again')));
      loading.abort();
      await load;
      await installed.stored(undefined, 120_000);

      await broker.kill();
      await heard(first, /kafka/);
      await broker.restart();
      await installed.send(events(400, { name: 'after' }));
      await installed.stored(undefined, 180_000);
      for (const run of [first, second]) expect(await run.stop('SIGTERM')).toMatchObject({ code: 0 });
      expect(await installed.difference()).toEqual(same(installed.ledger));
    },
  );
});
