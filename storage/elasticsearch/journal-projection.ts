import { canonicalJson } from '../journal-chain.ts';
import { type AlertDocument, alertDocument } from './alert-document.ts';
import { readDocuments } from './document-pages.ts';
import { ElasticsearchFault, isMissing } from './fault.ts';
import { aliasOf, documentId, ensureIndex, singleName } from './judge-indices.ts';
import type { estypes } from '@elastic/elasticsearch';
import type { Alert, JournalEntry, OutboxRow } from '../../core/alert.ts';
import type { Journal } from '../../core/ports.ts';
import type { EpochMs } from '../../core/types.ts';
import type { BulkDocument, BulkWriter } from './bulk-writer.ts';
import type { Elasticsearch } from './client.ts';

/** A message as it is stored. `row` is its text until it is settled; the entries keep it for good. */
type OutboxDocument = {
  readonly id: string;
  readonly channel: string;
  readonly kind: string;
  readonly attempts: number;
  readonly next_at: EpochMs;
  readonly done: boolean;
  readonly row: string;
};

const WATERMARK_ID = 'watermark';
/** A higher watermark saves work at the next start only. */
const WATERMARK_EVERY = 64;

/**
 * The alerts and the outbox as documents: a fold over the entries. Every document carries the seq that made it as
 * its version, so projecting an entry again, or late by a judge that lost its lease, changes nothing.
 */
export class JournalProjection {
  readonly #elasticsearch: Elasticsearch;
  readonly #writer: BulkWriter;
  readonly #prefix: string;
  readonly #alerts: string;
  readonly #outbox: string;
  /** Entries up to here are projected. */
  through = 0;
  #watermark = 0;

  constructor(deps: { readonly elasticsearch: Elasticsearch; readonly writer: BulkWriter; readonly prefix: string }) {
    this.#elasticsearch = deps.elasticsearch;
    this.#writer = deps.writer;
    this.#prefix = deps.prefix;
    this.#alerts = singleName(deps.prefix, 'alert');
    this.#outbox = singleName(deps.prefix, 'outbox');
  }

  /** Makes the indices and reads how far they are. */
  async open(): Promise<void> {
    for (const index of ['alert', 'outbox'] as const) await ensureIndex(this.#elasticsearch, this.#prefix, index);
    this.#watermark = await this.#readWatermark();
    this.through = this.#watermark;
  }

  /** Folds entries in, in order and without a gap after `through`. */
  async project(entries: readonly JournalEntry[]): Promise<void> {
    const last = entries.at(-1);
    if (last === undefined) return;
    const changes: BulkDocument[] = [...this.#alertChanges(entries), ...(await this.#outboxChanges(entries))];
    if (changes.length > 0) {
      const { outcome } = await this.#writer.writeAll(changes);
      if (!outcome.ok) throw new ElasticsearchFault(outcome.reason, { isRetryable: outcome.retryable });
    }
    this.through = last.seq;
    if (this.through - this.#watermark >= WATERMARK_EVERY) await this.saveWatermark();
  }

  *#alertChanges(entries: readonly JournalEntry[]): Generator<BulkDocument> {
    const newest = new Map<string, { readonly seq: number; readonly alert: Alert }>();
    for (const { seq, alerts } of entries) for (const alert of alerts) newest.set(alert.id, { seq, alert });
    for (const [id, { seq, alert }] of newest)
      yield { op: 'index', index: this.#alerts, id: documentId(id), version: seq, source: JSON.stringify(alertDocument(alert, seq)) };
  }

  async #outboxChanges(entries: readonly JournalEntry[]): Promise<readonly BulkDocument[]> {
    const ids = new Set(entries.flatMap((entry) => [...entry.outbox.map((row) => row.id), ...entry.deliveries.map((delivery) => delivery.row)]));
    const rows = await this.#readRows([...ids]);
    const changed = new Map<string, number>();
    for (const { seq, outbox, deliveries } of entries) {
      // A row's id is stable: one that is there already was decided before and is not sent again.
      for (const row of outbox) {
        if (rows.has(row.id)) continue;
        rows.set(row.id, { id: row.id, channel: row.channel, kind: row.kind, attempts: 0, next_at: row.dueAt, done: false, row: canonicalJson(row) });
        changed.set(row.id, seq);
      }
      for (const delivery of deliveries) {
        const row = rows.get(delivery.row);
        if (row === undefined || row.done) continue;
        const settled = { ...row, attempts: delivery.attempt, done: true, row: '' };
        rows.set(row.id, delivery.result === 'retry' ? { ...row, attempts: delivery.attempt, next_at: delivery.nextAt ?? delivery.at } : settled);
        changed.set(row.id, seq);
      }
    }
    return [...changed].map(([id, version]) => ({ op: 'index', index: this.#outbox, id: documentId(id), version, source: JSON.stringify(rows.get(id)) }));
  }

  async #readRows(ids: readonly string[]): Promise<Map<string, OutboxDocument>> {
    const rows = new Map<string, OutboxDocument>();
    if (ids.length === 0) return rows;
    await this.#elasticsearch.call(`reading ${this.#outbox}`, async (client, options) => {
      const { docs } = await client.mget<OutboxDocument>({ index: this.#outbox, ids: ids.map(documentId) }, options);
      for (const doc of docs) {
        if ('error' in doc) throw new ElasticsearchFault(`elasticsearch: message ${doc._id} of ${this.#outbox}: ${doc.error.type}`, { isRetryable: true });
        if (doc.found && doc._source !== undefined) rows.set(doc._source.id, doc._source);
      }
    });
    return rows;
  }

  /** Forgets everything, so that all entries are projected again. The watermark goes first: a crash in between is repaired by the next start. */
  async clear(): Promise<void> {
    for (const index of [this.#outbox, this.#alerts])
      await this.#elasticsearch.call(`deleting ${index}`, (client, options) => client.indices.delete({ index, ignore_unavailable: true }, options));
    await this.open();
  }

  async alerts(query: Parameters<Journal['alerts']>[0]): Promise<readonly Alert[]> {
    const filter: estypes.QueryDslQueryContainer[] = [];
    if (query.states !== undefined) filter.push({ terms: { state: [...query.states] } });
    if (query.since !== undefined) filter.push({ range: { updated: { gte: query.since, format: 'epoch_millis' } } });
    if (query.entity !== undefined) filter.push({ term: { key: query.entity } });
    const found = await readDocuments<AlertDocument>(this.#elasticsearch, {
      index: aliasOf(this.#prefix, 'alert') ?? this.#alerts,
      query: { bool: { filter } },
      sort: [{ started: 'desc' }, { id: 'asc' }],
      fields: ['alert'],
      limit: query.limit,
    });
    return found.map((document) => document.alert);
  }

  async pending(): ReturnType<Journal['pending']> {
    const found = await readDocuments<OutboxDocument>(this.#elasticsearch, {
      index: this.#outbox,
      query: { bool: { filter: [{ term: { done: false } }] } },
      sort: [{ next_at: 'asc' }, { id: 'asc' }],
      fields: ['row', 'attempts', 'next_at'],
    });
    return found.map((document) => ({ row: parseRow(document.row), attempts: document.attempts, nextAt: document.next_at }));
  }

  async saveWatermark(): Promise<void> {
    if (this.through <= this.#watermark) return;
    const { through } = this;
    const document: BulkDocument = { op: 'index', index: this.#outbox, id: WATERMARK_ID, version: through, source: JSON.stringify({ through }) };
    const { outcome } = await this.#writer.writeAll([document]);
    if (!outcome.ok) throw new ElasticsearchFault(outcome.reason, { isRetryable: outcome.retryable });
    this.#watermark = through;
  }

  async #readWatermark(): Promise<number> {
    try {
      const { _source } = await this.#elasticsearch.call(`reading ${this.#outbox}`, (client, options) =>
        client.get<{ readonly through: number }>({ index: this.#outbox, id: WATERMARK_ID }, options),
      );
      return _source?.through ?? 0;
    } catch (error) {
      if (isMissing(error)) return 0;
      throw error;
    }
  }
}

// Written by `project` of this version.
function parseRow(json: string): OutboxRow {
  return JSON.parse(json) as OutboxRow;
}
