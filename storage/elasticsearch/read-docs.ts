import { ElasticsearchFault, explain } from './fault.ts';
import type { CallOptions, Elasticsearch } from './client.ts';
import type { estypes } from '@elastic/elasticsearch';

export type Query = estypes.QueryDslQueryContainer;
export type Hit<T> = estypes.SearchHit<T>;

export type DocsQuery = {
  readonly index: string | readonly string[];
  readonly filter: readonly Query[];
  /** `time`: by window, then by entity, the order of the index. `window`: by window alone, which is cheaper. `any` is the cheapest. */
  readonly order: keyof typeof SORTS;
  /** To compare and set by. Default false. */
  readonly withSeqNo?: boolean;
  /** Default true; without it only ids come. */
  readonly withSource?: boolean;
  /** An index that is not there is an empty one. Default false: it is a fault. */
  readonly mayBeMissing?: boolean;
};

/** The most that a server gives at once by default: it begins every page by looking through all parts of the index. */
const PAGE = 10_000;
const KEEP_ALIVE = '2m';
const SORTS = { time: [{ ts: 'asc' }, { e: 'asc' }], window: [{ ts: 'asc' }], any: undefined } as const;

/**
 * All documents of a query, page by page, never only the first so many. What fits one page is one request; more is
 * read at a point in time. Refresh first what must be seen.
 */
export async function* readDocs<T>(elasticsearch: Elasticsearch, query: DocsQuery, call: CallOptions = {}): AsyncGenerator<readonly Hit<T>[], void, undefined> {
  const { index, filter, order, withSeqNo = false, withSource = true, mayBeMissing = false } = query;
  const indices = typeof index === 'string' ? [index] : [...index];
  if (indices.length === 0) return;
  const what = `reading ${indices.join(', ').slice(0, 200)}`;
  // Answers are not filtered by path: that takes the server longer than sending all of it.
  const body = {
    size: PAGE,
    query: { bool: { filter: [...filter] } },
    track_total_hits: false,
    seq_no_primary_term: withSeqNo,
    _source: withSource,
    allow_partial_search_results: false,
  };
  const sorted = SORTS[order];
  const first = await elasticsearch.call(
    what,
    (client, options) =>
      client.search<T>({ ...body, index: indices, ignore_unavailable: mayBeMissing, sort: sorted === undefined ? ['_doc'] : [...sorted] }, options),
    call,
  );
  const hits = first.hits.hits;
  if (hits.length < PAGE) {
    if (hits.length > 0) yield hits;
    return;
  }
  let pit = (
    await elasticsearch.call(
      what,
      (client, options) => client.openPointInTime({ index: indices, ignore_unavailable: mayBeMissing, keep_alive: KEEP_ALIVE }, options),
      call,
    )
  ).id;
  const pageAfter = (after: estypes.SortResults | undefined): Promise<estypes.SearchResponse<T>> =>
    elasticsearch.call(
      what,
      (client, options) =>
        client.search<T>(
          {
            ...body,
            pit: { id: pit, keep_alive: KEEP_ALIVE },
            // Ties are broken by the place in the index.
            sort: sorted === undefined ? ['_shard_doc'] : [...sorted],
            ...(after === undefined ? {} : { search_after: after }),
          },
          options,
        ),
      call,
    );
  let next: Promise<estypes.SearchResponse<T>> | undefined = pageAfter(undefined);
  try {
    while (next !== undefined) {
      const page: estypes.SearchResponse<T> = await next;
      pit = page.pit_id ?? pit;
      const found: readonly Hit<T>[] = page.hits.hits;
      const after = found.at(-1)?.sort;
      // The server looks for the next page while this one is used.
      next = found.length < PAGE || after === undefined ? undefined : pageAfter(after);
      next?.catch(() => undefined);
      if (found.length > 0) yield found;
    }
  } finally {
    await next?.catch(() => undefined);
    // It ends by itself; nobody needs to hear that closing it failed.
    await elasticsearch.call(what, (client, options) => client.closePointInTime({ id: pit }, options), { patienceMs: 0 }).catch(() => undefined);
  }
}

/**
 * Makes everything that was written before visible to searches. Indices that are not there are passed over. A shard
 * that failed is a fault that may pass, although the answer is 200: positions are decided by what is read afterwards.
 */
export async function refresh(elasticsearch: Elasticsearch, index: readonly string[], call: CallOptions = {}): Promise<void> {
  if (index.length === 0) return;
  const what = `refreshing ${index.join(', ').slice(0, 200)}`;
  await elasticsearch.call(
    what,
    async (client, options) =>
      checkRefreshed(await client.indices.refresh({ index: [...index], ignore_unavailable: true, allow_no_indices: true }, options), what),
    call,
  );
}

/** Throws a retryable fault where a shard did not do it. Copies that are nowhere are no failure. */
export function checkRefreshed({ _shards: shards }: estypes.IndicesRefreshResponse, what: string): void {
  if (shards === undefined || shards.failed === 0) return;
  const [first] = shards.failures ?? [];
  const detail =
    first === undefined ? '' : `: ${first.index ?? ''}/${first.shard ?? ''}: ${explain(undefined, first.reason.type, first.reason.reason ?? undefined)}`;
  throw new ElasticsearchFault(`elasticsearch: ${what}: ${shards.failed} of ${shards.total} shards failed${detail}`, { isRetryable: true });
}

export function between(field: string, from: number, to: number): Query {
  return { range: { [field]: { gte: from, lt: to } } };
}
