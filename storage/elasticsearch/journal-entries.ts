import { GENESIS_HASH, canonicalJson, entryHash } from '../journal-chain.ts';
import { ElasticsearchFault, isConflict } from './fault.ts';
import { singleName } from './judge-indices.ts';
import type { JournalBody, JournalEntry } from '../../core/alert.ts';
import type { DurationMs } from '../../core/types.ts';
import type { Elasticsearch } from './client.ts';

export type JournalHead = { readonly seq: number; readonly hash: string };

/** As it is stored. `writer` names the process that wrote it: a repeat of our own append is told from another's by it. */
type EntryDocument = {
  readonly seq: number;
  readonly at: number;
  readonly actor: string;
  readonly body: string;
  readonly prev: string;
  readonly hash: string;
  readonly writer: string;
};

/** Decimal, wide enough for every safe integer, so that ids sort as numbers do. */
const ID_DIGITS = 16;
/** Asked for at once; more of them when entries are small. */
const PAGE_MIN = 16;
const PAGE_MAX = 512;
const PAGE_BYTES = 4 * 2 ** 20;
/** An append takes milliseconds; one that hangs holds back what is to be sent. */
const REQUEST_TIMEOUT_MS = 5000;

export type EntriesOptions = {
  readonly elasticsearch: Elasticsearch;
  readonly prefix: string;
  /** Of this process; random. */
  readonly writer: string;
  /** How long an append is tried whose outcome is not known. */
  readonly patienceMs: DurationMs;
};

/**
 * The entries of the journal as documents whose id is their seq. They are read by id only, which is realtime: a
 * search would show them up to a refresh later.
 */
export class JournalEntries {
  readonly #options: EntriesOptions;
  readonly #index: string;
  #head: JournalHead | undefined;

  constructor(options: EntriesOptions) {
    this.#options = options;
    this.#index = singleName(options.prefix, 'journal');
  }

  /** Creates entry `seq`, unless there is one or it would leave a gap. One call at a time. */
  async append(seq: number, body: JournalBody): Promise<JournalEntry | 'taken'> {
    if (this.#head === undefined || seq > this.#head.seq + 1) await this.head();
    const head = this.#head;
    if (head === undefined || seq !== head.seq + 1) return 'taken';
    const stored = canonicalJson(body);
    const hash = entryHash(head.hash, stored);
    const document: EntryDocument = { seq, at: body.at, actor: body.actor, body: stored, prev: head.hash, hash, writer: this.#options.writer };
    if (!(await this.#create(document))) return 'taken';
    this.#head = { seq, hash };
    return parseEntry(document);
  }

  /**
   * True when the entry that is stored under this seq is ours. While the outcome is not known (a timeout, a lost
   * connection) the same create is sent again: it is done at most once, and the document that is there says who won.
   */
  async #create(document: EntryDocument): Promise<boolean> {
    const { elasticsearch, patienceMs } = this.#options;
    const request = { index: this.#index, id: idOf(document.seq), document };
    try {
      await elasticsearch.call(
        `appending entry ${document.seq} to ${this.#index}`,
        (client, options) => client.create(request, { ...options, requestTimeout: REQUEST_TIMEOUT_MS }),
        {
          patienceMs,
        },
      );
      return true;
    } catch (error) {
      if (!isConflict(error)) throw error;
      return await this.#isOurs(document);
    }
  }

  async #isOurs(document: EntryDocument): Promise<boolean> {
    const [stored] = await this.#get(document.seq, 1);
    return stored !== undefined && stored.writer === document.writer && stored.hash === document.hash;
  }

  /** Exact and realtime: a search finds where to begin (it may lag), then ids are probed until one is missing. */
  async head(): Promise<JournalHead> {
    let head = this.#head ?? (await this.#searchHead());
    for (let ahead = PAGE_MIN; ; ahead = Math.min(PAGE_MAX, ahead * 2)) {
      const found = await this.#get(head.seq + 1, ahead, ['seq', 'hash']);
      let next = head;
      for (const { seq, hash } of found) if (seq === next.seq + 1) next = { seq, hash };
      const isAll = next.seq === head.seq + ahead;
      head = next;
      if (!isAll) break;
    }
    // An append may have been faster.
    if (this.#head === undefined || head.seq >= this.#head.seq) this.#head = head;
    return head;
  }

  async #searchHead(): Promise<JournalHead> {
    const index = this.#index;
    const { hits } = await this.#options.elasticsearch.call(`reading the head of ${index}`, async (client, options) => {
      await client.indices.refresh({ index, ignore_unavailable: true }, options);
      return client.search<JournalHead>(
        {
          index,
          ignore_unavailable: true,
          allow_partial_search_results: false,
          size: 1,
          sort: [{ seq: { order: 'desc', unmapped_type: 'long' } }],
          _source: ['seq', 'hash'],
        },
        options,
      );
    });
    return hits.hits[0]?._source ?? { seq: 0, hash: GENESIS_HASH };
  }

  /** From `fromSeq` to the head as it was when this was called. What is missing in between is passed over: `checkChain` names it. */
  async *entries(fromSeq: number): AsyncGenerator<JournalEntry, void, undefined> {
    for await (const page of this.pages(fromSeq)) yield* page;
  }

  /** As `entries`, some at a time. */
  async *pages(fromSeq: number): AsyncGenerator<readonly JournalEntry[], void, undefined> {
    const { seq: last } = await this.head();
    let size = PAGE_MIN;
    for (let from = Math.max(1, fromSeq); from <= last;) {
      const documents = await this.#get(from, Math.min(size, last - from + 1));
      from += size;
      const bytes = documents.reduce((sum, document) => sum + document.body.length, 0);
      size = Math.max(1, Math.min(PAGE_MAX, Math.floor((size * PAGE_BYTES) / Math.max(1, bytes))));
      yield documents.map(parseEntry);
    }
  }

  async #get(fromSeq: number, count: number, fields?: string[]): Promise<readonly EntryDocument[]> {
    const ids = Array.from({ length: count }, (_, i) => idOf(fromSeq + i));
    const request = { index: this.#index, ids, ...(fields === undefined ? {} : { _source: fields }) };
    return await this.#options.elasticsearch.call(`reading entries of ${this.#index}`, async (client, options) => {
      const { docs } = await client.mget<EntryDocument>(request, options);
      const found: EntryDocument[] = [];
      for (const doc of docs) {
        if ('error' in doc) {
          const isNothingYet = doc.error.type === 'index_not_found_exception' && (this.#head?.seq ?? 0) === 0;
          // A shard that is away must never look like the end of the journal.
          if (!isNothingYet) throw new ElasticsearchFault(`elasticsearch: entry ${doc._id} of ${this.#index}: ${doc.error.type}`, { isRetryable: true });
        } else if (doc.found && doc._source !== undefined) found.push(doc._source);
      }
      return found;
    });
  }
}

function idOf(seq: number): string {
  return String(seq).padStart(ID_DIGITS, '0');
}

// What this parses was written by `append`, and the chain of hashes says so.
function parseEntry(document: EntryDocument): JournalEntry {
  const body = JSON.parse(document.body) as JournalBody;
  return { ...body, seq: document.seq, prevHash: document.prev, hash: document.hash };
}
