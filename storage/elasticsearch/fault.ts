import { errors } from '@elastic/elasticsearch';
import { type DurationMs, type Outcome, failed } from '../../core/types.ts';

/**
 * A fault of the world behind a request to Elasticsearch. It does not keep the exception of the client: that one
 * carries the request's body and headers.
 */
export class ElasticsearchFault extends Error {
  override readonly name = 'ElasticsearchFault';
  /** True when the same request may succeed later without anybody changing the configuration. */
  readonly isRetryable: boolean;
  /** HTTP status, where there was an answer. */
  readonly status: number | undefined;
  /** Elasticsearch's name for it, for instance `index_not_found_exception`. */
  readonly type: string | undefined;
  /** What the server asked for with `Retry-After`. */
  readonly retryAfterMs: DurationMs | undefined;

  constructor(
    message: string,
    options: {
      readonly isRetryable: boolean;
      readonly status?: number | undefined;
      readonly type?: string | undefined;
      readonly retryAfterMs?: DurationMs | undefined;
    },
  ) {
    super(message);
    this.isRetryable = options.isRetryable;
    this.status = options.status;
    this.type = options.type;
    this.retryAfterMs = options.retryAfterMs;
  }

  outcome(): Outcome {
    return failed(this.message, this.isRetryable, this.retryAfterMs);
  }
}

/** True for an answer that says that the document or the index is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof ElasticsearchFault && error.status === 404;
}

/** True where a compare-and-set or a create-only write came too late. */
export function isConflict(error: unknown): boolean {
  return error instanceof ElasticsearchFault && error.status === 409;
}

const RETRYABLE_STATUS: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);
const RETRYABLE_TYPES: ReadonlySet<string> = new Set([
  'es_rejected_execution_exception',
  'circuit_breaking_exception',
  'unavailable_shards_exception',
  'no_shard_available_action_exception',
  'process_cluster_event_timeout_exception',
  'cluster_block_exception',
  'master_not_discovered_exception',
  'node_not_connected_exception',
  'node_closed_exception',
]);

/** Whether the same thing may succeed later: overload, a node that is away, a block that somebody lifts. */
export function isRetryable(status: number | undefined, type: string | undefined, reason?: string): boolean {
  if (isShardLimit(reason)) return true;
  return (status !== undefined && RETRYABLE_STATUS.has(status)) || (type !== undefined && RETRYABLE_TYPES.has(type));
}

/** No further index can be made: a 400 that says nothing of what was sent, and that passes once there is room. */
function isShardLimit(reason: string | undefined): boolean {
  return reason !== undefined && /this action would add \[\d+\](?: total)? shards/i.test(reason);
}

/** One line for a person: what Elasticsearch answered, and what to do where that is known. Never a document's content. */
export function explain(status: number | undefined, type: string | undefined, reason: string | undefined): string {
  const detail = plainReason(reason);
  if (type === 'cluster_block_exception') {
    const isDisk = /read-only|flood/i.test(detail);
    const todo = isDisk ? 'free disk space or remove index.blocks.read_only_allow_delete' : 'lift the block on the index';
    return `writing is blocked: ${detail}; ${todo}, what waits is written then`;
  }
  if (isShardLimit(detail))
    return `the cluster has as many shards as it may have: ${detail}; delete old indices, add a node or raise cluster.max_shards_per_node, what waits is written then`;
  if (status === 401) return `the credentials were refused (401); check api_key, or username and password`;
  if (status === 403) return `not allowed (403): ${detail}; grant the privilege or use another api_key`;
  if (status === 413) return 'the request is too large for the server or a proxy in front of it (413)';
  if (status === 429) return `overloaded (429${type === undefined ? '' : `, ${type}`}); tried again more slowly`;
  return [status, type, detail].filter((part) => part !== undefined && part !== '').join(' ');
}

/** Parse failures quote the value that they failed on: that part is cut. */
function plainReason(reason: string | undefined): string {
  const cut = (reason ?? '').split(/\s*Preview of field's value|\s*: For input string|\s*, found value/)[0] ?? '';
  return cut.replaceAll(/\s+/g, ' ').slice(0, 300);
}

/** The fault behind an exception of the client, or undefined when it is a bug of ours. `what` names the request. */
export function faultOf(error: unknown, what: string): ElasticsearchFault | undefined {
  if (error instanceof ElasticsearchFault) return error;
  if (error instanceof errors.ResponseError) {
    const status = error.statusCode;
    const { type, reason } = errorBody(error.body);
    return new ElasticsearchFault(`elasticsearch: ${what}: ${explain(status, type, reason)}`, {
      isRetryable: isRetryable(status, type, reason),
      status,
      type,
      retryAfterMs: retryAfterMs(error.headers?.['retry-after']),
    });
  }
  if (error instanceof errors.RequestAbortedError) return new ElasticsearchFault(`elasticsearch: ${what}: given up, keywatch stops`, { isRetryable: true });
  if (error instanceof errors.TimeoutError) return new ElasticsearchFault(`elasticsearch: ${what}: no answer in time`, { isRetryable: true });
  if (error instanceof errors.NoLivingConnectionsError) return new ElasticsearchFault(`elasticsearch: ${what}: no node can be reached`, { isRetryable: true });
  if (error instanceof errors.ConnectionError) return connectionFault(error, what);
  if (error instanceof errors.ProductNotSupportedError)
    return new ElasticsearchFault(`elasticsearch: ${what}: what answers there is not Elasticsearch; check the address`, { isRetryable: false });
  if (error instanceof errors.DeserializationError)
    return new ElasticsearchFault(`elasticsearch: ${what}: the answer is not JSON; is there a proxy in between`, { isRetryable: true });
  return undefined;
}

function connectionFault(error: Error, what: string): ElasticsearchFault {
  const message = error.message.replaceAll(/\s+/g, ' ').trim();
  const isTls = /certificate|SSL|TLS|altnames|EPROTO|self.signed|wrong version number/i.test(message);
  if (isTls) return new ElasticsearchFault(`elasticsearch: ${what}: TLS failed: ${message}; check ca and the scheme of the address`, { isRetryable: false });
  // Two refused addresses of one name (v6, v4) come as an error without a text.
  return new ElasticsearchFault(`elasticsearch: ${what}: cannot connect${message === '' ? '' : `: ${message}`}`, { isRetryable: true });
}

/** `error.type` and `error.reason` of an answer; the first root cause where the outer one is only a wrapper. */
export function errorBody(body: unknown): { readonly type: string | undefined; readonly reason: string | undefined } {
  const outer = member(body, 'error');
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
  if (typeof outer === 'string') return { type: undefined, reason: outer };
  return { type: text(member(outer, 'type')), reason: text(member(outer, 'reason')) };
}

export function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? new Map<string, unknown>(Object.entries(value)).get(name) : undefined;
}

function retryAfterMs(header: unknown): DurationMs | undefined {
  const seconds = Number(header);
  return typeof header === 'string' && Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}
