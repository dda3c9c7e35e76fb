import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { ElasticsearchFault, isMissing } from './fault.ts';
import { singleName } from './judge-indices.ts';
import type { BulkWriter } from './bulk-writer.ts';
import type { Elasticsearch } from './client.ts';

export type Snapshot = { readonly seq: number; readonly state: string };

/** Says which parts make the newest snapshot. It is written last and carries the seq as its version: the newest wins, whole. */
type HeadDocument = { readonly kind: 'head'; readonly seq: number; readonly parts: { readonly ids: readonly string[] }; readonly hash: string };
type PartDocument = { readonly kind: 'part'; readonly seq: number; readonly part: string };

const HEAD_ID = 'head';
/** Of packed state in one document; a third more as base64. The server's limit of a request is 100 MB by default. */
export const SNAPSHOT_PART_BYTES = 20 * 2 ** 20;
/** A newer snapshot may remove the parts that are just being read. */
const READ_ATTEMPTS = 5;

const pack = promisify(gzip);
const unpack = promisify(gunzip);

/** The judge's memory of one moment: tens of megabytes, packed and cut into documents that are never searched. */
export class JournalSnapshot {
  readonly #elasticsearch: Elasticsearch;
  readonly #writer: BulkWriter;
  readonly #index: string;
  readonly #partBytes: number;
  readonly #newId: () => string;

  constructor(deps: {
    readonly elasticsearch: Elasticsearch;
    readonly writer: BulkWriter;
    readonly prefix: string;
    readonly partBytes?: number | undefined;
    /** Unique over all processes. */
    readonly newId: () => string;
  }) {
    this.#elasticsearch = deps.elasticsearch;
    this.#writer = deps.writer;
    this.#index = singleName(deps.prefix, 'snapshot');
    this.#partBytes = deps.partBytes ?? SNAPSHOT_PART_BYTES;
    this.#newId = deps.newId;
  }

  async save({ seq, state }: Snapshot): Promise<void> {
    const packed = await pack(state, { level: 1 });
    const attempt = this.#newId();
    const ids: string[] = [];
    // 1. The parts, one at a time: each is a large request. Their ids are of this attempt only, so that no two saves mix.
    for (let from = 0; from < packed.length || ids.length === 0; from += this.#partBytes) {
      const id = `${seq}-${attempt}-${ids.length}`;
      ids.push(id);
      const part: PartDocument = { kind: 'part', seq, part: packed.toString('base64', from, Math.min(packed.length, from + this.#partBytes)) };
      await this.#write(id, JSON.stringify(part));
    }
    // 2. The head, which makes them the snapshot. A newer one that is there already stays.
    const head: HeadDocument = { kind: 'head', seq, parts: { ids }, hash: hashOf(packed) };
    await this.#write(HEAD_ID, JSON.stringify(head), seq);
    // 3. What no head names any more: older parts, and those of a save that did not come to its end.
    await this.#removeOld();
  }

  async read(): Promise<Snapshot | undefined> {
    for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
      const head = await this.#readHead();
      if (head === undefined) return undefined;
      const packed = await this.#readParts(head);
      if (packed !== undefined) return { seq: head.seq, state: (await unpack(packed)).toString() };
    }
    throw new ElasticsearchFault(`elasticsearch: the snapshot in ${this.#index} is damaged: a part is missing or was changed`, { isRetryable: false });
  }

  async #readHead(): Promise<HeadDocument | undefined> {
    return this.#get<HeadDocument>(HEAD_ID);
  }

  async #readParts(head: HeadDocument): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    for (const id of head.parts.ids) {
      const document = await this.#get<PartDocument>(id);
      if (document === undefined) return undefined;
      parts.push(Buffer.from(document.part, 'base64'));
    }
    const packed = Buffer.concat(parts);
    return hashOf(packed) === head.hash ? packed : undefined;
  }

  /** Realtime: what was written is read, refreshed or not. */
  async #get<T>(id: string): Promise<T | undefined> {
    try {
      const { _source } = await this.#elasticsearch.call(`reading the snapshot in ${this.#index}`, (client, options) =>
        client.get<T>({ index: this.#index, id }, options),
      );
      return _source;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async #write(id: string, source: string, version?: number): Promise<void> {
    const { outcome } = await this.#writer.writeAll([{ op: 'index', index: this.#index, id, source, ...(version === undefined ? {} : { version }) }]);
    if (!outcome.ok) throw new ElasticsearchFault(outcome.reason, { isRetryable: outcome.retryable });
  }

  async #removeOld(): Promise<void> {
    const head = await this.#readHead();
    if (head === undefined) return;
    const filter = [{ term: { kind: 'part' } }, { range: { seq: { lt: head.seq } } }];
    const index = this.#index;
    const ids = await this.#elasticsearch.call(`reading ${index}`, async (client, options) => {
      const { hits } = await client.search({ index, query: { bool: { filter } }, _source: false, size: 1000 }, options);
      return hits.hits.flatMap((hit) => (hit._id === undefined ? [] : [hit._id]));
    });
    // What stays now goes next time.
    if (ids.length > 0) await this.#writer.writeAll(ids.map((id) => ({ op: 'delete', index, id })));
  }
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
