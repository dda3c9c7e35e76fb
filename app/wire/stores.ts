import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import type { Journal, MetricStore, Retention } from '../../core/ports.ts';
import type { EpochMs } from '../../core/types.ts';
import { BULK_LATENCY_BOUNDS_MS, type BulkStats } from '../../storage/elasticsearch/bulk-stats.ts';
import { BulkWriter } from '../../storage/elasticsearch/bulk-writer.ts';
import { openElasticsearch, type Elasticsearch } from '../../storage/elasticsearch/client.ts';
import { ElasticsearchFault } from '../../storage/elasticsearch/fault.ts';
import { openCommandInbox as openIndexedInbox } from '../../storage/elasticsearch/command-inbox.ts';
import { openJournal as openIndexedJournal } from '../../storage/elasticsearch/journal.ts';
import { readCapabilities } from '../../storage/elasticsearch/capabilities.ts';
import { type JudgeRetention, retainJudgeIndices } from '../../storage/elasticsearch/judge-retention.ts';
import { openLeaseStore } from '../../storage/elasticsearch/lease.ts';
import { openMetricStore as openIndexedStore } from '../../storage/elasticsearch/metric-store.ts';
import { areTemplatesInstalled } from '../../storage/elasticsearch/templates.ts';
import { windowStore } from '../../storage/elasticsearch/windows.ts';
import { openCommandInbox } from '../../storage/sqlite/command-inbox.ts';
import { STATE_FILE, openJournal } from '../../storage/sqlite/journal.ts';
import { lockDirectory } from '../../storage/sqlite/lock.ts';
import { openMetricStore } from '../../storage/sqlite/metric-store.ts';
import { usageError } from '../cli/errors.ts';
import type { Config, ElasticsearchConfig } from '../config/config.ts';
import type { StoreStats, Stores } from '../pipeline/pipeline.ts';

export type StoresDeps = {
  readonly clock: Clock;
  /** Aborted: what Elasticsearch does not take is not tried again. */
  readonly signal?: AbortSignal;
};

/** True where Elasticsearch is away or not ready and may come back by itself; not for refused credentials or another version. */
export function isStoreAway(error: unknown): error is Error {
  return error instanceof ElasticsearchFault && error.isRetryable;
}

/** Opens what the configuration names: files of the data directory, or Elasticsearch. */
export async function openStores(config: Config, deps: StoresDeps): Promise<Stores> {
  const { elasticsearch, directory } = config.store;
  return elasticsearch === undefined ? openEmbedded(directory) : openShared({ ...elasticsearch, retention: config.store.retention }, deps);
}

async function openEmbedded(directory: string): Promise<Stores> {
  await using stack = new AsyncDisposableStack();
  // One writer per data directory.
  stack.use(lockDirectory(directory));
  const store = stack.use(await openMetricStore({ directory }));
  const journal = stack.use(await openJournal({ directory }));
  const inbox = stack.use(await openCommandInbox({ directory, create: true }));
  const opened = stack.move();
  return {
    store,
    journal,
    inbox,
    lease: undefined,
    windows: undefined,
    stats: () => undefined,
    retain: () => Promise.resolve([]),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function openShared(config: ElasticsearchConfig & { readonly retention: Retention }, { clock, signal }: StoresDeps): Promise<Stores> {
  const { prefix, shards, replicas } = config;
  await using stack = new AsyncDisposableStack();
  const elasticsearch = stack.use(await connectElasticsearch(config, clock));
  // One bound of requests in flight for everything that this process writes.
  const writer = new BulkWriter(elasticsearch);
  const store = stack.use(await openIndexedStore({ prefix, shards, replicas }, { elasticsearch, writer, ...(signal === undefined ? {} : { signal }) }));
  const journal = stack.use(await openIndexedJournal({ elasticsearch, prefix }));
  const inbox = stack.use(await openIndexedInbox({ elasticsearch, prefix }));
  const lease = await openLeaseStore({ elasticsearch, prefix });
  const retention = judgeRetention(config.retention);
  const windows = windowStore({ elasticsearch, prefix, writer, retention, shards, replicas });
  // Deletion is by name or by policy, never both.
  const isByPolicy = config.ilm && (await readCapabilities(elasticsearch)).ilm === 'yes';
  const retain = isByPolicy
    ? (): Promise<readonly string[]> => Promise.resolve([])
    : (now: EpochMs): Promise<readonly string[]> => retainJudgeIndices(elasticsearch, prefix, retention, now);
  const opened = stack.move();
  return { store, journal, inbox, lease, windows, stats: () => storeStats(writer.stats), retain, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

export async function connectElasticsearch(config: ElasticsearchConfig, clock: Clock): Promise<Elasticsearch> {
  const { nodes, apiKey, username, password, ca, compression } = config;
  return openElasticsearch(
    {
      nodes,
      compression,
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(ca === undefined ? {} : { ca }),
    },
    { clock, random: Math.random },
  );
}

/** The metrics alone: for commands that look at them or change a control value. */
export async function openMetrics(
  config: Config,
  deps: { readonly clock: Clock; readonly isReadOnly?: boolean },
): Promise<AsyncDisposable & { readonly store: MetricStore }> {
  const { elasticsearch, directory } = config.store;
  await using stack = new AsyncDisposableStack();
  let store: MetricStore;
  if (elasticsearch === undefined) {
    stack.use(lockDirectory(directory));
    store = stack.use(await openMetricStore({ directory }));
  } else {
    const client = stack.use(await connectElasticsearch(elasticsearch, deps.clock));
    const { prefix, shards, replicas } = elasticsearch;
    // Opening makes what is missing: that is not looking.
    if (deps.isReadOnly === true && !(await areTemplatesInstalled(client, { prefix, shards, replicas })))
      throw usageError(`nothing of this version of keywatch is set up under the prefix ${prefix} of store.elasticsearch; run keywatch setup first`);
    store = stack.use(await openIndexedStore({ prefix, shards, replicas }, { elasticsearch: client }));
  }
  const opened = stack.move();
  return { store, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** The metrics, to look at only: while others write. */
export async function readMetrics(config: Config, deps: { readonly clock: Clock }): Promise<AsyncDisposable & { readonly store: MetricStore }> {
  if (config.store.elasticsearch !== undefined) return openMetrics(config, deps);
  const store = await openMetricStore({ directory: config.store.directory, readOnly: true });
  return { store, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

/** The journal, to look at only. Undefined where nothing was decided yet. */
export async function readJournal(config: Config, deps: { readonly clock: Clock }): Promise<(AsyncDisposable & { readonly journal: Journal }) | undefined> {
  const { elasticsearch, directory } = config.store;
  if (elasticsearch === undefined) {
    if (!existsSync(join(directory, STATE_FILE))) return undefined;
    const journal = await openJournal({ directory, readOnly: true });
    return { journal, [Symbol.asyncDispose]: () => journal[Symbol.asyncDispose]() };
  }
  await using stack = new AsyncDisposableStack();
  const client = stack.use(await connectElasticsearch(elasticsearch, deps.clock));
  const journal = stack.use(await openIndexedJournal({ elasticsearch: client, prefix: elasticsearch.prefix, readOnly: true }));
  const opened = stack.move();
  return { journal, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** What the judge writes is kept as long as what it was made of; findings as long as hours. */
export function judgeRetention(retention: Retention): JudgeRetention {
  return { windowsMs: retention.minutesMs, findingsMs: retention.hoursMs };
}

function storeStats(stats: BulkStats): StoreStats {
  return {
    documents: [
      { result: 'written', value: stats.documents - stats.conflicts },
      { result: 'conflict', value: stats.conflicts },
    ],
    bulkSeconds: { bounds: BULK_LATENCY_BOUNDS_MS.map((ms) => ms / 1000), counts: [...stats.latencyCounts], sum: stats.latencySumMs / 1000 },
    retries: stats.retries,
    conflicts: stats.conflicts,
  };
}
