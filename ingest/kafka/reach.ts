import type { KafkaClient } from './client.ts';
import { isOutage } from './errors.ts';
import { KafkaFault, faultOf } from './fault.ts';
import { LogReader } from './log-reader.ts';

/** Asks the cluster once, as often as `client` tries. Throws a `KafkaFault` with a line for a person when it is away or refuses the login. */
export async function reachKafka(client: KafkaClient): Promise<void> {
  const reader = new LogReader(client.kafka);
  try {
    await reader.cluster();
  } catch (error) {
    throw new KafkaFault(faultOf(error).reason, { isRetryable: isOutage(error) });
  } finally {
    await reader[Symbol.asyncDispose]().catch(() => undefined);
  }
}
