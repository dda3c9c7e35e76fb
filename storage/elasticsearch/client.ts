import { Client } from '@elastic/elasticsearch';
import { backoffMs } from './backoff.ts';
import { ElasticsearchFault, faultOf } from './fault.ts';
import type { Clock } from '../../core/clock.ts';
import type { Secret } from '../../core/secret.ts';
import type { DurationMs } from '../../core/types.ts';

export type ElasticsearchOptions = {
  /** Addresses with a scheme, for instance `https://es-1:9200`; all of one cluster. */
  readonly nodes: readonly string[];
  /** Base64 of `id:key`, as Kibana shows it. Wins over `username`. */
  readonly apiKey?: Secret;
  readonly username?: string;
  readonly password?: Secret;
  /** PEM of the authority that signed the nodes' certificates; default those of the system. */
  readonly ca?: string;
  /** Gzip of requests: only across a wide area network, it doubles the CPU. Default false. */
  readonly compression?: boolean;
  /** Of one request. Default 30,000. */
  readonly requestTimeoutMs?: number;
};

export type ElasticsearchDeps = {
  readonly clock: Clock;
  /** In [0, 1): jitter of retries. */
  readonly random: () => number;
};

export type CallOptions = {
  readonly signal?: AbortSignal;
  /** How long retryable faults are tried again before the last one is thrown. Default 30,000; 0 tries once. */
  readonly patienceMs?: DurationMs;
};
/** To be passed to the client with each request. */
export type RequestOptions = { readonly signal: AbortSignal };

const REQUEST_TIMEOUT_MS = 30_000;
const PATIENCE_MS = 30_000;
const NEVER = new AbortController().signal;
/** Major versions that the client's 8.x media type speaks to. */
const MAJORS: ReadonlySet<string> = new Set(['8', '9']);

/**
 * A cluster that was reached and whose version fits. Everything of this process that talks to it shares one.
 * Throws an `ElasticsearchFault` with a line for a person when it cannot be reached, refuses the credentials or is something else.
 */
export async function openElasticsearch(options: ElasticsearchOptions, deps: ElasticsearchDeps, call: CallOptions = {}): Promise<Elasticsearch> {
  const auth = authOf(options);
  const client = new Client({
    nodes: options.nodes.map((node) => (auth === undefined ? node : withoutCredentials(node))),
    // One layer retries, and it is ours: the client would do it at once and know nothing of overload.
    maxRetries: 0,
    requestTimeout: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    compression: options.compression ?? false,
    enableMetaHeader: false,
    ...auth,
    ...(options.ca === undefined ? {} : { tls: { ca: options.ca } }),
  });
  const elasticsearch = new Elasticsearch(client, { ...deps, nodes: options.nodes });
  try {
    await elasticsearch.checkVersion(call);
    return elasticsearch;
  } catch (error) {
    await elasticsearch[Symbol.asyncDispose]();
    throw error;
  }
}

function authOf({
  apiKey,
  username,
  password,
}: ElasticsearchOptions): { readonly auth: { apiKey: string } | { username: string; password: string } } | undefined {
  if (apiKey !== undefined) return { auth: { apiKey: apiKey.reveal() } };
  if (username !== undefined) return { auth: { username, password: password?.reveal() ?? '' } };
  return undefined;
}

/** Those of an address would win over the configured ones. */
function withoutCredentials(node: string): string {
  const url = URL.parse(node);
  if (url === null) return node;
  url.username = '';
  url.password = '';
  return url.href;
}

/** A client with one way to call it: retries of what may succeed later, and faults in our own words. */
export class Elasticsearch implements AsyncDisposable {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: () => number;
  readonly #nodes: readonly string[];
  #version = '';
  #isClosed = false;

  constructor(client: Client, deps: ElasticsearchDeps & { readonly nodes: readonly string[] }) {
    this.client = client;
    this.clock = deps.clock;
    this.random = deps.random;
    this.#nodes = deps.nodes;
  }

  /** Of the oldest node, for instance `8.19.0`. */
  get version(): string {
    return this.#version;
  }

  /** Where it is, without credentials that somebody wrote into an address. */
  get address(): string {
    return this.#nodes.map((node) => URL.parse(node)?.host ?? 'an address that is no URL').join(', ');
  }

  /** Runs a request. `what` completes "elasticsearch: … failed". Throws an `ElasticsearchFault`. */
  async call<T>(what: string, request: (client: Client, options: RequestOptions) => Promise<T>, options: CallOptions = {}): Promise<T> {
    const signal = options.signal ?? NEVER;
    const started = this.clock.monotonic();
    for (let attempt = 0; ; attempt++) {
      try {
        return await request(this.client, { signal });
      } catch (error) {
        const fault = faultOf(error, what);
        if (fault === undefined) throw error;
        const waitMs = backoffMs(attempt, this.random, fault.retryAfterMs);
        const isOver = this.clock.monotonic() - started + waitMs >= (options.patienceMs ?? PATIENCE_MS);
        if (!fault.isRetryable || isOver || signal.aborted) throw fault;
        await this.clock.sleep(waitMs, signal);
      }
    }
  }

  /** `GET /` would say it too, but not every build of the server answers there. */
  async checkVersion(call: CallOptions): Promise<void> {
    const answer = await this.call(`connecting to ${this.address}`, (client, options) => client.nodes.info({ filter_path: 'nodes.*.version' }, options), {
      patienceMs: 0,
      ...call,
    });
    const versions = Object.values(answer.nodes ?? {}).map((node) => node.version);
    const [oldest] = versions.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }));
    this.#version = oldest ?? '';
    const wrong = versions.find((version) => !MAJORS.has(version.split('.')[0] ?? ''));
    if (oldest === undefined || wrong !== undefined) {
      throw new ElasticsearchFault(`elasticsearch: ${this.address} runs version ${wrong ?? 'unknown'}; keywatch needs 8.x or 9.x`, { isRetryable: false });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.client.close();
  }
}
