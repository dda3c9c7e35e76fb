import { isKafkaAway } from './kafka.ts';
import { isStoreAway } from './stores.ts';

/** A server that is down, and comes back without anybody changing the configuration. */
export function isAway(error: unknown): error is Error {
  return isStoreAway(error) || isKafkaAway(error);
}
