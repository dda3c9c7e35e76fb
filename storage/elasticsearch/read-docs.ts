import type { CallOptions, Elasticsearch } from './client.ts';
import type { estypes } from '@elastic/elasticsearch';

export type Query = estypes.QueryDslQueryContainer;
export type Hit<T> = estypes.SearchHit<T>;

export type DocsQuery = {
  readonly index: string | readonly string[];
  readonly filter: readonly Query[];
  /** `time`: by window, then by entity, the order of the index. `any` is the cheapest. */
  readonly order: 'time' | 'any';
  /** To compare and set by. Default false. */
  readonly withSeqNo?: boolean;
  /** Default true; without it only ids come. */
  readonly withSource?: boolean;
  /** An index that is not there is an empty one. Default false: it is a fault. */
  readonly mayBeMissing?: boolean;
};

const PAGE = 5000;
const KEEP_ALIVE = '2m';
const ANSWER = 'pit_id,hits.hits._id,hits.hits._source,hits.hits.sort,hits.hits._seq_no,hits.hits._primary_term';

/**
 * All documents of a query, page by page, never only the first so many. What fits one page is one request; more is
 * read at a point in time. Refresh first what must be seen.
 */
export async function* readDocs<T>(elasticsearch: Elasticsearch, query: DocsQuery, call: CallOptions = {}): AsyncGenerator<readonly Hit<T>[], void, undefined> {
  const { index, filter, order, withSeqNo = false, withSource = true, mayBeMissing = false } = query;
  const indices = typeof index === 'string' ? [index] : [...index];
  if (indices.length === 0) return;
  const what = `reading ${indices.join(', ').slice(0, 200)}`;
  const body = {
    size: PAGE,
    query: { bool: { filter: [...filter] } },
    track_total_hits: false,
    seq_no_primary_term: withSeqNo,
    _source: withSource,
    filter_path: ANSWER,
  } as const;
  const byTime: estypes.SortCombinations[] = [{ ts: 'asc' }, { e: 'asc' }];
  const first = await elasticsearch.call(
    what,
    (client, options) =>
      client.search<T>(
        { ...body, index: indices, ignore_unavailable: mayBeMissing, allow_partial_search_results: false, sort: order === 'time' ? byTime : ['_doc'] },
        options,
      ),
    call,
  );
  const hits = hitsOf(first);
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
  try {
    let after: estypes.SortResults | undefined;
    for (;;) {
      const page = await elasticsearch.call(
        what,
        (client, options) =>
          client.search<T>(
            {
              ...body,
              pit: { id: pit, keep_alive: KEEP_ALIVE },
              allow_partial_search_results: false,
              sort: order === 'time' ? byTime : ['_shard_doc'],
              ...(after === undefined ? {} : { search_after: after }),
            },
            options,
          ),
        call,
      );
      pit = page.pit_id ?? pit;
      const found = hitsOf(page);
      if (found.length > 0) yield found;
      after = found.at(-1)?.sort;
      if (found.length < PAGE || after === undefined) return;
    }
  } finally {
    // It ends by itself; nobody needs to hear that closing it failed.
    await elasticsearch.call(what, (client, options) => client.closePointInTime({ id: pit }, options), { patienceMs: 0 }).catch(() => undefined);
  }
}

/** Filtered answers leave empty parts out. */
function hitsOf<T>(answer: estypes.SearchResponse<T>): readonly Hit<T>[] {
  const hits: estypes.SearchHitsMetadata<T> | undefined = answer.hits;
  return hits?.hits ?? [];
}

/** Makes everything that was written before visible to searches. Indices that are not there are passed over. */
export async function refresh(elasticsearch: Elasticsearch, index: readonly string[], call: CallOptions = {}): Promise<void> {
  if (index.length === 0) return;
  await elasticsearch.call(
    `refreshing ${index.join(', ').slice(0, 200)}`,
    (client, options) => client.indices.refresh({ index: [...index], ignore_unavailable: true, allow_no_indices: true }, options),
    call,
  );
}

export function between(field: string, from: number, to: number): Query {
  return { range: { [field]: { gte: from, lt: to } } };
}
