import { startElasticsearch } from '../../services/elasticsearch.ts';
import { startKafka } from '../../services/kafka.ts';

export type Services = AsyncDisposable & { readonly brokers: string; readonly elasticsearch: string; readonly isOwn: boolean };

/** A broker and a node for this bench alone, or those that KEYWATCH_TEST_KAFKA and KEYWATCH_TEST_ES name. */
export async function openServices(env: NodeJS.ProcessEnv): Promise<Services> {
  await using stack = new AsyncDisposableStack();
  const { KEYWATCH_TEST_KAFKA: kafka, KEYWATCH_TEST_ES: elasticsearch } = env;
  // A burst of ten million records is in the page cache either way; the heap need not hold it.
  const own = await Promise.all([
    kafka ?? startKafka({ heapMb: 1024 }).then((server) => stack.use(server).brokers),
    elasticsearch ?? startElasticsearch({ heapMb: 2048 }).then((server) => stack.use(server).url),
  ]);
  const opened = stack.move();
  return {
    brokers: own[0],
    elasticsearch: own[1].replace(/\/$/, ''),
    isOwn: kafka === undefined && elasticsearch === undefined,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
