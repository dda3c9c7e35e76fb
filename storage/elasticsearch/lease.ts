import { randomUUID } from 'node:crypto';
import { ElasticsearchFault, isConflict } from './fault.ts';
import { documentId, ensureIndex, singleName } from './judge-indices.ts';
import type { LeaseRecord, LeaseStore } from '../../core/ports.ts';
import type { DurationMs } from '../../core/types.ts';
import type { Elasticsearch } from './client.ts';

export type LeaseOptions = {
  readonly elasticsearch: Elasticsearch;
  readonly prefix: string;
  /** How long a write is tried whose outcome is not known, before it throws. Default 5,000: well below the time to live of a lease. */
  readonly patienceMs?: DurationMs;
};

/** `write` is of one call: the writer whose answer was lost knows its own document by it. */
type LeaseDocument = LeaseRecord & { readonly write: string };
type Stored = { readonly document: LeaseDocument; readonly seqNo: number; readonly primaryTerm: number };

const PATIENCE_MS = 5000;
const REQUEST_TIMEOUT_MS = 3000;

/** Leases as documents of `{prefix}-lease`, one a name. Reads are realtime; a write goes through only on the version that was read. */
export async function openLeaseStore(options: LeaseOptions): Promise<LeaseStore> {
  await ensureIndex(options.elasticsearch, options.prefix, 'lease');
  return new LeaseDocuments(options);
}

class LeaseDocuments implements LeaseStore {
  readonly #elasticsearch: Elasticsearch;
  readonly #index: string;
  readonly #patienceMs: DurationMs;

  constructor(options: LeaseOptions) {
    this.#elasticsearch = options.elasticsearch;
    this.#index = singleName(options.prefix, 'lease');
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS;
  }

  async read(name: string): Promise<LeaseRecord | undefined> {
    const stored = await this.#get(name);
    return stored === undefined ? undefined : { holder: stored.document.holder, beat: stored.document.beat };
  }

  async write(name: string, expected: LeaseRecord | undefined, next: LeaseRecord): Promise<'written' | 'lost'> {
    const stored = await this.#get(name);
    if (stored?.document.holder !== expected?.holder || stored?.document.beat !== expected?.beat) return 'lost';
    const document: LeaseDocument = { ...next, write: randomUUID() };
    try {
      await this.#put(name, stored, document);
      return 'written';
    } catch (error) {
      if (!isConflict(error)) throw error;
      // Somebody was faster, or it was this very write, whose first answer was lost.
      return (await this.#get(name))?.document.write === document.write ? 'written' : 'lost';
    }
  }

  /** On a timeout the same write is sent again. Its condition holds at most once, so it is done at most once. */
  async #put(name: string, stored: Stored | undefined, document: LeaseDocument): Promise<void> {
    const request = { index: this.#index, id: documentId(name), document };
    const patienceMs = this.#patienceMs;
    await this.#elasticsearch.call(
      `writing the lease ${name}`,
      async (client, options) => {
        const patient = { ...options, requestTimeout: REQUEST_TIMEOUT_MS };
        if (stored === undefined) await client.create(request, patient);
        else await client.index({ ...request, if_seq_no: stored.seqNo, if_primary_term: stored.primaryTerm }, patient);
      },
      { patienceMs },
    );
  }

  async #get(name: string): Promise<Stored | undefined> {
    const id = documentId(name);
    const patienceMs = this.#patienceMs;
    // mget tells a document that is not there from an index that is not: without the index nobody may think that the lease is free.
    return await this.#elasticsearch.call(
      `reading the lease ${name}`,
      async (client, options) => {
        const { docs } = await client.mget<LeaseDocument>({ index: this.#index, ids: [id] }, { ...options, requestTimeout: REQUEST_TIMEOUT_MS });
        const [doc] = docs;
        if (doc === undefined || 'error' in doc)
          throw new ElasticsearchFault(`elasticsearch: the lease ${name} in ${this.#index}: ${doc?.error.type ?? 'no answer'}`, { isRetryable: true });
        if (!doc.found || doc._source === undefined) return undefined;
        return { document: doc._source, seqNo: doc._seq_no ?? 0, primaryTerm: doc._primary_term ?? 0 };
      },
      { patienceMs },
    );
  }
}
