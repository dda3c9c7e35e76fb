import { canonicalJson } from '../journal-chain.ts';
import { type JournalRecord, type RecordKind, auditRows, messageOf, recordsOf } from '../journal-records.ts';
import { type AlertDocument, alertDocument } from './alert-document.ts';
import { readDocuments } from './document-pages.ts';
import { ElasticsearchFault, isMissing } from './fault.ts';
import { type IncidentDocument, incidentDocument } from './incident-document.ts';
import { aliasOf, documentId, ensureIndex, singleName } from './judge-indices.ts';
import type { estypes } from '@elastic/elasticsearch';
import type { Alert, JournalEntry, MessageRecord, OutboxRow } from '../../core/alert.ts';
import type { Incident } from '../../core/incident.ts';
import { actorText } from '../../core/operator.ts';
import type { Journal, PageMark } from '../../core/ports.ts';
import type { EpochMs } from '../../core/types.ts';
import type { BulkDocument, BulkWriter } from './bulk-writer.ts';
import type { Elasticsearch } from './client.ts';

/** A message as it is stored. `row` is its text until it is settled; the entries keep it for good. */
type OutboxDocument = {
  readonly id: string;
  readonly channel: string;
  readonly kind: string;
  readonly incident?: string | undefined;
  readonly created: EpochMs;
  readonly attempts: number;
  readonly next_at: EpochMs;
  readonly done: boolean;
  readonly result: MessageRecord['result'];
  readonly row: string;
  readonly message: MessageRecord;
};

type RecordDocument = Readonly<Record<string, unknown>> & { readonly value: object };

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
  readonly #incidents: string;
  readonly #records: string;
  /** Entries up to here are projected. */
  through = 0;
  #watermark = 0;

  constructor(deps: { readonly elasticsearch: Elasticsearch; readonly writer: BulkWriter; readonly prefix: string }) {
    this.#elasticsearch = deps.elasticsearch;
    this.#writer = deps.writer;
    this.#prefix = deps.prefix;
    this.#alerts = singleName(deps.prefix, 'alert');
    this.#outbox = singleName(deps.prefix, 'outbox');
    this.#incidents = singleName(deps.prefix, 'incident');
    this.#records = singleName(deps.prefix, 'record');
  }

  /** Makes the indices and reads how far they are. */
  async open(): Promise<void> {
    for (const index of ['alert', 'incident', 'record', 'outbox'] as const) await ensureIndex(this.#elasticsearch, this.#prefix, index);
    this.#watermark = await this.#readWatermark();
    this.through = this.#watermark;
  }

  /** Folds entries in, in order and without a gap after `through`. */
  async project(entries: readonly JournalEntry[]): Promise<void> {
    const last = entries.at(-1);
    if (last === undefined) return;
    const changes: BulkDocument[] = [
      ...this.#alertChanges(entries),
      ...this.#incidentChanges(entries),
      ...this.#recordChanges(entries),
      ...(await this.#outboxChanges(entries)),
    ];
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

  *#incidentChanges(entries: readonly JournalEntry[]): Generator<BulkDocument> {
    const newest = new Map<string, { readonly seq: number; readonly incident: Incident }>();
    for (const { seq, incidents = [] } of entries) for (const incident of incidents) newest.set(incident.id, { seq, incident });
    for (const [id, { seq, incident }] of newest)
      yield { op: 'index', index: this.#incidents, id: documentId(id), version: seq, source: JSON.stringify(incidentDocument(incident, seq)) };
  }

  *#recordChanges(entries: readonly JournalEntry[]): Generator<BulkDocument> {
    const newest = new Map<string, { readonly seq: number; readonly source: object }>();
    for (const entry of entries) {
      const audits = new Map(auditRows(entry.seq, entry).map((row) => [`${row.seq}.${row.index}`, row]));
      for (const record of recordsOf(entry.seq, entry)) {
        const audit = record.kind === 'audit' ? audits.get(record.id) : undefined;
        const more = audit === undefined ? {} : { action: audit.action, actor: actorText(audit.actor), note: audit.note, place: audit.index };
        newest.set(recordId(record.kind, record.id), { seq: entry.seq, source: { ...recordDocument(record, entry.seq), ...more } });
      }
    }
    for (const [id, { seq, source }] of newest) yield { op: 'index', index: this.#records, id, version: seq, source: JSON.stringify(source) };
  }

  async #outboxChanges(entries: readonly JournalEntry[]): Promise<readonly BulkDocument[]> {
    const ids = new Set(entries.flatMap((entry) => [...entry.outbox.map((row) => row.id), ...entry.deliveries.map((delivery) => delivery.row)]));
    const rows = await this.#readRows([...ids]);
    const changed = new Map<string, number>();
    for (const { seq, outbox, deliveries } of entries) {
      // A row's id is stable: one that is there already was decided before and is not sent again.
      for (const row of outbox) {
        if (rows.has(row.id)) continue;
        const message = messageOf(row);
        const { id, channel, kind } = row;
        const place = { id, channel, kind, incident: message.incident, created: row.createdAt };
        rows.set(row.id, { ...place, attempts: 0, next_at: row.dueAt, done: false, result: 'waiting', row: canonicalJson(row), message });
        changed.set(row.id, seq);
      }
      for (const delivery of deliveries) {
        const row = rows.get(delivery.row);
        if (row === undefined || row.done) continue;
        const { at, attempt: attempts, reason } = delivery;
        const result: MessageRecord['result'] = delivery.result === 'retry' ? 'waiting' : delivery.result;
        const message = { ...row.message, at, attempts, result, ...(reason === undefined ? {} : { reason }) };
        const settled = { ...row, attempts, done: true, result, row: '', message };
        rows.set(row.id, result === 'waiting' ? { ...row, attempts, next_at: delivery.nextAt ?? at, message } : settled);
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
    for (const index of [this.#outbox, this.#alerts, this.#incidents, this.#records])
      await this.#elasticsearch.call(`deleting ${index}`, (client, options) => client.indices.delete({ index, ignore_unavailable: true }, options));
    await this.open();
  }

  async alerts(query: Parameters<Journal['alerts']>[0]): Promise<readonly Alert[]> {
    const filter: estypes.QueryDslQueryContainer[] = [];
    if (query.states !== undefined) filter.push({ terms: { state: [...query.states] } });
    if (query.since !== undefined) filter.push({ range: { updated: { gte: query.since, format: 'epoch_millis' } } });
    if (query.entity !== undefined) filter.push({ term: { key: query.entity } });
    if (query.ids !== undefined) filter.push({ terms: { id: [...query.ids] } });
    if (query.incident !== undefined) filter.push({ term: { incident: query.incident } });
    if (query.after !== undefined) filter.push(afterMark('started', query.after));
    const found = await readDocuments<AlertDocument>(this.#elasticsearch, {
      index: aliasOf(this.#prefix, 'alert') ?? this.#alerts,
      query: { bool: { filter } },
      sort: [{ started: 'desc' }, { id: 'asc' }],
      fields: ['alert'],
      limit: query.limit,
    });
    return found.map((document) => document.alert);
  }

  async incidents(query: Parameters<Journal['incidents']>[0]): Promise<readonly Incident[]> {
    const filter: estypes.QueryDslQueryContainer[] = [];
    if (query.states !== undefined) filter.push({ terms: { state: [...query.states] } });
    if (query.since !== undefined) filter.push({ range: { updated: { gte: query.since, format: 'epoch_millis' } } });
    if (query.lineage !== undefined) filter.push({ term: { key: query.lineage } });
    if (query.ids !== undefined) filter.push({ terms: { id: [...query.ids] } });
    if (query.after !== undefined) filter.push(afterMark('started', query.after));
    const found = await readDocuments<IncidentDocument>(this.#elasticsearch, {
      index: this.#incidents,
      query: { bool: { filter } },
      sort: [{ started: 'desc' }, { id: 'asc' }],
      fields: ['incident'],
      limit: query.limit,
    });
    return found.map((document) => document.incident);
  }

  async records(kind: RecordKind, query: { readonly inForceAt?: EpochMs | undefined }): Promise<readonly object[]> {
    const filter: estypes.QueryDslQueryContainer[] = [{ term: { record: kind } }];
    if (query.inForceAt !== undefined) filter.push({ range: { ends: { gt: query.inForceAt } } });
    return this.#recordsOf(filter, [{ at: 'desc' }, { id: 'asc' }], undefined);
  }

  /** By its id, which is exact although the index is refreshed later. */
  async record(kind: RecordKind, id: string): Promise<object | undefined> {
    try {
      const { _source } = await this.#elasticsearch.call(`reading ${this.#records}`, (client, options) =>
        client.get<RecordDocument>({ index: this.#records, id: recordId(kind, id) }, options),
      );
      return _source?.value;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async audit(query: Parameters<Journal['audit']>[0]): Promise<readonly object[]> {
    const filter: estypes.QueryDslQueryContainer[] = [{ term: { record: 'audit' } }];
    if (query.subject !== undefined) filter.push({ term: { subject: query.subject } });
    if (query.after !== undefined) {
      const { seq, index } = query.after;
      const laterInIt = { bool: { filter: [{ term: { seq } }, { range: { place: { gt: index } } }] } };
      filter.push({ bool: { should: [{ range: { seq: { lt: seq } } }, laterInIt], minimum_should_match: 1 } });
    }
    return this.#recordsOf(filter, [{ seq: 'desc' }, { place: 'asc' }], query.limit);
  }

  async #recordsOf(filter: estypes.QueryDslQueryContainer[], sort: readonly estypes.SortCombinations[], limit: number | undefined): Promise<readonly object[]> {
    const search = { index: this.#records, query: { bool: { filter } }, sort, fields: ['value'], limit };
    return (await readDocuments<RecordDocument>(this.#elasticsearch, search)).map((document) => document.value);
  }

  async messages(query: Parameters<Journal['messages']>[0]): Promise<readonly MessageRecord[]> {
    // The watermark lies in the same index and has no id.
    const filter: estypes.QueryDslQueryContainer[] = [{ exists: { field: 'id' } }];
    if (query.incident !== undefined) filter.push({ term: { incident: query.incident } });
    if (query.channel !== undefined) filter.push({ term: { channel: query.channel } });
    if (query.after !== undefined) filter.push(afterMark('created', query.after));
    const found = await readDocuments<OutboxDocument>(this.#elasticsearch, {
      index: this.#outbox,
      query: { bool: { filter } },
      sort: [{ created: 'desc' }, { id: 'asc' }],
      fields: ['message'],
      limit: query.limit,
    });
    return found.map((document) => document.message);
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

function recordId(kind: RecordKind, id: string): string {
  return documentId(`${kind} ${id}`);
}

function recordDocument({ kind, id, at, ends, subject, value }: JournalRecord, seq: number): RecordDocument {
  return { '@timestamp': at, record: kind, id, at, ends, seq, subject, value };
}

/** Newest first, then by id: what comes after the last one of a page. */
function afterMark(field: 'started' | 'created', { at, id }: PageMark): estypes.QueryDslQueryContainer {
  return {
    bool: {
      should: [{ range: { [field]: { lt: at } } }, { bool: { filter: [{ term: { [field]: at } }, { range: { id: { gt: id } } }] } }],
      minimum_should_match: 1,
    },
  };
}

// Written by `project` of this version.
function parseRow(json: string): OutboxRow {
  return JSON.parse(json) as OutboxRow;
}
