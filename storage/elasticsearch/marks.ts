import { base36, parseSegment, segmentName } from './names.ts';
import { type Hit, type Query, between, readDocs } from './read-docs.ts';
import type { BulkDocument, BulkResult, BulkWriter, WriteOptions } from './bulk-writer.ts';
import type { Elasticsearch } from './client.ts';
import type { Controls } from './controls.ts';
import type { SegmentRef } from '../../core/partial.ts';
import type { Minute } from '../../core/types.ts';
import type { estypes } from '@elastic/elasticsearch';

/** That an hour has rows of a segment that are not folded yet. */
export type HourMark = { readonly id: string; readonly hour: Minute; readonly segment: SegmentRef; readonly seqNo: number; readonly primaryTerm: number };
/** That hours of a day were folded since the day was. */
export type DayMark = { readonly id: string; readonly day: Minute; readonly seqNo: number; readonly primaryTerm: number };

type MarkSource = { readonly ts: number; readonly segment?: string };
type Range = { readonly from: Minute; readonly to: Minute };

const PAGE = 5000;

/**
 * What `fold` has to do, as documents. A mark is written before the first row of its hour and segment, and taken away
 * only when the segment has ended and its hour was folded since. So whoever sees no mark of an hour may trust the
 * folded one, and whoever resumes an open segment finds its days.
 */
export class Marks {
  readonly #elasticsearch: Elasticsearch;
  readonly #writer: BulkWriter;
  readonly #index: string;

  constructor(deps: { readonly elasticsearch: Elasticsearch; readonly writer: BulkWriter; readonly controls: Controls }) {
    this.#elasticsearch = deps.elasticsearch;
    this.#writer = deps.writer;
    this.#index = deps.controls.index;
  }

  async markHours(segment: SegmentRef, hours: readonly Minute[], options: WriteOptions): Promise<BulkResult> {
    const name = segmentName(segment);
    return this.#writer.writeAll(
      hours.map((hour) => this.#document('create', `hour.${base36(hour)}.${name}`, { kind: 'hour', ts: hour, segment: name })),
      options,
    );
  }

  async markDay(day: Minute): Promise<BulkResult> {
    return this.#writer.writeAll([this.#document('index', `day.${base36(day)}`, { kind: 'day', ts: day })]);
  }

  /** Takes marks away that nobody wrote again meanwhile. */
  async remove(marks: readonly (HourMark | DayMark)[]): Promise<BulkResult> {
    return this.#writer.writeAll(
      marks.map(({ id, seqNo, primaryTerm }): BulkDocument => ({ op: 'delete', index: this.#index, id, ifSeqNo: seqNo, ifPrimaryTerm: primaryTerm })),
    );
  }

  /** As of the last refresh, by hour ascending. */
  async hours(range: Range): Promise<readonly HourMark[]> {
    const hits = await this.#read([{ term: { kind: 'hour' } }, between('ts', range.from, range.to)]);
    return hits.map((hit) => ({ ...placeOf(hit), hour: tsOf(hit), segment: parseSegment(hit._source?.segment ?? '') })).toSorted((a, b) => a.hour - b.hour);
  }

  async days(range: Range): Promise<readonly DayMark[]> {
    const hits = await this.#read([{ term: { kind: 'day' } }, between('ts', range.from, range.to)]);
    return hits.map((hit) => ({ ...placeOf(hit), day: tsOf(hit) })).toSorted((a, b) => a.day - b.day);
  }

  /** The hours in which a segment has rows. Complete for an open one. */
  async hoursOf(segment: SegmentRef): Promise<readonly Minute[]> {
    const hits = await this.#read([{ term: { kind: 'hour' } }, { term: { segment: segmentName(segment) } }]);
    return hits.map(tsOf);
  }

  /** Which hours, or days, have marks. */
  async marked(kind: 'hour' | 'day'): Promise<ReadonlySet<Minute>> {
    const marked = new Set<Minute>();
    let after: estypes.AggregationsCompositeAggregateKey | undefined;
    for (;;) {
      const answer = await this.#elasticsearch.call('reading marks', (client, options) =>
        client.search<unknown, { readonly ts?: estypes.AggregationsCompositeAggregate }>(
          {
            index: this.#index,
            size: 0,
            track_total_hits: false,
            allow_partial_search_results: false,
            query: { bool: { filter: [{ term: { kind } }] } },
            aggs: { ts: { composite: { size: PAGE, sources: [{ ts: { terms: { field: 'ts' } } }], ...(after === undefined ? {} : { after }) } } },
          },
          options,
        ),
      );
      const buckets = answer.aggregations?.ts?.buckets ?? [];
      for (const bucket of Array.isArray(buckets) ? buckets : []) marked.add(Number(bucket.key['ts']));
      after = answer.aggregations?.ts?.after_key;
      if (after === undefined) return marked;
    }
  }

  async #read(filter: readonly Query[]): Promise<readonly Hit<MarkSource>[]> {
    const hits: Hit<MarkSource>[] = [];
    for await (const page of readDocs<MarkSource>(this.#elasticsearch, { index: this.#index, filter, order: 'any', withSeqNo: true })) hits.push(...page);
    return hits;
  }

  #document(op: 'index' | 'create', id: string, source: object): BulkDocument {
    return { op, index: this.#index, id, source: JSON.stringify(source) };
  }
}

function tsOf(hit: Hit<MarkSource>): Minute {
  return hit._source?.ts ?? 0;
}

function placeOf(hit: Hit<MarkSource>): { readonly id: string; readonly seqNo: number; readonly primaryTerm: number } {
  return { id: hit._id ?? '', seqNo: hit._seq_no ?? 0, primaryTerm: hit._primary_term ?? 0 };
}
