import { type EpochMs, REJECT_REASONS } from '../../core/types.ts';
import { addRejects } from '../rejects.ts';
import { type Versioned, getDocument, putDocument } from './controls.ts';
import { chainName, compareSegments } from './names.ts';
import { type Query, between, readDocs, refresh } from './read-docs.ts';
import { type SegmentSource, forgottenId, headId, headOf, segmentOf } from './segment-document.ts';
import type { BulkWriter } from './bulk-writer.ts';
import type { Elasticsearch } from './client.ts';
import type { PartitionHead } from '../../core/ports.ts';
import type { Rejects, SegmentRef } from '../../core/partial.ts';
import type { estypes } from '@elastic/elasticsearch';

export type SourceTotals = { readonly records: number; readonly dropped: number; readonly rejects: Rejects };

const PAGE = 1000;

type Composite<T> = { readonly all?: { readonly after_key?: estypes.AggregationsCompositeAggregateKey; readonly buckets: readonly T[] } };
type HeadBucket = { readonly newest: { readonly hits: { readonly hits: readonly { readonly _source: SegmentSource }[] } } };
type TotalBucket = { readonly key: { readonly source: number } } & Readonly<Record<string, { readonly value: number | null }>>;

/** The chain of every partition: one document per segment. */
export class Segments {
  readonly #elasticsearch: Elasticsearch;
  readonly #writer: BulkWriter;
  readonly #index: string;

  constructor(deps: { readonly elasticsearch: Elasticsearch; readonly writer: BulkWriter; readonly index: string }) {
    this.#elasticsearch = deps.elasticsearch;
    this.#writer = deps.writer;
    this.#index = deps.index;
  }

  /** What is known of a segment: `forgotten` when retention has summed it up. Sees every write at once. */
  async state(segment: SegmentRef): Promise<'new' | 'open' | 'sealed' | 'forgotten'> {
    const stored = await this.#get(headId(segment));
    if (stored !== undefined) return stored.source.sealed === true ? 'sealed' : 'open';
    const forgotten = await this.#get(forgottenId(segment));
    return forgotten !== undefined && compareSegments(segment, segmentOf(forgotten.source)) <= 0 ? 'forgotten' : 'new';
  }

  /** The end of one chain. */
  async newest(source: number, partition: number): Promise<PartitionHead | undefined> {
    await refresh(this.#elasticsearch, [this.#index]);
    const answer = await this.#elasticsearch.call(`reading the chain of partition ${partition} of source ${source}`, (client, options) =>
      client.search<SegmentSource>(
        {
          index: this.#index,
          size: 1,
          track_total_hits: false,
          allow_partial_search_results: false,
          query: { bool: { filter: [{ term: { kind: 'head' } }, { term: { source } }, { term: { p: partition } }] } },
          sort: [{ generation: 'desc' }, { start: 'desc' }],
        },
        options,
      ),
    );
    const stored = answer.hits.hits[0]?._source;
    return stored === undefined ? undefined : headOf(stored);
  }

  /** The ends of all chains, or of those of one source, by source and partition. */
  async heads(source?: number): Promise<readonly PartitionHead[]> {
    await refresh(this.#elasticsearch, [this.#index]);
    const filter: Query[] = [{ term: { kind: 'head' } }, ...(source === undefined ? [] : [{ term: { source } }])];
    const buckets = this.#composite<HeadBucket>({
      query: { bool: { filter } },
      keys: ['source', 'p'],
      aggs: { newest: { top_hits: { size: 1, sort: [{ generation: 'desc' }, { start: 'desc' }] } } },
    });
    const heads: PartitionHead[] = [];
    for await (const bucket of buckets) for (const hit of bucket.newest.hits.hits) heads.push(headOf(hit._source));
    return heads;
  }

  /** Sums over all segments ever, by source. */
  async totals(): Promise<ReadonlyMap<number, SourceTotals>> {
    await refresh(this.#elasticsearch, [this.#index]);
    // A clean-up that was cut off: the segments that are still there are in the sum already.
    const counted = (await this.#cleaning()).map((sum): Query => ({ bool: { filter: [{ term: { kind: 'head' } }, ...upTo(segmentOf(sum))] } }));
    const rejects: readonly (readonly [string, estypes.AggregationsAggregationContainer])[] = REJECT_REASONS.flatMap((reason) => [
      [`count_${reason}`, { sum: { field: `rejects.${reason}.count` } }] as const,
      [`first_${reason}`, { min: { field: `rejects.${reason}.first` } }] as const,
    ]);
    const buckets = this.#composite<TotalBucket>({
      query: { bool: { must_not: counted } },
      keys: ['source'],
      aggs: {
        records: { sum: { field: 'records' } },
        dropped: { sum: { field: 'dropped' } },
        ...Object.fromEntries<estypes.AggregationsAggregationContainer>(rejects),
      },
    });
    const totals = new Map<number, SourceTotals>();
    for await (const bucket of buckets) {
      totals.set(bucket.key.source, { records: bucket['records']?.value ?? 0, dropped: bucket['dropped']?.value ?? 0, rejects: rejectsOf(bucket) });
    }
    return totals;
  }

  /**
   * Sums up sealed segments whose newest event is older than `before`, save the end of each chain, and deletes them.
   * A crash in between counts nothing twice: what is in the sum is known to be.
   */
  async forget(before: EpochMs): Promise<void> {
    for (const interrupted of await this.#cleaning()) await this.#clean(interrupted);
    const ends = new Map((await this.heads()).map((head) => [chainName(head.segment), head.segment]));
    const old = new Map<string, SegmentSource[]>();
    // A segment without an event so far would hold its chain back for ever.
    const isOld: Query = {
      bool: { should: [{ range: { newest: { lt: before } } }, { bool: { must_not: [{ exists: { field: 'newest' } }] } }], minimum_should_match: 1 },
    };
    const filter: Query[] = [{ term: { kind: 'head' } }, { term: { sealed: true } }, isOld];
    for await (const page of readDocs<SegmentSource>(this.#elasticsearch, { index: this.#index, filter, order: 'any' })) {
      for (const { _source: stored } of page) {
        if (stored === undefined) continue;
        const segment = segmentOf(stored);
        const end = ends.get(chainName(segment));
        if (end !== undefined && compareSegments(segment, end) < 0) old.set(chainName(segment), [...(old.get(chainName(segment)) ?? []), stored]);
      }
    }
    for (const segments of old.values()) await this.#forgetChain(segments);
  }

  async #forgetChain(segments: readonly SegmentSource[]): Promise<void> {
    const [last] = segments.toSorted((a, b) => compareSegments(segmentOf(b), segmentOf(a)));
    if (last === undefined) return;
    // Everything up to the newest one goes, so that one bound tells what was counted: an older one that may not go holds it back.
    const place = segmentOf(last);
    const upToLast: SegmentSource[] = [];
    for await (const page of readDocs<SegmentSource>(this.#elasticsearch, {
      index: this.#index,
      filter: [{ term: { kind: 'head' } }, ...upTo(place)],
      order: 'any',
    })) {
      upToLast.push(...page.flatMap((hit) => (hit._source === undefined ? [] : [hit._source])));
    }
    const old = new Set(segments.map((segment) => headId(segmentOf(segment))));
    const inOrder = upToLast.toSorted((a, b) => compareSegments(segmentOf(a), segmentOf(b)));
    const kept = inOrder.findIndex((segment) => !old.has(headId(segmentOf(segment))));
    const going = kept === -1 ? inOrder : inOrder.slice(0, kept);
    const bound = going.at(-1);
    if (bound === undefined) return;
    const before = await this.#get(forgottenId(place));
    const sum = going.reduce(
      (total, { records, dropped, rejects }) => ({
        records: total.records + records,
        dropped: total.dropped + dropped,
        rejects: addRejects(total.rejects, rejects),
      }),
      { records: before?.source.records ?? 0, dropped: before?.source.dropped ?? 0, rejects: before?.source.rejects ?? {} },
    );
    const { source, p, generation, start } = bound;
    const document: SegmentSource = { kind: 'forgotten', source, p, generation, start, ...sum, cleaning: true };
    // Somebody else is at it when the sum is not what was read.
    const isOurs = await putDocument(this.#elasticsearch, { index: this.#index, id: forgottenId(place), document, expected: before ?? 'absent' });
    if (isOurs) await this.#clean(document);
  }

  async #cleaning(): Promise<readonly SegmentSource[]> {
    await refresh(this.#elasticsearch, [this.#index]);
    const found: SegmentSource[] = [];
    const filter: Query[] = [{ term: { kind: 'forgotten' } }, { term: { cleaning: true } }];
    for await (const page of readDocs<SegmentSource>(this.#elasticsearch, { index: this.#index, filter, order: 'any' })) {
      found.push(...page.flatMap((hit) => (hit._source === undefined ? [] : [hit._source])));
    }
    return found;
  }

  /** Deletes the segments that a sum holds, then says that it is done. */
  async #clean(sum: SegmentSource): Promise<void> {
    const filter: Query[] = [{ term: { kind: 'head' } }, ...upTo(segmentOf(sum))];
    await refresh(this.#elasticsearch, [this.#index]);
    for await (const page of readDocs(this.#elasticsearch, { index: this.#index, filter, order: 'any', withSource: false })) {
      const { outcome } = await this.#writer.writeAll(page.map((hit) => ({ op: 'delete' as const, index: this.#index, id: hit._id ?? '' })));
      // It goes on at the next call.
      if (!outcome.ok) return;
    }
    await refresh(this.#elasticsearch, [this.#index]);
    const stored = await this.#get(forgottenId(segmentOf(sum)));
    if (stored === undefined || compareSegments(segmentOf(stored.source), segmentOf(sum)) !== 0) return;
    const document: SegmentSource = { ...stored.source, cleaning: false };
    await putDocument(this.#elasticsearch, { index: this.#index, id: forgottenId(segmentOf(sum)), document, expected: stored });
  }

  #get(id: string): Promise<Versioned<SegmentSource> | undefined> {
    return getDocument<SegmentSource>(this.#elasticsearch, { index: this.#index, id });
  }

  /** All buckets over all pages. */
  async *#composite<T>(query: {
    readonly query: Query;
    readonly keys: readonly string[];
    readonly aggs: Record<string, estypes.AggregationsAggregationContainer>;
  }): AsyncGenerator<T, void, undefined> {
    let after: estypes.AggregationsCompositeAggregateKey | undefined;
    do {
      const answer = await this.#elasticsearch.call(`summing up ${this.#index}`, (client, options) =>
        client.search<unknown, Composite<T>>(
          {
            index: this.#index,
            size: 0,
            track_total_hits: false,
            allow_partial_search_results: false,
            query: query.query,
            aggs: {
              all: {
                composite: { size: PAGE, sources: query.keys.map((key) => ({ [key]: { terms: { field: key } } })), ...(after === undefined ? {} : { after }) },
                aggs: query.aggs,
              },
            },
          },
          options,
        ),
      );
      yield* answer.aggregations?.all?.buckets ?? [];
      after = answer.aggregations?.all?.after_key;
    } while (after !== undefined);
  }
}

/** A segment and all before it in its chain. */
function upTo({ source, partition, generation, start }: SegmentRef): readonly Query[] {
  const sameGeneration: Query = { bool: { filter: [{ term: { generation } }, { range: { start: { lte: start } } }] } };
  return [
    { term: { source } },
    { term: { p: partition } },
    { bool: { should: [between('generation', 0, generation), sameGeneration], minimum_should_match: 1 } },
  ];
}

function rejectsOf(bucket: TotalBucket): Rejects {
  return Object.fromEntries(
    REJECT_REASONS.flatMap((reason) => {
      const count = bucket[`count_${reason}`]?.value ?? 0;
      return count === 0 ? [] : [[reason, { count, first: bucket[`first_${reason}`]?.value ?? 0 }] as const];
    }),
  );
}
