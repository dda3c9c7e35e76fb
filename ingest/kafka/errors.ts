import { faultOf } from './fault.ts';

/** What is looked at of a client's error. The names and types are those of kafkajs 2.2.4, which is pinned. */
type ClientError = { readonly name?: unknown; readonly type?: unknown; readonly cause?: unknown };

/** A world that comes back by itself, although the client calls these final. */
const OUTAGES: ReadonlySet<string> = new Set(['KafkaJSGroupCoordinatorNotFound', 'KafkaJSLockTimeout', 'KafkaJSTimeout', 'KafkaJSFetcherRebalanceError']);
/** The group moved on: whoever asked is no longer the owner, or must join again. */
const REBALANCES: ReadonlySet<string> = new Set(['REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'NOT_COORDINATOR_FOR_GROUP']);

/** Whether the same call may succeed later without anybody changing anything. */
export function isOutage(error: unknown): boolean {
  const { name } = rootCause(error);
  return (typeof name === 'string' && OUTAGES.has(name)) || faultOf(error).retryable;
}

export function isRebalance(error: unknown): boolean {
  return REBALANCES.has(errorType(error));
}

/** The protocol's name of an error, for instance `UNKNOWN_TOPIC_OR_PARTITION`; empty where it has none. */
export function errorType(error: unknown): string {
  const { type } = rootCause(error);
  return typeof type === 'string' ? type : '';
}

export function isMissingTopic(error: unknown): boolean {
  return errorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION';
}

/** The error under the wrappers of the client's retries. */
function rootCause(error: unknown): ClientError {
  let root = error;
  for (let depth = 0; depth < 10; depth++) {
    const { cause } = fields(root);
    if (cause === undefined || cause === null) break;
    root = cause;
  }
  return fields(root);
}

function fields(error: unknown): ClientError {
  return typeof error === 'object' && error !== null ? error : {};
}
