import { isMissing } from './fault.ts';
import { checkRefreshed } from './read-docs.ts';
import type { estypes } from '@elastic/elasticsearch';
import type { Elasticsearch } from './client.ts';

/** Documents of one answer. */
const PAGE = 1000;
const KEEP_ALIVE = '1m';

/**
 * All documents of a search in its order, up to `limit`, as they were at one moment: written before this was
 * called, and nothing that comes meanwhile. Nothing for an index that is not there.
 */
export async function readDocuments<T>(
  elasticsearch: Elasticsearch,
  search: {
    readonly index: string;
    readonly query: estypes.QueryDslQueryContainer;
    /** Its last field must be unique. */
    readonly sort: readonly estypes.SortCombinations[];
    readonly fields: readonly string[];
    readonly limit?: number | undefined;
  },
): Promise<readonly T[]> {
  const { index } = search;
  const limit = search.limit ?? Number.MAX_SAFE_INTEGER;
  if (limit <= 0) return [];
  const found: T[] = [];
  let pit: string | undefined;
  try {
    pit = await elasticsearch.call(`reading ${index}`, async (client, options) => {
      checkRefreshed(await client.indices.refresh({ index }, options), `reading ${index}`);
      return (await client.openPointInTime({ index, keep_alive: KEEP_ALIVE }, options)).id;
    });
    for (let after: estypes.SortResults | undefined; ;) {
      const size = Math.min(PAGE, limit - found.length);
      const request: estypes.SearchRequest = {
        pit: { id: pit, keep_alive: KEEP_ALIVE },
        query: search.query,
        sort: [...search.sort],
        _source: [...search.fields],
        size,
        track_total_hits: false,
        allow_partial_search_results: false,
        ...(after === undefined ? {} : { search_after: after }),
      };
      const answer = await elasticsearch.call(`reading ${index}`, (client, options) => client.search<T>(request, options));
      pit = answer.pit_id ?? pit;
      for (const hit of answer.hits.hits) if (hit._source !== undefined) found.push(hit._source);
      after = answer.hits.hits.at(-1)?.sort;
      if (after === undefined || answer.hits.hits.length < size || found.length >= limit) return found;
    }
  } catch (error) {
    if (pit === undefined && isMissing(error)) return [];
    throw error;
  } finally {
    if (pit !== undefined) await closed(elasticsearch, pit);
  }
}

/** Best effort: it ends by itself after `KEEP_ALIVE`. */
async function closed(elasticsearch: Elasticsearch, id: string): Promise<void> {
  try {
    await elasticsearch.client.closePointInTime({ id });
  } catch {
    // What was read is right all the same.
  }
}
